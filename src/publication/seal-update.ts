import type { Name } from '../dns/name.js';
import { octetKey } from '../dns/octet-key.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { zonemdRdata } from '../dnssec/zonemd.js';
import type { Policy } from '../keys/policy.js';
import { digestNodes } from '../signing/node-digest.js';
import { type PackedPage, unpackPage } from '../signing/page-codec.js';
import { nodeKey, type SignedNode, type SignedRRset, type UnsignedNode } from '../signing/signed-node.js';
import type { Signer } from '../signing/signer.js';
import { type SignerKey, SigningStage } from '../signing/signing-stage.js';
import { JournalWriter } from './journal.js';
import { isLost } from './lost-pages.js';
import { pagesOf } from './page-builder.js';
import {
  NEVER,
  type PageChanges,
  type Publication,
  type PublicationResult,
  type PublicationStore,
  type PublishedRRset,
  type StoredPage,
} from './ports.js';
import { nodesOfPages } from './published-nodes.js';
import type { Entry, Section } from './section.js';
import { negativeTtl, safeUntil, sameButSerial } from './soa-fields.js';

/** What an update follows from besides the publication. */
export interface UpdateInput {
  readonly publication: Publication;
  /** The ready publication that is brought up to date. */
  readonly base: Publication;
  /** The newest ready publications of the zone's other views, whose signatures may serve again. */
  readonly siblings: readonly Publication[];
  /** Generations of publications of the zone that died while they were made; the same. */
  readonly abandoned: readonly string[];
  /** Sort keys of the owners that changed. */
  readonly touched: readonly Uint8Array[];
  /** Pages with signatures that leave their slots. */
  readonly expiring: readonly StoredPage[];
  readonly policy: Policy;
  /** What the key set makes at the apex; none: the zone is served unsigned. */
  readonly keyRrsets: readonly RRset[];
  readonly keySigning: readonly SignerKey[];
  readonly zoneSigning: readonly SignerKey[];
  readonly signer: Signer;
  /** Octets at which a page ends; `PAGE_OCTETS` unless given. */
  readonly pageOctets?: number | undefined;
}

/** What an update needs of the database. */
export type UpdateStore = Pick<
  PublicationStore,
  'readRowsAt' | 'readRowsBelow' | 'findPages' | 'pageBefore' | 'pageAfter' | 'readPages' | 'firstExpiry'
>;

/** An update that is ready to be committed. */
export interface Update {
  readonly result: PublicationResult;
  readonly changes: Omit<PageChanges, 'replaced'> & { readonly replaced: readonly StoredPage[] };
  /** Whether it differs from its base in more than the serial. */
  readonly isChanged: boolean;
}

/** A page that an update replaces, and what takes its place. */
interface ChangedPage {
  readonly stored: StoredPage;
  readonly nodes: readonly SignedNode[];
}

/** Signs what sections hold that is new, and puts together what is to be committed. */
export async function sealUpdate(
  input: UpdateInput,
  store: UpdateStore,
  zone: Name,
  soa: RRset,
  sections: readonly Section[],
): Promise<Update> {
  const { publication, base, policy } = input;
  const { time, notBefore } = publication;
  const stage = new SigningStage({ ...input, zone, time, notBefore });
  const changed = sections.flatMap((section) => section.changed());
  const entries = changed.flatMap((page) => page.entries.filter(({ after }) => after !== undefined));
  const shared = await sharedNodes(input, store, zone, entries);
  const soaNode = { name: zone, kind: 'apex', hash: undefined, children: 0, rrsets: [soa] } as const;
  stage.add(soaNode, {
    before: undefined,
    gone: [],
    candidates: publishedApexes(zone, input.siblings, input),
  });
  for (const entry of entries) {
    const { before, after } = entry;
    const candidates = [...(before === undefined ? [] : [before]), ...shared(entry)];
    stage.add(after as UnsignedNode, { before: undefined, gone: [], candidates });
  }
  const [apex, ...signed] = await stage.finishAll();
  const soaSigned = apex?.rrsets[0] as SignedRRset;
  const made = new Map(entries.map((entry, i) => [entry, signed[i] as SignedNode]));
  const journal = new JournalWriter();
  for (const [{ before }, after] of made) journal.add(before, after);
  for (const section of sections) for (const node of section.removed()) journal.add(node, undefined);
  const pages = changed.map(
    ({ stored, entries: all }): ChangedPage => ({
      stored,
      nodes: all.map((entry) => made.get(entry) ?? (entry.before as SignedNode)),
    }),
  );
  const { size } = journal;
  const ttls = signed.flatMap(({ rrsets }) => rrsets.map(({ rrset }) => rrset.ttl));
  const before = base.soa as PublishedRRset;
  const isSoaChanged = soa.ttl !== before.ttl || !sameButSerial(soa.rdata[0] as Uint8Array, before.rdata);
  const packed = pages.flatMap((page): PackedPage[] => pagesOf(page.nodes, zone, input.pageOctets));
  const replaced = pages.map((page) => page.stored);
  const zonemd = policy.zonemd ? await signDigest(input, store, zone, soaSigned, pages, stage) : undefined;
  const untouched = await store.firstExpiry(base.generation as string, replaced);
  const soaRdata = soa.rdata[0] as Uint8Array;
  const maxTtl = Math.max(base.maxTtl ?? 0, soa.ttl, ...ttls);
  const expiries = [untouched, ...packed.map(({ expires }) => expires)].filter((it) => it != null);
  return {
    isChanged: size.removed + size.added > 0 || isSoaChanged,
    changes: {
      replaced,
      pages: packed,
      journal: journal.take(true),
    },
    result: {
      generation: base.generation as string,
      soa: published(soaSigned),
      zonemd,
      ...validity(
        Math.min(stage.resignAt, ...expiries.map((expires) => expires - policy.refresh)),
        policy,
        soaRdata,
        maxTtl,
      ),
      maxTtl,
      dnskeyTtl: dnskeyTtlOf(input.keyRrsets, published(soaSigned)),
      records: (base.records as number) + size.added - size.removed,
      octets: (base.octets as number) + journal.growth,
      signatures: stage.signatures,
      reused: stage.reused,
      journal: size,
    },
  };
}

