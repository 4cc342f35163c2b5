import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { ZonesealError } from '../../src/errors.js';
import { generateKey } from '../../src/keys/generate.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { parsePolicy } from '../../src/keys/policy.js';
import { readJournal } from '../../src/publication/journal.js';
import {
  NEVER,
  type Publication,
  type PublicationResult,
  type StoredPage,
} from '../../src/publication/ports.js';
import { FORMAT_VERSION, type ProduceDependencies, produce } from '../../src/publication/produce.js';
import { publishedNodes } from '../../src/publication/published-nodes.js';
import { SmallZone } from '../../src/publication/small-zone.js';
import type { SignedNode } from '../../src/signing/signed-node.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { DigestSigner } from '../lib/digest-signer.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';
import { DAY, type Edit, edits, histories, type Soa, ZONE } from './random-histories.js';

const VIEWS = ['internal', 'external'] as const;

const zoneKey = async (id: string, role: ZoneKey['role'], algorithm = 13): Promise<ZoneKey> => ({
  ...(await generateKey({ algorithm, role })),
  id,
  zone: ZONE,
  secretRef: 'x',
  view: null,
  signs: true,
  published: true,
});
const key = await zoneKey('1', 'CSK');
const [next, ksk, zsk, other] = await Promise.all([
  zoneKey('2', 'CSK'),
  zoneKey('3', 'KSK'),
  zoneKey('4', 'ZSK'),
  zoneKey('5', 'CSK', 15),
]);
const keyRing = { privateKeys: () => Promise.resolve(new Map()) };

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

/** A zone's rows while a history is applied to them. */
class Rows {
  readonly #rows = new Map<string, ZoneRow>();

  constructor() {
    this.setSoa({ refresh: 3600, expire: 86_400, minimum: 300, ttl: 3600 });
    this.#set(ZONE, 'NS', ['ns.z.'], null, 3600);
    this.#set('ns.z.', 'A', ['192.0.2.53'], null, 3600);
  }

  setSoa({ refresh, expire, minimum, ttl }: Soa): void {
    this.#set(ZONE, 'SOA', [`ns.z. host.z. 1 ${refresh} 600 ${expire} ${minimum}`], null, ttl);
  }

  apply(edit: Edit): void {
    if (edit.kind === 'put') {
      if (edit.owner === ZONE && ['DS', 'CNAME', 'DNAME', 'NS'].includes(edit.type)) return;
      // split rows: one for each view, or one for all
      for (const [at, row] of this.#rows) {
        if (row.owner !== edit.owner || row.type !== edit.type) continue;
        if (row.views === null || edit.views === null || row.views[0] === edit.views[0])
          this.#rows.delete(at);
      }
      this.#set(edit.owner, edit.type, edit.data, edit.views, edit.ttl);
      return;
    }
    for (const [at, row] of this.#rows) {
      if (row.type === 'SOA' || row.ttl === 3600) continue;
      if (row.owner === edit.owner && (edit.kind === 'clear' || row.type === edit.type))
        this.#rows.delete(at);
    }
  }

  sorted(): ZoneRow[] {
    return [...this.#rows.values()].sort(
      (a, b) => Buffer.compare(a.sortKey, b.sortKey) || (a.type < b.type ? -1 : 1),
    );
  }

  #set(
    owner: string,
    type: string,
    data: readonly string[],
    views: readonly string[] | null,
    ttl: number,
  ): void {
    const sortKey = Name.parse(owner).sortKey();
    this.#rows.set(`${owner} ${type} ${views}`, { owner, sortKey, type, ttl, data, views });
  }
}

/** What a publication has, in words: so that a difference can be read. */
function shown(node: SignedNode): string {
  const rrsets = node.rrsets.map(
    ({ rrset, signatures }) =>
      `${rrset.type}/${rrset.ttl} ${rrset.rdata.map((it) => Buffer.from(it).toString('hex')).join(',')} ` +
      `sig ${signatures.map((it) => Buffer.from(it).toString('hex')).join(',')}`,
  );
  return `${node.name} ${node.kind} ${node.children} ${rrsets.join(' | ')}`;
}

async function nodesOf(publication: Publication, store: MemoryPublicationStore): Promise<SignedNode[]> {
  const nodes: SignedNode[] = [];
  for await (const batch of publishedNodes(publication, store)) nodes.push(...batch);
  return nodes;
}

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

