import { startDevelopmentBarbican } from '../../src/barbican/development.js';
import { describeContract } from '../../test/barbican/contract.js';
import { CONTRACT_ACCOUNTS } from '../../test/barbican/contract-target.js';
import { Openstack } from '../lib/openstack.js';
import { removeFolder, temporaryFolder } from '../lib/processes.js';

// one suite for both: what it says of the one holds of the other
describeContract('Barbican behind Keystone', () => Openstack.start({ accounts: CONTRACT_ACCOUNTS }));

describeContract('the development Barbican', async () => {
  const dataFolder = temporaryFolder('development-barbican');
  const accounts = CONTRACT_ACCOUNTS.map((account) => ({ ...account, password: `${account.username}pw` }));
  const server = await startDevelopmentBarbican({ dataFolder, accounts });
  return {
    keystoneUrl: server.keystoneUrl,
    barbicanUrl: server.barbicanUrl,
    close: async () => {
      await server.close();
      removeFolder(dataFolder);
    },
  };
});
