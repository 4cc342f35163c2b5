import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { NsecChain } from '../dnssec/nsec.js';
import { Nsec3Chain, nsec3ParamRdata } from '../dnssec/nsec3.js';
import { rrsigHeader, rrsigLabels, rrsigRdata, signedOctets } from '../dnssec/rrsig.js';
import { zonemdRdata } from '../dnssec/zonemd.js';
import { ZonesealError } from '../errors.js';
import { isKeySetType } from '../keys/key-set.js';
import type { Policy } from '../keys/policy.js';
import { isSigned, type ZoneNode } from '../zone/node.js';
import { BatchWriter, readSignatures } from './batch.js';
import type { Signer } from './signer.js';
import { slotOf } from './slot.js';

/** A private key that a signer holds, and what its RRSIGs say of it. */
export interface SignerKey {
  readonly handle: number;
  readonly algorithm: number;
  readonly keyTag: number;
}

/** An RRset with the RRSIG rdatas over it; none where the zone does not sign it. */
export interface SignedRRset {
  readonly rrset: RRset;
  readonly signatures: readonly Uint8Array[];
}

/** What a signed variant of a zone follows from besides its nodes. */
export interface SigningInput {
  readonly zone: Name;
  /** Seconds since 1970, the publication's; slots follow from it. */
  readonly time: number;
  readonly serial: number;
  readonly policy: Policy;
  readonly dnskeys: RRset;
  /** Sign DNSKEY, CDS and CDNSKEY. */
  readonly keySigning: readonly SignerKey[];
  /** Sign everything else. */
  readonly zoneSigning: readonly SignerKey[];
  readonly signer: Signer;
  /**
   * The digest over everything that was yielded so far (RFC 8976 §3.3), asked for once, after the denial chain, where the
   * policy wants ZONEMD. Owners were yielded in canonical order, and then those of the NSEC3 chain in canonical order.
   */
  readonly digest?: () => Promise<Uint8Array>;
}

/** What is known when the last RRset has been yielded. */
export interface SigningResult {
  /** The SOA as published, signed: it opens and closes a transfer. */
  readonly soa: SignedRRset;
  /** When the first RRset leaves its slot, seconds since 1970. */
  readonly resignAt: number;
  /** Records yielded, RRSIGs counted, the closing SOA not. */
  readonly records: number;
  readonly signatures: number;
}

/** Signatures a block asks for: many enough that the hop to a worker costs little, few enough that the first comes soon. */
const BLOCK_SIGNATURES = 192;
const BLOCK_OCTETS = 128 * 1024;

/** RRsets of one block, while it is being signed and after. */
interface Block {
  readonly rrsets: readonly PendingRRset[];
  readonly signed: Promise<Uint8Array>;
}

interface PendingRRset {
  readonly rrset: RRset;
  /** RRSIG rdata without signatures, one for each key. */
  readonly headers: readonly Uint8Array[];
}

/**
 * The signed variant of a zone as a stream, SOA first (RFC 5936 §2.2): its nodes in canonical order, each with its
 * RRSIGs and NSEC, then the NSEC3 chain, then ZONEMD. Order is kept whatever order workers finish in; a bounded
 * number of blocks is under way.
 * @throws ZonesealError of the chains, of the signer, and ZONE_INVALID when there is no apex
 */
