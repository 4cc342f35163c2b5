import { describeAgreement } from './agreement.js';
import { startDnsServer } from './dns-server.js';

describeAgreement('the dns/ layer alone', startDnsServer);
