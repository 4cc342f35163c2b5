import { Name } from '../../src/dns/name.js';
import { ZonesealError } from '../../src/errors.js';
import { generateKey } from '../../src/keys/generate.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import type { Publication, StoredPage } from '../../src/publication/ports.js';
import { FORMAT_VERSION, type ProduceDependencies, produce } from '../../src/publication/produce.js';
import { publishedNodes } from '../../src/publication/published-nodes.js';
import { SmallZone } from '../../src/publication/small-zone.js';
import type { SignedNode } from '../../src/signing/signed-node.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { DigestSigner } from '../lib/digest-signer.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';
import { type Edit, type Soa, ZONE } from './random-histories.js';

export const VIEWS = ['internal', 'external'] as const;

export const zoneKey = async (id: string, role: ZoneKey['role'], algorithm = 13): Promise<ZoneKey> => ({
  ...(await generateKey({ algorithm, role })),
  id,
  zone: ZONE,
  secretRef: 'x',
  view: null,
  signs: true,
  published: true,
});
export const key = await zoneKey('1', 'CSK');

export const keyRing = { privateKeys: () => Promise.resolve(new Map()) };

/** A zone's rows while a history is applied to them. */
export class Rows {
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
export function shown(node: SignedNode): string {
  const rrsets = node.rrsets.map(
    ({ rrset, signatures }) =>
      `${rrset.type}/${rrset.ttl} ${rrset.rdata.map((it) => Buffer.from(it).toString('hex')).join(',')} ` +
      `sig ${signatures.map((it) => Buffer.from(it).toString('hex')).join(',')}`,
  );
  return `${node.name} ${node.kind} ${node.children} ${rrsets.join(' | ')}`;
}

export async function nodesOf(
  publication: Publication,
  store: MemoryPublicationStore,
): Promise<SignedNode[]> {
  const nodes: SignedNode[] = [];
  for await (const batch of publishedNodes(publication, store)) nodes.push(...batch);
  return nodes;
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

export async function publish(
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
export async function fromScratch(
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

export const codeOf = (error: unknown): string =>
  error instanceof ZonesealError ? error.code : String(error);

export const RUNS = Number(process.env['ZONESEAL_PROPERTY_RUNS'] ?? 200);
export const RUN_OPTIONS = { numRuns: RUNS, endOnFailure: process.env['ZONESEAL_NO_SHRINK'] !== undefined };

/** Policies that make different records of the same rows, each with what it is called. */
export const POLICIES: readonly (readonly [title: string, policy: object])[] = [
  ['NSEC', {}],
  ['NSEC3', { denial: 'nsec3' }],
  ['NSEC3 with opt-out', { denial: 'nsec3', nsec3: { optOut: true, salt: 'ab', iterations: 1 } }],
  ['NSEC and ZONEMD', { zonemd: true }],
  ['NSEC3 and ZONEMD', { denial: 'nsec3', zonemd: true }],
];