export async function* signZone(
  nodes: AsyncIterable<readonly ZoneNode[]>,
  input: SigningInput,
): AsyncGenerator<readonly SignedRRset[], SigningResult, undefined> {
  const stage = new SigningStage(input);
  const { policy, zone } = input;
  const extraTypes = policy.zonemd ? [RRType.ZONEMD] : [];
  const holdsBack = policy.zonemd; // the digest wants each owner whole, in order
  let nsec: NsecChain | undefined;
  let nsec3: Nsec3Chain | undefined;
  let ttl = 0;
  let held: ZoneNode[] = [];
  try {
    for await (const batch of nodes) {
      for (const source of batch) {
        let node = source;
        if (node.kind === 'apex') {
          const apex = completeApex(node, input);
          node = apex.node;
          ttl = apex.denialTtl;
          if (policy.denial === 'nsec') nsec = new NsecChain({ apex: zone, ttl });
          else nsec3 = new Nsec3Chain({ apex: zone, ttl, ...nsec3Options(policy) });
        }
        const previous = nsec?.push(node, node.kind === 'apex' ? extraTypes : []);
        nsec3?.add(node, node.kind === 'apex' ? extraTypes : []);
        if (holdsBack && nsec !== undefined) {
          if (previous !== undefined) {
            addHeld(stage, held, previous);
            held = [];
          }
          held.push(node);
        } else {
          if (previous !== undefined) stage.add(previous, true);
          addNode(stage, node);
        }
      }
      yield* stage.ready();
    }
    if (nsec === undefined && nsec3 === undefined) {
      throw new ZonesealError('ZONE_INVALID', `zone ${zone}: it has no SOA in this view`, {
        zone: zone.toString(),
      });
    }
    if (nsec !== undefined) {
      if (holdsBack) addHeld(stage, held, nsec.finish());
      else stage.add(nsec.finish(), true);
    }
    if (nsec3 !== undefined) {
      for (const rrset of nsec3.finish()) {
        stage.add(rrset, true);
        if (stage.hasReady) yield* stage.ready();
      }
    }
    if (policy.zonemd) {
      yield* stage.drain();
      if (input.digest === undefined) throw new Error('a ZONEMD policy needs a digest');
      const rdata = zonemdRdata(input.serial, await input.digest());
      stage.add({ owner: zone, type: RRType.ZONEMD, ttl: stage.soaTtl, rdata: [rdata] }, true);
    }
    yield* stage.drain();
    return stage.result();
  } finally {
    await stage.abandon();
  }
}

function nsec3Options({ nsec3 }: Policy): { iterations: number; salt: Uint8Array; optOut: boolean } {
  return { iterations: nsec3.iterations, salt: Buffer.from(nsec3.salt, 'hex'), optOut: nsec3.optOut };
}

/** The held nodes, the first of them with its NSEC, the others occluded. */
function addHeld(stage: SigningStage, held: readonly ZoneNode[], nsec: RRset): void {
  held.forEach((node, i) => {
    addNode(stage, node);
    if (i === 0) stage.add(nsec, true);
  });
}

function addNode(stage: SigningStage, node: ZoneNode): void {
  if (node.kind === 'apex') {
    for (const rrset of node.rrsets) if (rrset.type === RRType.SOA) stage.add(rrset, true);
    for (const rrset of node.rrsets) if (rrset.type !== RRType.SOA) stage.add(rrset, true);
    return;
  }
  for (const rrset of node.rrsets) stage.add(rrset, isSigned(node.kind, rrset.type));
}

/** The apex with the publication's serial, the DNSKEY RRset and NSEC3PARAM; and the TTL of denial records (RFC 9077 §3). */
function completeApex(node: ZoneNode, input: SigningInput): { node: ZoneNode; denialTtl: number } {
  const { policy, zone } = input;
  const rrsets: RRset[] = [];
  let denialTtl: number | undefined;
  for (const rrset of node.rrsets) {
    if (rrset.type !== RRType.SOA) {
      rrsets.push(rrset);
      continue;
    }
    const rdata = (rrset.rdata[0] as Uint8Array).slice();
    const view = new DataView(rdata.buffer, rdata.length - 20);
    view.setUint32(0, input.serial);
    denialTtl = Math.min(rrset.ttl, view.getUint32(16));
    rrsets.push({ ...rrset, rdata: [rdata] });
  }
  if (denialTtl === undefined) {
    throw new ZonesealError('ZONE_INVALID', `zone ${zone}: it has no SOA in this view`, {
      zone: zone.toString(),
    });
  }
  rrsets.push(input.dnskeys);
  if (policy.denial === 'nsec3') {
    const rdata = nsec3ParamRdata(nsec3Options(policy));
    rrsets.push({ owner: zone, type: RRType.NSEC3PARAM, ttl: 0, rdata: [rdata] });
  }
  rrsets.sort((a, b) => a.type - b.type);
  return { node: { ...node, rrsets }, denialTtl };
}