/** A zone read whole, as publications of many small zones are made. */
async function smallZone(publication: Publication, store: MemoryPublicationStore): Promise<SmallZone> {
  const rows: ZoneRow[] = [];
  for await (const batch of store.readRows('1', publication.zoneVersion)) rows.push(...batch);
  const ready = [];
  for (const it of await store.listReady()) {
    const pages: StoredPage[] = [];
    for (const chain of [false, true]) {
      const section: StoredPage[] = [];
      const of = { id: it.id, generation: it.generation as string };
      for await (const batch of store.readPages(of, chain)) section.push(...batch);
      pages.push(...section.map((page, i) => ({ ...page, nextKey: section[i + 1]?.firstKey ?? null })));
    }
    ready.push({ publication: it, pages });
  }
  const before = ready.find((it) => it.publication.id === publication.previous)?.publication.zoneVersion ?? 0;
  const changes = await store.readChanges('1', publication.view, before, publication.zoneVersion);
  return new SmallZone(
    { publication, rows, policy: store.policy, keySet: await store.readKeySet(), ready, changes },
    store,
  );
}

async function publish(
  store: MemoryPublicationStore,
  view: string,
  dependencies: ProduceDependencies,
  isSmall = false,
): Promise<{ publication: Publication; isUpdate: boolean }> {
  const allocation = await store.allocate(
    { zoneId: '1', zone: ZONE, view },
    {
      formatVersion: FORMAT_VERSION,
      nextSerial: () => store.publications.length + 1,
    },
  );
  if (allocation.kind !== 'allocated') throw new Error('not allocated');
  const { publication } = allocation;
  try {
    const small = isSmall ? await smallZone(publication, store) : undefined;
    const produced = await produce(
      { publication, gateway: 'g', image: undefined, distrusted: new Set() },
      { ...dependencies, store: small ?? dependencies.store },
    );
    if (small !== undefined) await store.savePages(publication.id, 'g', small.pages, small.journal);
    await store.markReady(publication.id, 'g', produced.result, produced.changes);
    return {
      publication: (await store.newestReady('1', view)) as Publication,
      isUpdate: produced.changes !== undefined,
    };
  } catch (error) {
    await store.markFailed(publication.id, 'g', String(error), null);
    throw error;
  }
}

/** Signs the present rows from scratch in a store of its own. */
async function fromScratch(
  store: MemoryPublicationStore,
  view: string,
): Promise<{ nodes: SignedNode[]; publication: Publication }> {
  const fresh = new MemoryPublicationStore(ZONE, view);
  fresh.rows = store.rows;
  fresh.keySet = store.keySet;
  fresh.deleteSentinel = store.deleteSentinel;
  fresh.policy = store.policy;
  fresh.now = store.now;
  const { publication } = await publish(fresh, view, { store: fresh, keyRing, signer: new DigestSigner() });
  return { nodes: await nodesOf(publication, fresh), publication };
}

const codeOf = (error: unknown): string => (error instanceof ZonesealError ? error.code : String(error));

const RUNS = Number(process.env['ZONESEAL_PROPERTY_RUNS'] ?? 200);

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

describe.each([
  ['NSEC', {}],
  ['NSEC3', { denial: 'nsec3' }],
  ['NSEC3 with opt-out', { denial: 'nsec3', nsec3: { optOut: true, salt: 'ab', iterations: 1 } }],
  ['NSEC and ZONEMD', { zonemd: true }],
  ['NSEC3 and ZONEMD', { denial: 'nsec3', zonemd: true }],
])('a publication brought up to date, %s', (_, policy) => {
  const options = { numRuns: RUNS, endOnFailure: process.env['ZONESEAL_NO_SHRINK'] !== undefined };

  it('is what signing from scratch makes, in each view and after each change; its journal leads to it', async () => {
    let updates = 0;
    let wholes = 0;
    await fc.assert(
      fc.asyncProperty(histories, ...limits, async (history, pageOctets, expiringPages, isSmall) => {
        const made = await liveThrough(policy, history, { pageOctets, expiringPages, isSmall });
        updates += made.updates;
        wholes += made.wholes;
      }),
      options,
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
      options,
    );
    expect(Math.min(updates, wholes, unsigned)).toBeGreaterThan(RUNS / 10);
  }, 3_600_000);

  it('is so of a view that comes to be served when others are: made of what another view has signed', async () => {
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
      options,
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
