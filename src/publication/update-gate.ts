import { setImmediate as breathe } from 'node:timers/promises';
import { Name } from '../dns/name.js';
import { octetKey } from '../dns/octet-key.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { splitNsec3 } from '../dnssec/nsec3.js';
import { parseRrsig } from '../dnssec/rrsig.js';
import type { Policy } from '../keys/policy.js';
import { type PackedPage, unpackPage } from '../signing/page-codec.js';
import { nodeKey, type SignedNode } from '../signing/signed-node.js';
import { sameContent } from '../zone/diff.js';
import { isSigned } from '../zone/node.js';
import { type Refuse, refuser } from './gate.js';
import { JournalWriter, readJournal } from './journal.js';
import type { JournalSize } from './ports.js';
import type { Update, UpdateInput } from './seal-update.js';
import { isAfter } from './serial.js';
import { serialIn } from './soa-fields.js';

/** Nodes looked at before others have their turn. */
const NODES_A_TURN = 2000;

/** What the gate of updates looks at besides the update. */
export interface UpdateGateInput extends Pick<UpdateInput, 'publication' | 'base' | 'zoneSigning'> {
  readonly policy: Pick<Policy, 'refresh'>;
  /** What the key set makes at the apex; none: the zone is unsigned. */
  readonly keyRrsets: readonly RRset[];
  readonly denial: 'nsec' | 'nsec3' | 'none';
}

/**
 * The checks that an update passes before a nameserver can have it: the pages that it writes are read back and held against those that
 * they replace, and both against its journal. What it costs follows from these pages.
 * @throws ZonesealError PUBLICATION_REFUSED_BY_GATE; PAGE_INVALID when a page cannot be read
 */
export async function passUpdateGate(input: UpdateGateInput, { result, changes }: Update): Promise<void> {
  const { publication, base, policy, denial } = input;
  const refuse = refuser(publication);
  checkSoa(input, result.soa, refuse);
  for (const { expires } of changes.pages) {
    // as in a whole, what is signed now is not to be signed anew at once
    if (expires !== null && expires - policy.refresh <= publication.time)
      refuse('a page has signatures that are too old already');
  }
  const zone = Name.parse(publication.zone);
  const journal = new JournalWriter();
  const links = new Links(zone, refuse);
  let seen = 0;
  for (const chain of [false, true]) {
    const ofSection = ({ chain: its }: { readonly chain: boolean }): boolean => its === chain;
    const pairs = pairsOf(
      nodesIn(changes.replaced.filter(ofSection), zone, refuse),
      nodesIn(changes.pages.filter(ofSection), zone, refuse),
    );
    const isDenial = denial !== 'none' && chain === (denial === 'nsec3');
    for (const [before, after] of pairs) {
      journal.add(before, after);
      // gone in one part of a section and come in another would be a name in two pages
      if (before?.kind === 'apex' && after === undefined) refuse('it has no apex');
      if (after !== undefined) checkNode(after, input, isDenial, refuse);
      if (isDenial) links.add(before, after);
      if (++seen % NODES_A_TURN === 0) await breathe();
    }
  }
  links.close();
  checkSizes(journal.size, result.journal, refuse);
  checkSizes(sizeOf(changes.journal), result.journal, refuse);
  const { added, removed } = journal.size;
  const records = (base.records as number) + added - removed;
  if (result.records !== records) refuse(`it has ${result.records} records where ${records} follow`);
}

function checkSoa(
  { publication, base, zoneSigning, keyRrsets }: UpdateGateInput,
  { rdata, signatures }: Update['result']['soa'],
  refuse: Refuse,
): void {
  const serial = serialIn(rdata);
  if (serial !== publication.serial) refuse(`the SOA says serial ${serial}`);
  if (!isAfter(serial, base.serial)) refuse(`its serial does not come after ${base.serial}`);
  const made = signatures.map(parseRrsig).filter((it) => it.typeCovered === RRType.SOA);
  for (const { keyTag, algorithm } of zoneSigning) {
    const signature = made.find((it) => it.keyTag === keyTag && it.algorithm === algorithm);
    if (signature === undefined) return refuse(`its SOA has no signature by key ${keyTag}`);
    if (signature.inception > publication.time || signature.expiration <= publication.time)
      refuse(`the signature of its SOA by key ${keyTag} is not valid at its time`);
  }
  if (keyRrsets.length > 0 && zoneSigning.length === 0) refuse('its SOA has no signature');
  if (keyRrsets.length === 0 && signatures.length > 0) refuse('it is to be unsigned, and its SOA is not');
}

function checkNode(
  { kind, name, rrsets }: SignedNode,
  { keyRrsets, denial }: UpdateGateInput,
  isDenial: boolean,
  refuse: Refuse,
): void {
  for (const { rrset, signatures } of rrsets) {
    const { type } = rrset;
    const isToBeSigned = keyRrsets.length > 0 && (kind === 'nsec3' || isSigned(kind, type));
    if (isToBeSigned && signatures.length === 0)
      refuse(`${name} has an RRset of type ${type} without signature`);
    if (!isToBeSigned && signatures.length > 0)
      refuse(`${name} has a signature that is not the zone's to make`);
    if ((type === RRType.NSEC && denial !== 'nsec') || (type === RRType.NSEC3 && denial !== 'nsec3'))
      refuse(`${name} has a denial record of another kind than the zone's`);
  }
  if (isDenial && kind !== 'occluded' && denialOf({ rrsets }) === undefined)
    refuse(`${name} has no denial of existence`);
  if (kind !== 'apex') return;
  const own = (type: number): RRset | undefined => rrsets.find(({ rrset }) => rrset.type === type)?.rrset;
  for (const wanted of keyRrsets) {
    const there = own(wanted.type);
    if (there === undefined || !sameContent(there, wanted))
      refuse(`its apex has not the RRset of type ${wanted.type} that its key set makes`);
  }
  if (keyRrsets.length === 0 && own(RRType.DNSKEY) !== undefined)
    refuse('it is to be unsigned, and has keys');
}