/** Collects RRsets into blocks, has them signed, and hands them on in order. */
class SigningStage {
  readonly #input: SigningInput;
  readonly #blocks: Block[] = [];
  readonly #writer = new BatchWriter();
  #open: PendingRRset[] = [];
  #soa: SignedRRset | undefined;
  #soaTtl = 0;
  #resignAt = Number.POSITIVE_INFINITY;
  #records = 0;
  #signatures = 0;

  constructor(input: SigningInput) {
    this.#input = input;
  }

  get soaTtl(): number {
    return this.#soaTtl;
  }

  /** Whether so many blocks are under way that the eldest should be awaited. */
  get hasReady(): boolean {
    return this.#blocks.length >= this.#input.signer.window;
  }

  add(rrset: RRset, signed: boolean): void {
    this.#open.push({ rrset, headers: signed ? this.#ask(rrset) : [] });
    if (rrset.type === RRType.SOA) this.#soaTtl = rrset.ttl;
    if (this.#writer.count >= BLOCK_SIGNATURES || this.#writer.length >= BLOCK_OCTETS) this.#submit();
  }

  /** What has to be handed on before more is taken in. */
  async *ready(): AsyncGenerator<readonly SignedRRset[], void, undefined> {
    while (this.hasReady) yield await this.#finishEldest();
  }

  /** Everything that was added. */
  async *drain(): AsyncGenerator<readonly SignedRRset[], void, undefined> {
    this.#submit();
    while (this.#blocks.length > 0) yield await this.#finishEldest();
  }

  /** Waits for blocks nobody will read, so that no rejection goes unheard. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#blocks.splice(0).map((block) => block.signed));
  }

  result(): SigningResult {
    if (this.#soa === undefined) throw new Error('a result is there once the SOA was signed');
    return { soa: this.#soa, resignAt: this.#resignAt, records: this.#records, signatures: this.#signatures };
  }

  #ask(rrset: RRset): Uint8Array[] {
    const { policy, time, zone, keySigning, zoneSigning } = this.#input;
    const slot = slotOf(rrset.owner, rrset.type, time, policy);
    if (slot.end < this.#resignAt) this.#resignAt = slot.end;
    const keys = isKeySetType(rrset.type) && rrset.owner.equals(zone) ? keySigning : zoneSigning;
    return keys.map(({ handle, algorithm, keyTag }) => {
      const header = rrsigHeader({
        typeCovered: rrset.type,
        algorithm,
        labels: rrsigLabels(rrset.owner),
        originalTtl: rrset.ttl,
        expiration: slot.expiration,
        inception: slot.inception,
        keyTag,
        signer: zone,
      });
      this.#writer.add(handle, signedOctets(header, rrset));
      return header;
    });
  }

  #submit(): void {
    if (this.#open.length === 0) return;
    const signed =
      this.#writer.count > 0
        ? this.#input.signer.sign(this.#writer.take())
        : Promise.resolve(new Uint8Array());
    signed.catch(() => undefined); // heard where the block is awaited
    this.#blocks.push({ rrsets: this.#open, signed });
    this.#open = [];
  }

  async #finishEldest(): Promise<SignedRRset[]> {
    const block = this.#blocks.shift() as Block;
    const signatures = readSignatures(await block.signed);
    return block.rrsets.map(({ rrset, headers }) => {
      const rdatas = headers.map((header) => rrsigRdata(header, signatures.next().value as Uint8Array));
      this.#records += rrset.rdata.length + rdatas.length;
      this.#signatures += rdatas.length;
      const signed = { rrset, signatures: rdatas };
      if (rrset.type === RRType.SOA) this.#soa = signed;
      return signed;
    });
  }
}
