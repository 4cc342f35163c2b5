import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import {
  canonicalRdatas,
  expirationOf,
  inceptionOf,
  type RrsigFields,
  rrsigHeaderOctets,
  rrsigLabels,
  signedRecordsOctets,
  writeRrsigHeader,
  writeSignedRecords,
} from '../dnssec/rrsig.js';
import { isKeySetType } from '../keys/key-set.js';
import { sameContent } from '../zone/diff.js';
import { isSigned } from '../zone/node.js';
import { BatchWriter, SignedReader } from './batch.js';
import { type Earlier, NOTHING_EARLIER } from './earlier-nodes.js';
import {
  findSigned,
  SameNode,
  type SignedKind,
  type SignedNode,
  type SignedRRset,
  type UnsignedNode,
} from './signed-node.js';
import type { Signer } from './signer.js';
import { type SlotPolicy, slotOf } from './slot.js';

/** A private key that a signer holds, and what its RRSIGs say of it. */
export interface SignerKey {
  readonly handle: number;
  readonly algorithm: number;
  readonly keyTag: number;
  /** `keyPrint` of the public half. */
  readonly print: number;
}

/** What signatures follow from besides what they are over. */
export interface StageInput {
  readonly zone: Name;
  /** Seconds since 1970, the publication's; slots follow from it. */
  readonly time: number;
  /** Seconds since 1970: signatures that begin before are not used, an operator wanted all made anew; 0: none did. */
  readonly notBefore?: number;
  readonly policy: SlotPolicy;
  /** Sign DNSKEY, CDS and CDNSKEY. */
  readonly keySigning: readonly SignerKey[];
  /** Sign everything else. */
  readonly zoneSigning: readonly SignerKey[];
  readonly signer: Signer;
}

/** A signed node, and what stood in its place. */
export interface SignedStep extends Pick<Earlier, 'before' | 'gone'> {
  readonly node: SignedNode;
}

/** Signatures a block asks for: many enough that the hop to a worker costs little. The first has fewer, so that it comes soon, each twice as many as the one before. */
const BLOCK_SIGNATURES = 576;
const FIRST_BLOCK_SIGNATURES = 192;
const BLOCK_OCTETS = 512 * 1024;
/** Nodes of a block in which everything serves again. */
const BLOCK_NODES = 512;

const EMPTY = new Uint8Array();
const NO_SIGNATURES: readonly Uint8Array[] = [];
const NONE_ALIKE: readonly SignedRRset[] = [];

/** Nodes of one block, while it is being signed and after. */
interface Block {
  readonly nodes: readonly (PendingNode | SignedStep)[];
  readonly signed: Promise<Uint8Array>;
}

interface PendingNode extends Pick<Earlier, 'before' | 'gone'> {
  readonly node: UnsignedNode;
  readonly rrsets: readonly PendingRRset[];
}

interface PendingRRset {
  readonly rrset: RRset;
  readonly signers: Signers;
  /** RRSIG rdata that serves again, by the place of its key; undefined where a signature is being made. */
  readonly reused: readonly (Uint8Array | undefined)[] | undefined;
}

/** The fields of an RRSIG while they are put together. */
type Fields = { -readonly [Field in keyof RrsigFields]: RrsigFields[Field] };

/** Keys that sign the same RRsets, and their prints in the same order. */
interface Signers {
  readonly keys: readonly SignerKey[];
  readonly prints: readonly number[];
}

const NOBODY: Signers = { keys: [], prints: [] };

function signersOf(keys: readonly SignerKey[]): Signers {
  return { keys, prints: keys.map(({ print }) => print) };
}

/** Collects nodes into blocks, has signed what has no signature for its slot, and hands them on in order. */
export class SigningStage {
  readonly #input: StageInput;
  readonly #blocks: Block[] = [];
  readonly #writer = new BatchWriter();
  readonly #keySigning: Signers;
  readonly #zoneSigning: Signers;
  /** Of the RRset at hand: objects for each are what the collector would be busy with. */
  readonly #fields: Fields;
  readonly #header: Uint8Array;
  #open: (PendingNode | SignedStep)[] = [];
  #blockSignatures = FIRST_BLOCK_SIGNATURES;
  #finished = 0;
  #resignAt = Number.POSITIVE_INFINITY;
  #records = 0;
  #signatures = 0;
  #reused = 0;

