import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { encodeBitmap } from '../dnssec/bitmap.js';
import { hasNsec3, nsec3Types } from '../dnssec/nsec3.js';
import type { Policy } from '../keys/policy.js';
import type { UnsignedNode } from '../signing/signed-node.js';
import { completeApex, denialOf, lateTypes, nsec3Options, unsigned } from '../signing/zone-stream.js';
import { sameContent } from '../zone/diff.js';
import type { ZoneNode } from '../zone/node.js';
import { updateNsec } from './nsec-update.js';
import { Nsec3Update } from './nsec3-update.js';
import type { PublishedRRset } from './ports.js';
import { sealUpdate, type Update, type UpdateInput, type UpdateStore } from './seal-update.js';
import { nodeOf, Section } from './section.js';
import { negativeTtl } from './soa-fields.js';
import { readTouched, type Touched } from './touched.js';
import { passUpdateGate } from './update-gate.js';

/**
 * Brings a publication up to date with a few changed owners: only they, what lies below cuts that came or went, and their
 * neighbours in the denial chain are computed and signed.
 * @returns undefined when it takes more than that (another TTL of denial records, too much below a cut)
 * @throws ZonesealError as making the whole would; PUBLICATION_REFUSED_BY_GATE; PAGES_LOST when the stored pages do not fit together
 */
export async function makeUpdate(input: UpdateInput, store: UpdateStore): Promise<Update | undefined> {
  const { publication, base, policy } = input;
  const zone = Name.parse(publication.zone);
  const denial = denialOf(input);
  const generation = base.generation as string;
  const names = new Section(store, generation, zone, false);
  const chain = new Section(store, generation, zone, true);
  const touched = await readTouched(publication, zone, input.touched, names, store);
  if (touched === undefined) return undefined;
  const { node: apex, denialTtl } = completeApex(touched.apex, {
    ...input,
    zone,
    serial: publication.serial,
  });
  if (denial !== 'none' && denialTtl !== negativeTtl(base.soa as PublishedRRset)) return undefined;
  await replaceNodes(names, chain, touched, apex, { zone, ttl: denialTtl, policy, denial });
  for (const section of [names, chain]) {
    section.admit(input.expiring);
    section.renew(publication.time + policy.refresh);
  }
  const soa = apex.rrsets.find(({ type }) => type === RRType.SOA) as RRset;
  const update = await sealUpdate(input, store, zone, soa, [names, chain]);
  await passUpdateGate({ ...input, denial }, update);
  return update;
}

interface ChainRules {
  readonly zone: Name;
  readonly ttl: number;
  readonly policy: Policy;
  readonly denial: ReturnType<typeof denialOf>;
}

async function replaceNodes(
  names: Section,
  chain: Section,
  touched: Touched,
  apex: ZoneNode,
  { zone, ttl, policy, denial }: ChainRules,
): Promise<void> {
  const late = lateTypes(policy);
  const nsec3 =
    denial === 'nsec3' ? new Nsec3Update(chain, { apex: zone, ttl, ...nsec3Options(policy) }) : undefined;
  const young = new Map(touched.nodes.map((node) => [node.name.key, node.kind === 'apex' ? apex : node]));
  const old = new Map<string, ZoneNode>();
  for (const { from, to } of touched.ranges) {
    for (const entry of await names.range(from, to)) {
      const node = nodeOf(entry) as ZoneNode;
      old.set(node.name.key, node);
      if (!young.has(node.name.key)) await names.remove(entry.key);
    }
  }
  const optOut = policy.nsec3.optOut;
  if (nsec3 !== undefined) {
    await nsec3.load([...old.values(), ...young.values()].map(({ name }) => name));
    for (const [key, node] of old) {
      const now = young.get(key);
      if (hasNsec3(node, optOut) && !(now !== undefined && hasNsec3(now, optOut)))
        await nsec3.leave(node.name);
    }
  }
  for (const [key, node] of young) {
    const was = old.get(key);
    const kept = stored(node);
    if (was === undefined || !isSame(was, kept)) await names.put(kept);
    if (nsec3 === undefined || !hasNsec3(node, optOut)) continue;
    const bitmap = encodeBitmap(nsec3Types(node, node.kind === 'apex' ? late : []));
    if (was !== undefined && hasNsec3(was, optOut)) await nsec3.change(node.name, bitmap);
    else await nsec3.enter(node.name, bitmap);
  }
  await nsec3?.finish();
  if (denial === 'nsec') {
    await updateNsec(names, touched.ranges, { apex: zone, ttl, apexTypes: [RRType.SOA, ...late] });
  }
}

/** A node as pages hold it: the SOA is the publication's. */
function stored(node: ZoneNode): UnsignedNode {
  const { kind, rrsets } = node;
  return unsigned(
    kind === 'apex' ? { ...node, rrsets: rrsets.filter(({ type }) => type !== RRType.SOA) } : node,
  );
}

/** Whether a node as it was, with its NSEC, is the node that is to be signed. */
function isSame(was: ZoneNode, now: UnsignedNode): boolean {
  const rrsets = was.rrsets.filter(({ type }) => type !== RRType.NSEC);
  return (
    was.kind === now.kind &&
    rrsets.length === now.rrsets.length &&
    rrsets.every((rrset, i) => {
      const other = now.rrsets[i] as RRset;
      return rrset.type === other.type && sameContent(rrset, other);
    })
  );
}
