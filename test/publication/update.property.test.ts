import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { parsePolicy } from '../../src/keys/policy.js';
import { readJournal } from '../../src/publication/journal.js';
import { NEVER, type Publication } from '../../src/publication/ports.js';
import type { SignedNode } from '../../src/signing/signed-node.js';
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
  VIEWS,
  zoneKey,
} from './produce-lab.js';
import { DAY, type Edit, edits, histories, type Soa, ZONE } from './random-histories.js';

const [next, ksk, zsk, other] = await Promise.all([
  zoneKey('2', 'CSK'),
  zoneKey('3', 'KSK'),
  zoneKey('4', 'ZSK'),
  zoneKey('5', 'CSK', 15),
]);

/** What rolls make of a key set, step by step and in any order. */
const KEY_SETS: readonly (readonly ZoneKey[])[] = [
  [key],
  [{ ...key, parent: true }],
  [
    { ...key, parent: true },
    { ...next, signs: false },
  ],
  [key, { ...next, parent: true }],
  [
    { ...key, keySetsOnly: true },
    { ...next, parent: true },
  ],
  [key, { ...next, published: false, signs: false, parent: true }],
  [key, { ...other, published: false }],
  [{ ...key, parent: true }, other],
  [{ ...key, keySetsOnly: true }, { ...zsk, view: 'internal' }, zsk],
  [ksk, zsk],
  [{ ...ksk, parent: true }, zsk, { ...zsk, id: '6', view: 'external' }],
  [
    { ...key, signs: false, published: false },
    { ...zsk, signs: false, published: false },
  ],
  [],
];
const keyChanges = fc.record({
  keySet: fc.constantFrom(...KEY_SETS),
  deleteSentinel: fc.boolean(),
  policy: fc.record({
    signed: fc.boolean(),
    cdnskey: fc.boolean(),
    cdsDigests: fc.constantFrom<(2 | 4)[]>([2], [2, 4], []),
  }),
});
type KeyChange = typeof keyChanges extends fc.Arbitrary<infer Change> ? Change : never;
interface HistoryStep {
  readonly transaction: readonly Edit[];
  readonly seconds: number;
  readonly soa?: Soa | null;
  readonly policyChange?: object | null;
  readonly keys?: KeyChange | null | undefined;
}
const keyHistories: fc.Arbitrary<HistoryStep[]> = fc.array(
  fc.record({
    transaction: fc.array(edits, { minLength: 0, maxLength: 2 }),
    seconds: fc.constantFrom(0, 10, 3600, 6 * DAY),
    keys: fc.option(keyChanges, { freq: 3 }),
  }),
  { minLength: 1, maxLength: 10 },
);

/** Records as a secondary holds them, but for the SOA and what covers it. */
function records(nodes: readonly SignedNode[]): string[] {
  return nodes.flatMap((node) =>
    node.rrsets.flatMap(({ rrset, signatures }) => [
      ...rrset.rdata.map(
        (it) => `${node.name.key} ${rrset.type} ${rrset.ttl} ${Buffer.from(it).toString('hex')}`,
      ),
      ...signatures.map((it) => `${node.name.key} 46 ${rrset.ttl} ${Buffer.from(it).toString('hex')}`),
    ]),
  );
}

async function applyJournal(
  before: ReadonlySet<string>,
  store: MemoryPublicationStore,
  id: string,
): Promise<Set<string>> {
  const after = new Set(before);
  for (const added of [false, true]) {
    for await (const part of store.readJournal(id, added)) {
      for (const { owner, type, ttl, rdata } of readJournal(part)) {
        const text = `${owner.key} ${type} ${ttl} ${Buffer.from(rdata[0] as Uint8Array).toString('hex')}`;
        // a deletion names what is there, an addition what is not (RFC 1995 §4)
        if (added === after.has(text)) throw new Error(`the journal ${added ? 'adds' : 'removes'} ${text}`);
        if (added) after.add(text);
        else after.delete(text);
      }
    }
  }
  return after;
}