/** The rdata of a node's NSEC or NSEC3 record. */
function denialOf(node: Pick<SignedNode, 'rrsets'>): Uint8Array | undefined {
  const found = node.rrsets.find(({ rrset: { type } }) => type === RRType.NSEC || type === RRType.NSEC3);
  return found?.rrset.rdata[0];
}

/**
 * The links of a denial chain, of which only some are known, before and after a change of some of them. Before, the chain
 * was closed: each name had one link to it and one from it, all ascending but the last. It is so still when names have come and gone as targets just as
 * they have as sources, all links ascend but as many as before, and those within a page lead to the next name.
 */
class Links {
  readonly #zone: Name;
  readonly #refuse: Refuse;
  /** Names by how often more they are there than before. */
  readonly #sources = new Map<string, number>();
  readonly #targets = new Map<string, number>();
  #wraps = 0;

  constructor(zone: Name, refuse: Refuse) {
    this.#zone = zone;
    this.#refuse = refuse;
  }

  add(before: SignedNode | undefined, after: SignedNode | undefined): void {
    this.#count(before, -1);
    this.#count(after, 1);
  }

  close(): void {
    if (this.#wraps !== 0) this.#refuse('its denial chain does not close');
    for (const [one, other] of [
      [this.#sources, this.#targets],
      [this.#targets, this.#sources],
    ] as const) {
      for (const [key, count] of one) {
        if ((other.get(key) ?? 0) !== count)
          this.#refuse('its denial chain does not lead through the names that came and went');
      }
    }
  }

  #count(node: SignedNode | undefined, sign: 1 | -1): void {
    const link = node && linkOf(node, this.#zone);
    if (link === undefined) return;
    shift(this.#sources, link.from, sign);
    shift(this.#targets, link.to, sign);
    if (link.isLast) this.#wraps += sign;
    else if (sign > 0 && !link.isAscending)
      this.#refuse(`the denial record of ${(node as SignedNode).name} leads back`);
  }
}

interface Link {
  readonly from: string;
  readonly to: string;
  readonly isAscending: boolean;
  /** Whether it leads to the first name of the chain. */
  readonly isLast: boolean;
}

/** Where a node's denial record leads; undefined where it has none, as occluded names have not. */
function linkOf(node: SignedNode, zone: Name): Link | undefined {
  const rdata = denialOf(node);
  if (rdata === undefined) return undefined;
  if (node.hash !== undefined) {
    const { next } = splitNsec3(rdata);
    const isAscending = Buffer.compare(node.hash, next) < 0;
    return { from: octetKey(node.hash), to: octetKey(next), isAscending, isLast: !isAscending };
  }
  const next = Name.readWire(rdata, 0);
  const isAscending = node.name.compare(next) < 0;
  return { from: node.name.key, to: next.key, isAscending, isLast: next.equals(zone) };
}

function shift(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

/** The nodes of pages of one section, which have to be in order; within a page each leads to the next. */
function* nodesIn(
  pages: readonly Pick<PackedPage, 'content'>[],
  zone: Name,
  refuse: Refuse,
): Generator<SignedNode, void, undefined> {
  let last: Uint8Array | undefined;
  for (const { content } of pages) {
    let link: Link | undefined;
    for (const node of unpackPage(content, zone)) {
      const key = nodeKey(node);
      if (last !== undefined && Buffer.compare(last, key) >= 0) refuse(`${node.name} is out of order`);
      last = key;
      const own = linkOf(node, zone);
      if (own !== undefined) {
        if (link !== undefined && link.to !== own.from)
          refuse(`the denial record before ${node.name} does not lead to it`);
        link = own;
      }
      yield node;
    }
  }
}

/** Nodes by what they stand for: as they were and as they are. */
function* pairsOf(
  before: Iterator<SignedNode, void>,
  after: Iterator<SignedNode, void>,
): Generator<readonly [SignedNode | undefined, SignedNode | undefined], void, undefined> {
  let old = before.next().value as SignedNode | undefined;
  let young = after.next().value as SignedNode | undefined;
  while (old !== undefined || young !== undefined) {
    const order =
      old === undefined ? 1 : young === undefined ? -1 : Buffer.compare(nodeKey(old), nodeKey(young));
    yield [order <= 0 ? old : undefined, order >= 0 ? young : undefined];
    if (order <= 0) old = before.next().value as SignedNode | undefined;
    if (order >= 0) young = after.next().value as SignedNode | undefined;
  }
}

function checkSizes(found: JournalSize, said: JournalSize | undefined, refuse: Refuse): void {
  const { removed, added, octets } = found;
  if (said?.removed === removed && said.added === added && said.octets === octets) return;
  refuse(`its journal says -${said?.removed} +${said?.added} where its pages say -${removed} +${added}`);
}

function sizeOf(parts: Update['changes']['journal']): JournalSize {
  const counts = { removed: 0, added: 0, octets: 0 };
  for (const { added, content } of parts) {
    for (const { rdata } of readJournal(content)) counts[added ? 'added' : 'removed'] += rdata.length;
    counts.octets += content.length;
  }
  return counts;
}