/**
 * Until when signatures are good, from when the first of them leaves its slot: with `refresh` left of it. A nameserver that loses
 * contact serves what it has for the SOA's expire, and caches have it for a TTL after that. What is not signed never leaves a slot.
 */
export function validity(
  resignAt: number,
  { refresh }: Pick<Policy, 'refresh'>,
  soa: Uint8Array,
  maxTtl: number,
): Pick<PublicationResult, 'resignAt' | 'expiresAt' | 'safeUntil'> {
  if (resignAt === Number.POSITIVE_INFINITY) return { resignAt: NEVER, expiresAt: NEVER, safeUntil: NEVER };
  const expiresAt = resignAt + refresh;
  return { resignAt, expiresAt, safeUntil: safeUntil(expiresAt, soa, maxTtl) };
}

/**
 * The apex as other views publish it, with the RRsets that are kept with publications: where they have the same serial, a SOA has its
 * signatures already. Those of the same key set alone: whose they are is told by their place.
 */
export function publishedApexes(
  zone: Name,
  publications: readonly Publication[],
  { publication, zoneSigning }: Pick<UpdateInput, 'publication' | 'zoneSigning'>,
): SignedNode[] {
  return publications
    .filter(({ keySetVersion }) => keySetVersion === publication.keySetVersion)
    .map(({ soa, zonemd }) => ({
      name: zone,
      kind: 'apex',
      hash: undefined,
      children: 0,
      rrsets: (
        [
          [RRType.SOA, soa],
          [RRType.ZONEMD, zonemd],
        ] as const
      ).flatMap(([type, kept]) =>
        kept === null
          ? []
          : [
              {
                rrset: { owner: zone, type, ttl: kept.ttl, rdata: [kept.rdata] },
                signatures: kept.signatures,
                prints: zoneSigning.map(({ print }) => print),
              },
            ],
      ),
    }));
}

/** How long caches have the keys of a publication, or that it has none. */
export function dnskeyTtlOf([dnskeys]: readonly RRset[], soa: PublishedRRset): number {
  return dnskeys?.ttl ?? negativeTtl(soa);
}

/** An RRset of the apex as it is kept with its publication. */
export function published({ rrset, signatures }: SignedRRset): PublishedRRset {
  return { ttl: rrset.ttl, rdata: rrset.rdata[0] as Uint8Array, signatures };
}

/** The nodes of other views, and of what was abandoned, by what stands in their place here. */
async function sharedNodes(
  { siblings, abandoned }: UpdateInput,
  store: UpdateStore,
  zone: Name,
  entries: readonly Entry[],
): Promise<(entry: Entry) => readonly SignedNode[]> {
  const found = new Map<string, SignedNode[]>();
  for (const chain of [false, true]) {
    const keys = entries.filter(({ after }) => (after?.kind === 'nsec3') === chain).map(({ key }) => key);
    const wanted = new Set(keys.map((key) => placeOf(key, chain)));
    for (const generation of [...siblings.map((it) => it.generation), ...abandoned]) {
      if (generation === null) continue;
      for (const page of await store.findPages(generation, chain, keys)) {
        for (const node of nodesIfReadable(page, zone)) {
          const place = placeOf(nodeKey(node), chain);
          if (wanted.has(place)) found.set(place, [...(found.get(place) ?? []), node]);
        }
      }
    }
  }
  return ({ key, after }) => found.get(placeOf(key, after?.kind === 'nsec3')) ?? [];
}

/** The nodes of another view's page; none where it is damaged, which is that view's to find. */
function nodesIfReadable({ content }: StoredPage, zone: Name): readonly SignedNode[] {
  try {
    return unpackPage(content, zone);
  } catch (error) {
    if (!isLost(error)) throw error;
    return [];
  }
}

function placeOf(key: Uint8Array, chain: boolean): string {
  return `${chain ? 'c' : 'n'}${octetKey(key)}`;
}

async function signDigest(
  { publication, base }: UpdateInput,
  store: UpdateStore,
  zone: Name,
  soa: SignedRRset,
  changed: readonly ChangedPage[],
  stage: SigningStage,
): Promise<PublishedRRset> {
  const of = { id: base.id, generation: base.generation as string };
  const replacing = new Map(
    changed.map((page) => [placeOf(page.stored.firstKey, page.stored.chain), page.nodes]),
  );
  const nodes = (chain: boolean): AsyncGenerator<readonly SignedNode[], void, undefined> =>
    nodesOfPages(store.readPages(of, chain), zone, ({ firstKey }) => replacing.get(placeOf(firstKey, chain)));
  const digest = await digestNodes(zone, withSoa(nodes(false), soa), nodes(true));
  const { ttl } = soa.rrset;
  const rdata = [zonemdRdata(publication.serial, digest)];
  return published(await stage.signOne({ owner: zone, type: RRType.ZONEMD, ttl, rdata }));
}

/** Nodes of pages, the apex with its SOA. */
export async function* withSoa(
  nodes: AsyncIterable<readonly SignedNode[]>,
  soa: SignedRRset,
): AsyncGenerator<readonly SignedNode[], void, undefined> {
  for await (const batch of nodes) {
    yield batch.map((node) => (node.kind === 'apex' ? { ...node, rrsets: [soa, ...node.rrsets] } : node));
  }
}