/** Lives through a history, and holds each publication of it against the one that signing from scratch makes. */
async function liveThrough(
  policy: object,
  history: readonly HistoryStep[],
  { isSmall, ...limits }: { pageOctets: number; expiringPages: number; isSmall: boolean },
): Promise<{ updates: number; wholes: number; unsigned: number }> {
  const count = { updates: 0, wholes: 0, unsigned: 0 };
  const store = new MemoryPublicationStore(ZONE, 'internal');
  store.policy = parsePolicy('default', policy);
  store.keySet = [key];
  const dependencies = { store, keyRing, signer: new DigestSigner(), ...limits };
  const rows = new Rows();
  let [own, keyPolicy]: object[] = [policy, {}];
  store.rows = rows.sorted();
  const held = new Map<string, Set<string>>();
  for (const view of VIEWS) {
    const { publication } = await publish(store, view, dependencies, isSmall);
    held.set(view, new Set(records(await nodesOf(publication, store))));
  }
  /** Views of which the next publication may be made as a whole. */
  const mayBeWhole = new Set<string>();
  for (const { transaction, seconds, soa, policyChange, keys } of history) {
    for (const edit of transaction) rows.apply(edit);
    if (soa != null) rows.setSoa(soa);
    if (policyChange != null) {
      own = { ...policy, ...policyChange };
      store.policy = parsePolicy('default', { ...own, ...keyPolicy });
      store.policyVersion++;
    }
    if (soa != null || policyChange != null || keys != null) for (const view of VIEWS) mayBeWhole.add(view);
    store.version++;
    store.rows = rows.sorted();
    store.now += seconds;
    if (keys != null) {
      store.keySetVersion++;
      store.policyVersion++;
      store.keySet = keys.keySet;
      store.deleteSentinel = keys.deleteSentinel;
      keyPolicy = keys.policy;
      store.policy = parsePolicy('default', { ...own, ...keyPolicy });
    }
    for (const view of VIEWS) {
      const wanted = await fromScratch(store, view).catch((error: unknown) => error as Error);
      if (wanted instanceof Error) {
        const failure = await publish(store, view, dependencies, isSmall).then(
          () => 'made',
          (error: unknown) => error,
        );
        expect(codeOf(failure)).toBe(codeOf(wanted));
        continue;
      }
      let publication: Publication;
      do {
        const made = await publish(store, view, dependencies, isSmall);
        publication = made.publication;
        if (made.isUpdate) count.updates++;
        else if (mayBeWhole.has(view)) count.wholes++;
        else throw new Error('made as a whole');
        mayBeWhole.delete(view);
        const before = held.get(view) as Set<string>;
        // without a journal a secondary takes the whole zone
        const after =
          publication.journal === null
            ? new Set(records(await nodesOf(publication, store)))
            : await applyJournal(before, store, publication.id);
        held.set(view, after);
        // each renews some of the pages that are due
      } while ((publication.resignAt as number) <= store.now);
      const nodes = await nodesOf(publication, store);
      expect(nodes.map(shown)).toEqual(wanted.nodes.map(shown));
      expect(publication).toMatchObject({
        records: wanted.publication.records,
        octets: wanted.publication.octets,
        zonemd: wanted.publication.zonemd === null ? null : { ttl: wanted.publication.zonemd.ttl },
      });
      expect(publication.resignAt).toBe(wanted.publication.resignAt);
      expect(publication.maxTtl).toBeGreaterThanOrEqual(wanted.publication.maxTtl as number);
      expect([...(held.get(view) as Set<string>)].sort()).toEqual(records(nodes).sort());
      if (publication.resignAt === NEVER) count.unsigned++;
    }
  }
  return count;
}

const limits = [fc.constantFrom(40, 400, 4000), fc.constantFrom(1, 1000), fc.boolean()] as const;

describe.each(POLICIES)('a publication brought up to date, %s', (_, policy) => {
  it('is what signing from scratch makes, in each view and after each change; its journal leads to it', async () => {
    let updates = 0;
    let wholes = 0;
    await fc.assert(
      fc.asyncProperty(histories, ...limits, async (history, pageOctets, expiringPages, isSmall) => {
        const made = await liveThrough(policy, history, { pageOctets, expiringPages, isSmall });
        updates += made.updates;
        wholes += made.wholes;
      }),
      RUN_OPTIONS,
    );
    // all of this says nothing if wholes were made instead, which they are only where SOA or policy ask for it
    expect(wholes).toBeGreaterThan(0);
    expect(updates).toBeGreaterThan(RUNS);
  }, 3_600_000);

  it('is so while key sets change: keys at the parent, signers that are not published, no keys at all, and back', async () => {
    let [updates, wholes, unsigned] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(keyHistories, ...limits, async (history, pageOctets, expiringPages, isSmall) => {
        const made = await liveThrough(policy, history, { pageOctets, expiringPages, isSmall });
        updates += made.updates;
        wholes += made.wholes;
        unsigned += made.unsigned;
      }),
      RUN_OPTIONS,
    );
    expect(Math.min(updates, wholes, unsigned)).toBeGreaterThan(RUNS / 10);
  }, 3_600_000);
});
