import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { parsePolicy } from '../../src/keys/policy.js';
import type { PublicationResult } from '../../src/publication/ports.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { DigestSigner } from '../lib/digest-signer.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';
import {
  codeOf,
  fromScratch,
  key,
  keyRing,
  nodesOf,
  POLICIES,
  publish,
  Rows,
  RUN_OPTIONS,
  RUNS,
  shown,
} from './produce-lab.js';
import { DAY, edits, ZONE } from './random-histories.js';

describe.each(POLICIES)('a view that comes to be served when others are, %s', (_, policy) => {
  it('is what signing from scratch makes', async () => {
    let [beside, read, kept, made] = [0, 0, 0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.array(edits, { minLength: 0, maxLength: 40 }),
        fc.constantFrom(0, 10, 2 * DAY, 6 * DAY, 30 * DAY),
        fc.constantFrom<readonly string[]>(['external'], ['external', 'third'], ['third', 'external']),
        fc.constantFrom(40, 400, 4000),
        async (transaction, seconds, others, pageOctets) => {
          const store = new MemoryPublicationStore(ZONE, 'internal');
          store.policy = parsePolicy('default', policy);
          store.keySet = [key];
          const rows = new Rows();
          for (const edit of transaction) rows.apply(edit);
          store.rows = rows.sorted();
          const dependencies = { store, keyRing, signer: new DigestSigner(), pageOctets, alikeOctets: 0 };
          const first = await publish(store, 'internal', dependencies).catch(codeOf);
          if (typeof first === 'string') return;
          for (const view of others) {
            store.now += seconds;
            const wanted = await fromScratch(store, view).catch(codeOf);
            const reads = store.reads;
            const second = await publish(store, view, dependencies).catch(codeOf);
            if (typeof second === 'string' || typeof wanted === 'string') {
              expect(second).toBe(wanted);
              continue;
            }
            if (store.reads === reads) beside++;
            else read++;
            const { publication } = second;
            expect((await nodesOf(publication, store)).map(shown)).toEqual(wanted.nodes.map(shown));
            for (const figure of ['records', 'octets', 'resignAt', 'expiresAt', 'maxTtl'] as const)
              expect(publication[figure]).toBe(wanted.publication[figure]);
            const { signatures, reused } = store.results.get(publication.id) as PublicationResult;
            made += signatures;
            kept += reused;
          }
        },
      ),
      RUN_OPTIONS,
    );
    expect(beside).toBeGreaterThan(RUNS / 2);
    expect(read).toBe(0);
    expect(Math.min(made, kept)).toBeGreaterThan(RUNS);
  }, 3_600_000);
});

describe('a view that is made of what another view has signed', () => {
  const row = (owner: string, type: string, data: string, views: string[] | null = null): ZoneRow => ({
    owner,
    sortKey: Name.parse(owner).sortKey(),
    type,
    ttl: 300,
    data: [data],
    views,
  });

  /** Publishes what `internal` sees, then `external` of that; and `external` alone. */
  async function both(more: readonly ZoneRow[]): Promise<[string[] | string, string[] | string]> {
    const store = new MemoryPublicationStore(ZONE, 'internal');
    store.keySet = [key];
    store.rows = [...new Rows().sorted(), ...more].sort((a, b) => Buffer.compare(a.sortKey, b.sortKey));
    await publish(store, 'internal', { store, keyRing, signer: new DigestSigner() });
    const { reads } = store;
    const dependencies = { store, keyRing, signer: new DigestSigner(), alikeOctets: 0 };
    const made = await publish(store, 'external', dependencies).then(
      async ({ publication }) => (await nodesOf(publication, store)).map(shown),
      (error: Error) => error.message,
    );
    expect(store.reads).toBe(reads);
    const wanted = await fromScratch(store, 'external').then(
      ({ nodes }) => nodes.map(shown),
      (error: Error) => error.message,
    );
    return [made, wanted];
  }

  it('spells owners as its own rows do', async () => {
    const [made, wanted] = await both([
      row('SECRET.z.', 'A', '192.0.2.1', ['internal']),
      row('secret.z.', 'TXT', '"seen by all"'),
      row('Other.z.', 'A', '192.0.2.1', ['internal']),
      row('oTHER.z.', 'MX', '10 a.z.', ['external']),
      row('OTHER.z.', 'TXT', '"seen by all"'),
    ]);
    expect(made).toEqual(wanted);
    expect(made).toContainEqual(expect.stringMatching(/^secret\.z\. /));
  });

  it('is stopped by a faulty row of its own, wherever that is in the order', async () => {
    for (const owner of ['stray.example.', 'stray.', 'zz.', '\\000.']) {
      const [made, wanted] = await both([row(owner, 'A', '192.0.2.1', ['external'])]);
      expect(made).toBe(wanted);
      expect(made).toMatch(/does not lie in z\./);
    }
  });

  it('is not stopped by a faulty row that it does not see, and does not tell of it', async () => {
    const [made, wanted] = await both([
      row('stray.example.', 'A', '192.0.2.1', ['third']),
      row('a.z.', 'A', 'no address', ['third']),
      row('a.z.', 'TXT', '"seen by all"'),
    ]);
    expect(made).toEqual(wanted);
    expect(made).toHaveLength(3);
  });
});
