import { afterAll, beforeAll, describe } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import type { Credentials } from '../../src/barbican/settings.js';
import { describeClient } from './contract-client.js';
import { describeRaw } from './contract-raw.js';
import { type ContractTarget, contractCredentials } from './contract-target.js';

/**
 * What the client, and the traps of the API as they were seen, promise of any Keystone and Barbican: run against the
 * development Barbican and against the real one, so that the one is proved to be like the other.
 */
export function describeContract(name: string, start: () => Promise<ContractTarget>): void {
  describe(`${name}: the contract`, () => {
    let target: ContractTarget;
    const clients: BarbicanClient[] = [];
    const connect = (credentials: Credentials, more: object = {}): BarbicanClient => {
      const client = new BarbicanClient({ keystoneUrl: target.keystoneUrl, credentials, ...more });
      clients.push(client);
      return client;
    };
    const as = (username: string) => connect(contractCredentials(username));
    beforeAll(async () => {
      target = await start();
    });
    afterAll(async () => {
      for (const client of clients) client.close();
      await target.close();
    });
    describeClient(() => target, as, connect);
    describeRaw(() => target);
  });
}
