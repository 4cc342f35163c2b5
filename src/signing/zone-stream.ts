import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType, typeToText } from '../dns/types.js';
import { NsecChain } from '../dnssec/nsec.js';
import { Nsec3Chain, nsec3ParamRdata } from '../dnssec/nsec3.js';
import { ZonesealError } from '../errors.js';
import type { Policy } from '../keys/policy.js';
import type { ZoneNode } from '../zone/node.js';
import { findSigned, SameNode, type SourceNode, type UnsignedNode } from './signed-node.js';

/** What the records that Zoneseal adds to a zone follow from. */
export interface StreamInput {
  readonly zone: Name;
  readonly serial: number;
  readonly policy: Policy;
  /** What the key set makes at the apex: DNSKEY first, CDS and CDNSKEY. None: the zone is served unsigned. */
  readonly keyRrsets: readonly RRset[];
}

/** Nodes that are handed on at once. */
const BATCH_NODES = 256;

/** Types that the apex will have but that are not among its RRsets when it is signed. */
export function lateTypes(policy: Policy): readonly number[] {
  return policy.zonemd ? [RRType.ZONEMD] : [];
}

/** How a zone denies existence: as its policy says, once it is signed. */
export function denialOf({
  policy,
  keyRrsets,
}: Pick<StreamInput, 'policy' | 'keyRrsets'>): 'nsec' | 'nsec3' | 'none' {
  return keyRrsets.length === 0 ? 'none' : policy.denial;
}

/** The NSEC3 parameters of a policy. */
export function nsec3Options({ nsec3 }: Policy): { iterations: number; salt: Uint8Array; optOut: boolean } {
  return { iterations: nsec3.iterations, salt: Buffer.from(nsec3.salt, 'hex'), optOut: nsec3.optOut };
}

/**
 * The nodes of a zone with the records that signing adds, in order: the apex with its serial, DNSKEY and NSEC3PARAM, each
 * node with its NSEC; then, in hash order, the owners of NSEC3 records. A node waits for its successor's name, and with it
 * what is occluded below it. Of an unsigned zone the nodes as they are, but for the serial.
 * @throws ZonesealError ZONE_INVALID when there is no apex, or of the chains
 */
export async function* streamZone(
  nodes: AsyncIterable<readonly SourceNode[]>,
  input: StreamInput,
): AsyncGenerator<readonly UnsignedNode[], void, undefined> {
  const { zone, policy } = input;
  const late = lateTypes(policy);
  const denial = denialOf(input);
  let hasApex = false;
  let nsec: NsecChain | undefined;
  let nsec3: Nsec3Chain | undefined;
  let held: SourceNode[] = [];
  for await (const batch of nodes) {
    const out: UnsignedNode[] = [];
    for (const source of batch) {
      let node = placedUnder(zone, source);
      if (node.kind === 'apex') {
        const apex = completeApex(node, input);
        node = apex.node;
        hasApex = true;
        if (denial === 'nsec') nsec = new NsecChain({ apex: zone, ttl: apex.denialTtl });
        else if (denial === 'nsec3')
          nsec3 = new Nsec3Chain({ apex: zone, ttl: apex.denialTtl, ...nsec3Options(policy) });
      }
      const extraTypes = node.kind === 'apex' ? late : [];
      nsec3?.add(node, extraTypes);
      const previous = nsec?.push(node, extraTypes, knownNsec(held[0]));
      if (previous !== undefined) {
        pushHeld(out, held, previous);
        held = [node];
      } else if (nsec === undefined) out.push(unsigned(node));
      else held.push(node);
    }
    if (out.length > 0) yield out;
  }
  if (!hasApex) throw noSoa(zone);
  if (nsec !== undefined) {
    const out: UnsignedNode[] = [];
    pushHeld(out, held, nsec.finish(knownNsec(held[0])));
    yield out;
  }
  if (nsec3 !== undefined) yield* chainNodes(nsec3);
}

function* chainNodes(chain: Nsec3Chain): Generator<readonly UnsignedNode[], void, undefined> {
  let out: UnsignedNode[] = [];
  for (const { hash, children, rrset } of chain.finish()) {
    out.push({ name: rrset.owner, kind: 'nsec3', hash, children, rrsets: [rrset] });
    if (out.length < BATCH_NODES) continue;
    yield out;
    out = [];
  }
  if (out.length > 0) yield out;
}

/** A node as it is signed. */
export function unsigned(source: SourceNode): UnsignedNode {
  if (source instanceof SameNode) return source;
  const { name, kind, rrsets, beside } = source;
  return { name, kind, hash: undefined, children: 0, rrsets, beside };
}

