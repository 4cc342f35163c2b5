import type { Name } from '../dns/name.js';
import type { Answerer } from './answer.js';
import type { ServedPublication, TsigKeyEntry } from './ports.js';
import type { DnsRequest } from './request.js';

/** A client whose request could be read, and whose TSIG, if it had one, was accepted. */
export interface Client {
  readonly request: DnsRequest;
  readonly answerer: Answerer;
  readonly entry: TsigKeyEntry | undefined;
}

/** A transfer that a client may have. */
export interface TransferAsked {
  readonly client: Client;
  readonly zone: Name;
  /** AXFR or IXFR. */
  readonly type: number;
  readonly view: string;
  /** The serial that an IXFR client has. */
  readonly clientSerial: number | undefined;
  readonly served: ServedPublication;
}
