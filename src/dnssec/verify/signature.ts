import type { Name } from '../../dns/name.js';
import { Name as DomainName } from '../../dns/name.js';
import { RRClass } from '../../dns/types.js';
import type { RecordSet } from './record-table.js';

const FIXED_OCTETS = 18;

/** The fields of an RRSIG record (RFC 4034 §3.1); times are 32-bit serial numbers. */
export interface Signature {
  readonly typeCovered: number;
  readonly algorithm: number;
  readonly labels: number;
  readonly originalTtl: number;
  readonly expiration: number;
  readonly inception: number;
  readonly keyTag: number;
  readonly signer: Name;
  readonly signature: Uint8Array;
  /** Everything before the signature, signer in canonical form. */
  readonly header: Uint8Array;
  /** The TTL of the RRSIG record. */
  readonly ttl: number;
}

/** Reads canonical RRSIG rdata, which has to be well formed. */
export function readSignature(rdata: Uint8Array, ttl: number): Signature {
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.length);
  const signer = DomainName.readWire(rdata, FIXED_OCTETS);
  const end = FIXED_OCTETS + signer.wire.length;
  return {
    typeCovered: view.getUint16(0),
    algorithm: view.getUint8(2),
    labels: view.getUint8(3),
    originalTtl: view.getUint32(4),
    expiration: view.getUint32(8),
    inception: view.getUint32(12),
    keyTag: view.getUint16(16),
    signer,
    signature: rdata.subarray(end),
    header: rdata.subarray(0, end),
    ttl,
  };
}

/** What a signature signs (RFC 4034 §3.1.8.1); the owner is in lower case and not expanded from a wildcard. */
export function signedOctets(signature: Signature, owner: Name, set: RecordSet): Uint8Array {
  const { header } = signature;
  const fixed = owner.wire.length + 10;
  let length = header.length;
  for (const { rdata } of set.records) length += fixed + rdata.length;
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  out.set(header);
  let at = header.length;
  for (const { rdata } of set.records) {
    out.set(owner.wire, at);
    at += owner.wire.length;
    view.setUint16(at, set.type);
    view.setUint16(at + 2, RRClass.IN);
    view.setUint32(at + 4, signature.originalTtl);
    view.setUint16(at + 8, rdata.length);
    out.set(rdata, at + 10);
    at += 10 + rdata.length;
  }
  return out;
}