/** The first node with its NSEC; the others are occluded. */
function pushHeld(out: UnsignedNode[], held: readonly SourceNode[], nsec: RRset): void {
  for (let i = 0; i < held.length; i++) {
    const source = held[i] as SourceNode;
    if (i > 0 || knownNsec(source) === nsec) {
      out.push(unsigned(source));
      continue;
    }
    const { name, kind, rrsets, beside } = source;
    out.push({ name, kind, hash: undefined, children: 0, rrsets: insertRRset(rrsets, nsec), beside });
  }
}

/** The NSEC that another view has at a name that is otherwise the same. */
function knownNsec(source: SourceNode | undefined): RRset | undefined {
  return source instanceof SameNode ? findSigned(source.beside, RRType.NSEC)?.rrset : undefined;
}

/** A node with one more RRset, in its place. */
export function addRRset<Node extends UnsignedNode>(node: Node, rrset: RRset): Node {
  return { ...node, rrsets: insertRRset(node.rrsets, rrset) };
}

function insertRRset(rrsets: readonly RRset[], rrset: RRset): RRset[] {
  const more = new Array<RRset>(rrsets.length + 1);
  let at = 0;
  for (; at < rrsets.length; at++) {
    const other = rrsets[at] as RRset;
    if (other.type > rrset.type) break;
    more[at] = other;
  }
  more[at] = rrset;
  for (; at < rrsets.length; at++) more[at + 1] = rrsets[at] as RRset;
  return more;
}

/** A node whose name ends in the very octets of the zone's name, so that it is the same however it was stored. */
export function placedUnder<Node extends ZoneNode>(zone: Name, node: Node): Node {
  const { wire } = node.name;
  const cut = wire.length - zone.wire.length;
  for (let i = 0; i < zone.wire.length; i++) {
    if (wire[cut + i] === zone.wire[i]) continue;
    const octets = wire.slice();
    octets.set(zone.wire, cut);
    const name = Name.fromWire(octets);
    return { ...node, name, rrsets: node.rrsets.map((rrset) => ({ ...rrset, owner: name })) };
  }
  return node;
}

/**
 * The apex with the publication's serial, what the key set makes, and NSEC3PARAM; and the TTL of negative answers (RFC 2308 §3, RFC 9077 §3).
 * @throws ZonesealError ZONE_INVALID when there is no SOA, or what the key set makes is stored as well
 */
export function completeApex<Node extends ZoneNode>(
  node: Node,
  input: StreamInput,
): { node: Node; denialTtl: number } {
  const { zone, policy, serial, keyRrsets } = input;
  const rrsets: RRset[] = [];
  let denialTtl: number | undefined;
  for (const rrset of node.rrsets) {
    if (rrset.type !== RRType.SOA) {
      rrsets.push(rrset);
      continue;
    }
    const rdata = (rrset.rdata[0] as Uint8Array).slice();
    const view = new DataView(rdata.buffer, rdata.length - 20);
    view.setUint32(0, serial);
    denialTtl = Math.min(rrset.ttl, view.getUint32(16));
    rrsets.push({ ...rrset, rdata: [rdata] });
  }
  if (denialTtl === undefined) throw noSoa(zone);
  for (const rrset of keyRrsets) {
    if (rrsets.some(({ type }) => type === rrset.type)) throw madeTwice(zone, rrset.type);
    rrsets.push(rrset);
  }
  if (denialOf(input) === 'nsec3') {
    const rdata = nsec3ParamRdata(nsec3Options(policy));
    rrsets.push({ owner: zone, type: RRType.NSEC3PARAM, ttl: 0, rdata: [rdata] });
  }
  rrsets.sort((a, b) => a.type - b.type);
  return { node: { ...node, rrsets }, denialTtl };
}

/** Two answers to what the parent should do: one of them has to go. */
function madeTwice(zone: Name, type: number): ZonesealError {
  const text = typeToText(type);
  const reason = `is stored, and made from the key set as well, of which a key is wanted at the parent`;
  const next = `delete the row, with: zoneseal rrset delete ${zone} @ ${text}`;
  return new ZonesealError('ZONE_INVALID', `zone ${zone}: ${zone} ${text}: ${reason}; ${next}`, {
    zone: zone.toString(),
    owner: zone.toString(),
    type: text,
    reason,
  });
}

function noSoa(zone: Name): ZonesealError {
  return new ZonesealError('ZONE_INVALID', `zone ${zone}: it has no SOA in this view`, {
    zone: zone.toString(),
  });
}