  constructor(input: StageInput) {
    this.#input = input;
    this.#keySigning = signersOf(input.keySigning);
    this.#zoneSigning = signersOf(input.zoneSigning);
    this.#header = new Uint8Array(rrsigHeaderOctets(input.zone));
    this.#fields = {
      typeCovered: 0,
      algorithm: 0,
      labels: 0,
      originalTtl: 0,
      expiration: 0,
      inception: 0,
      keyTag: 0,
      signer: input.zone,
    };
  }

  /** When the first RRset that was added leaves its slot, seconds since 1970; infinite where nothing is signed. */
  get resignAt(): number {
    return this.#resignAt;
  }

  /** Records handed on, RRSIGs counted. */
  get records(): number {
    return this.#records;
  }

  /** Signatures made, of what was handed on. */
  get signatures(): number {
    return this.#signatures;
  }

  /** Signatures that served again, of what was handed on. */
  get reused(): number {
    return this.#reused;
  }

  /** Whether so many blocks are under way that the eldest should be awaited: the first ones soon, for whoever waits for the zone to begin. */
  get hasReady(): boolean {
    return this.#blocks.length >= Math.min(this.#input.signer.window, 1 + this.#finished);
  }

  /** Whether blocks are under way. */
  get isBusy(): boolean {
    return this.#blocks.length > 0;
  }

  add(node: UnsignedNode, earlier: Earlier = NOTHING_EARLIER): void {
    const { kind, beside } = node;
    const { before, gone } = earlier;
    if (node instanceof SameNode && this.#serves(node.beside)) {
      this.#open.push({ node: node.beside, before, gone });
    } else {
      const candidates = beside === undefined ? earlier.candidates : [beside, ...earlier.candidates];
      // of a node that stayed the same with its denial record
      const all = node instanceof SameNode ? node.beside.rrsets.map(({ rrset }) => rrset) : node.rrsets;
      const rrsets = all.map((rrset) =>
        isSignedAt(kind, rrset.type)
          ? this.#ask(rrset, candidates)
          : { rrset, signers: NOBODY, reused: undefined },
      );
      this.#open.push({ node, rrsets, before, gone });
    }
    const { count, length } = this.#writer;
    if (count >= this.#blockSignatures || length >= BLOCK_OCTETS || this.#open.length >= BLOCK_NODES)
      this.submit();
  }

  /** Ends the block that is open. */
  submit(): void {
    if (this.#open.length === 0) return;
    const signed =
      this.#writer.count > 0 ? this.#input.signer.sign(this.#writer.take()) : Promise.resolve(EMPTY);
    signed.catch(() => undefined); // heard where the block is awaited
    this.#blocks.push({ nodes: this.#open, signed });
    this.#open = [];
    this.#blockSignatures = Math.min(2 * this.#blockSignatures, BLOCK_SIGNATURES);
  }

  /** The nodes of the eldest block, signed. */
  async finishEldest(): Promise<SignedStep[]> {
    const block = this.#blocks.shift();
    this.#finished++;
    if (block === undefined) throw new Error('no block is under way');
    const made = new SignedReader(await block.signed);
    return block.nodes.map((step) => {
      if (!('rrsets' in step)) {
        this.#countServed(step.node);
        return step;
      }
      const { node, rrsets, before, gone } = step;
      const { name, kind, hash, children } = node;
      const signed = rrsets.map((rrset) => this.#finish(rrset, made));
      return { node: { name, kind, hash, children, rrsets: signed }, before, gone };
    });
  }

  /** All nodes that were added and not handed on yet, signed. */
  async finishAll(): Promise<SignedNode[]> {
    const nodes: SignedNode[] = [];
    for (this.submit(); this.isBusy; ) for (const { node } of await this.finishEldest()) nodes.push(node);
    return nodes;
  }

  /** One RRset of the apex, signed at once. */
  async signOne(rrset: RRset): Promise<SignedRRset> {
    const pending = this.#ask(rrset, []);
    const made = this.#writer.count > 0 ? await this.#input.signer.sign(this.#writer.take()) : EMPTY;
    return this.#finish(pending, new SignedReader(made));
  }

  /** Waits for blocks nobody will read, so that no rejection goes unheard. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#blocks.splice(0).map((block) => block.signed));
  }

  /**
   * Whether the signatures of a node, none of which is over what the key set makes, are just those that its RRsets would be given now: an
   * RRSIG tells the slot that it is of. When its first one ends is noted then.
   */
  #serves({ kind, rrsets }: SignedNode): boolean {
    const { time, notBefore = 0 } = this.#input;
    const { validity, refresh, inceptionOffset } = this.#input.policy;
    let resignAt = this.#resignAt;
    for (const { rrset, signatures, prints } of rrsets) {
      if (!isSignedAt(kind, rrset.type)) {
        if (signatures.length > 0) return false;
        continue;
      }
      if (!samePrints(prints, this.#zoneSigning.prints)) return false;
      for (const rdata of signatures) {
        const expiration = expirationOf(rdata);
        const start = expiration - validity;
        const end = expiration - refresh;
        if (time < start || time >= end) return false;
        if (inceptionOf(rdata) !== Math.max(start, notBefore) - inceptionOffset) return false;
        if (end < resignAt) resignAt = end;
      }
    }
    this.#resignAt = resignAt;
    return true;
  }

  #countServed({ rrsets }: SignedNode): void {
    for (const { rrset, signatures } of rrsets) {
      this.#records += rrset.rdata.length + signatures.length;
      this.#reused += signatures.length;
    }
  }

  #ask(rrset: RRset, candidates: readonly SignedNode[]): PendingRRset {
    const { policy, time, zone, notBefore = 0 } = this.#input;
    const signers =
      isKeySetType(rrset.type) && rrset.owner.equals(zone) ? this.#keySigning : this.#zoneSigning;
    // an unsigned zone is in no slot
    if (signers.keys.length === 0) return { rrset, signers, reused: undefined };
    const slot = slotOf(rrset.owner, rrset.type, time, policy, notBefore);
    if (slot.end < this.#resignAt) this.#resignAt = slot.end;
    const alike = candidates.length === 0 ? NONE_ALIKE : alikeOf(candidates, rrset);
    const fields = this.#fields;
    fields.typeCovered = rrset.type;
    fields.labels = rrsigLabels(rrset.owner);
    fields.originalTtl = rrset.ttl;
    fields.expiration = slot.expiration;
    fields.inception = slot.inception;
    const reused = alike.length > 0 ? new Array<Uint8Array | undefined>(signers.keys.length) : undefined;
    let records: readonly Uint8Array[] | undefined;
    for (let i = 0; i < signers.keys.length; i++) {
      const key = signers.keys[i] as SignerKey;
      fields.algorithm = key.algorithm;
      fields.keyTag = key.keyTag;
      if (reused !== undefined) {
        writeRrsigHeader(this.#header, 0, fields);
        reused[i] = firstSignature(alike, this.#header, key.print);
        if (reused[i] !== undefined) continue;
      }
      records ??= canonicalRdatas(rrset.type, rrset.rdata);
      this.#write(key.handle, fields, rrset, records);
    }
    return { rrset, signers, reused };
  }

  /** Has a signature made over an RRset whose owner has the labels that the RRSIG counts: what RFC 4034 §3.1.8.1 says. */
  #write(
    handle: number,
    fields: RrsigFields,
    { owner, type, ttl }: RRset,
    records: readonly Uint8Array[],
  ): void {
    const header = rrsigHeaderOctets(fields.signer);
    const at = this.#writer.reserve(handle, header, header + signedRecordsOctets(owner.wire, records));
    const { octets } = this.#writer;
    writeSignedRecords(octets, writeRrsigHeader(octets, at, fields), owner.wire, type, ttl, records);
  }

  #finish({ rrset, signers, reused }: PendingRRset, made: SignedReader): SignedRRset {
    const { keys, prints } = signers;
    if (keys.length === 0) {
      this.#records += rrset.rdata.length;
      return { rrset, signatures: NO_SIGNATURES, prints };
    }
    const signatures = new Array<Uint8Array>(keys.length);
    for (let i = 0; i < keys.length; i++) {
      const again = reused?.[i];
      if (again === undefined) this.#signatures++;
      else this.#reused++;
      signatures[i] = again ?? made.next();
    }
    this.#records += rrset.rdata.length + signatures.length;
    return { rrset, signatures, prints };
  }
}

function isSignedAt(kind: SignedKind, type: number): boolean {
  return kind === 'nsec3' || isSigned(kind, type);
}

function samePrints(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** What candidates have of an RRset with just the same content. */
function alikeOf(candidates: readonly SignedNode[], rrset: RRset): readonly SignedRRset[] {
  let alike = NONE_ALIKE;
  for (const node of candidates) {
    const signed = findSigned(node, rrset.type);
    if (signed !== undefined && sameContent(signed.rrset, rrset))
      alike = alike === NONE_ALIKE ? [signed] : [...alike, signed];
  }
  return alike;
}

/** The RRSIG rdata that a key made with just this header over one of several equal RRsets, if there is one. */
function firstSignature(
  alike: readonly SignedRRset[],
  header: Uint8Array,
  print: number,
): Uint8Array | undefined {
  for (const signed of alike) {
    const rdata = signatureOf(signed, header, print);
    if (rdata !== undefined) return rdata;
  }
  return undefined;
}

/** The RRSIG rdata that a key made with just this header, if there is one. */
function signatureOf(
  { signatures, prints }: SignedRRset,
  header: Uint8Array,
  print: number,
): Uint8Array | undefined {
  for (let i = 0; i < signatures.length; i++) {
    const rdata = signatures[i] as Uint8Array;
    if (prints[i] === print && beginsWith(rdata, header)) return rdata;
  }
  return undefined;
}

function beginsWith(octets: Uint8Array, beginning: Uint8Array): boolean {
  for (let i = 0; i < beginning.length; i++) if (octets[i] !== beginning[i]) return false;
  return true;
}
