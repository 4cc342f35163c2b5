import { createHash, type Hash } from 'node:crypto';
import { RRClass, RRType } from '../../dns/types.js';
import type { RecordSet } from './record-table.js';
import type { FaultList } from './report.js';
import type { VerifiedNode } from './verified-node.js';

const SIMPLE = 1;
const HASHES: ReadonlyMap<number, { readonly name: string; readonly octets: number }> = new Map([
  [1, { name: 'sha384', octets: 48 }],
  [2, { name: 'sha512', octets: 64 }],
]);
const SHORTEST_DIGEST = 12;
const BUFFER_OCTETS = 1 << 18;

interface Digest {
  readonly serial: number;
  readonly expected: Buffer;
  readonly hash: Hash;
  readonly hashName: string;
}

/** Judges the ZONEMD records at the apex (RFC 8976): takes every owner in canonical order and compares the digests. */
export class ZonemdCheck {
  readonly #faults: FaultList;
  readonly #digests: Digest[] = [];
  readonly #buffer = Buffer.alloc(BUFFER_OCTETS);
  #length = 0;

  constructor(faults: FaultList, apex: VerifiedNode, required: boolean) {
    this.#faults = faults;
    const set = apex.sets.get(RRType.ZONEMD);
    if (set === undefined) {
      if (required) faults.error('zonemd-missing', apex, RRType.ZONEMD, 'there is no ZONEMD record');
      return;
    }
    this.#readSet(apex, set);
    if (this.#digests.length > 0) return;
    const severity = required ? 'error' : 'warning';
    faults[severity](
      'zonemd-unsupported',
      apex,
      RRType.ZONEMD,
      'no digest has a scheme and algorithm that can be checked',
    );
  }

  add(node: VerifiedNode): void {
    if (this.#digests.length === 0) return;
    for (const set of node.sets.values()) {
      if (node.kind === 'apex' && set.type === RRType.ZONEMD) continue;
      for (const { ttl, rdata } of set.records) {
        const isOverZonemd = set.type === RRType.RRSIG && rdata[0] === 0 && rdata[1] === RRType.ZONEMD;
        if (node.kind === 'apex' && isOverZonemd) continue; // RFC 8976 §3.3.1
        this.#write(node.owner.wire, set.type, ttl, rdata);
      }
    }
  }

  /** @param serial that of the SOA */
  finish(apex: VerifiedNode, serial: number): void {
    this.#flush();
    for (const digest of this.#digests) {
      if (digest.serial !== serial) {
        const message = `the serial is ${digest.serial} instead of ${serial}`;
        this.#faults.error('zonemd-serial', apex, RRType.ZONEMD, message);
      }
      if (!digest.hash.digest().equals(digest.expected)) {
        const message = `the ${digest.hashName} digest is not that of the zone`;
        this.#faults.error('zonemd-digest', apex, RRType.ZONEMD, message);
      }
    }
  }

  #readSet(apex: VerifiedNode, set: RecordSet): void {
    const malformed = (message: string) =>
      this.#faults.error('zonemd-malformed', apex, RRType.ZONEMD, message);
    const seen = new Set<string>();
    for (const { rdata } of set.records) {
      const [scheme = 0, algorithm = 0] = rdata.subarray(4, 6);
      const kind = `scheme ${scheme} and algorithm ${algorithm}`;
      if (seen.has(kind)) malformed(`there is more than one digest of ${kind}`);
      seen.add(kind);
      const known = scheme === SIMPLE ? HASHES.get(algorithm) : undefined;
      const octets = rdata.length - 6;
      if (known === undefined ? octets < SHORTEST_DIGEST : octets !== known.octets) {
        malformed(`the digest of ${kind} has ${octets} octets`);
      } else if (known !== undefined) {
        const serial = new DataView(rdata.buffer, rdata.byteOffset).getUint32(0);
        const expected = Buffer.from(rdata.subarray(6));
        this.#digests.push({ serial, expected, hash: createHash(known.name), hashName: known.name });
      }
    }
  }

  #write(owner: Uint8Array, type: number, ttl: number, rdata: Uint8Array): void {
    if (this.#length + owner.length + 10 + rdata.length > BUFFER_OCTETS) this.#flush();
    const buffer = this.#buffer;
    buffer.set(owner, this.#length);
    let at = this.#length + owner.length;
    at = buffer.writeUInt16BE(type, at);
    at = buffer.writeUInt16BE(RRClass.IN, at);
    at = buffer.writeUInt32BE(ttl, at);
    at = buffer.writeUInt16BE(rdata.length, at);
    buffer.set(rdata, at);
    this.#length = at + rdata.length;
  }

  #flush(): void {
    for (const { hash } of this.#digests) hash.update(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }
}
