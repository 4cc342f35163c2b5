import { createHash } from 'node:crypto';

/** A hash as a string of its octets, one character each, whose order is that of the octets. */
export type HashText = string;

const BASE32HEX = '0123456789abcdefghijklmnopqrstuv';
const SHA1_OCTETS = 20;

/** What NSEC3 and NSEC3PARAM records begin with (RFC 5155 §3.2, §4.2). */
export interface Nsec3Parameters {
  readonly algorithm: number;
  readonly flags: number;
  readonly iterations: number;
  readonly salt: Uint8Array;
}

/** An NSEC3 record, read. */
export interface Nsec3Record extends Nsec3Parameters {
  readonly next: HashText;
  readonly bitmap: Uint8Array;
}

/** Reads the beginning of well-formed rdata of either type. */
export function readParameters(rdata: Uint8Array): Nsec3Parameters {
  return {
    algorithm: rdata[0] ?? 0,
    flags: rdata[1] ?? 0,
    iterations: ((rdata[2] ?? 0) << 8) | (rdata[3] ?? 0),
    salt: rdata.subarray(5, 5 + (rdata[4] ?? 0)),
  };
}

/** Reads well-formed NSEC3 rdata (RFC 5155 §3.2). */
export function readNsec3(rdata: Uint8Array): Nsec3Record {
  const parameters = readParameters(rdata);
  const at = 5 + parameters.salt.length;
  const end = at + 1 + (rdata[at] ?? 0);
  return {
    ...parameters,
    next: Buffer.from(rdata.subarray(at + 1, end)).toString('latin1'),
    bitmap: rdata.subarray(end),
  };
}

/** Whether two records are of one chain; flags do not matter. */
export function sameChain(a: Nsec3Parameters, b: Nsec3Parameters): boolean {
  return a.algorithm === b.algorithm && a.iterations === b.iterations && Buffer.compare(a.salt, b.salt) === 0;
}

/** The hash of a name in canonical wire form (RFC 5155 §5); the algorithm is SHA-1, the only one there is. */
export function hashOf(wire: Uint8Array, { iterations, salt }: Nsec3Parameters): HashText {
  let digest = createHash('sha1').update(wire).update(salt).digest();
  for (let i = 0; i < iterations; i++) digest = createHash('sha1').update(digest).update(salt).digest();
  return digest.toString('latin1');
}

/** The hash that a label in lower case stands for (RFC 4648 §7); undefined when it stands for none of SHA-1. */
export function hashOfLabel(label: Uint8Array): HashText | undefined {
  if (label.length !== (SHA1_OCTETS * 8) / 5) return undefined;
  let text = '';
  let bits = 0;
  let count = 0;
  for (const octet of label) {
    const value = BASE32HEX.indexOf(String.fromCharCode(octet));
    if (value < 0) return undefined;
    bits = ((bits << 5) | value) & 0xfff;
    count += 5;
    if (count >= 8) {
      count -= 8;
      text += String.fromCharCode((bits >>> count) & 0xff);
    }
  }
  return text;
}

/** A hash as the label it makes, for messages. */
export function labelOfHash(hash: HashText): string {
  let text = '';
  let bits = 0;
  let count = 0;
  for (let i = 0; i < hash.length; i++) {
    bits = ((bits << 8) | hash.charCodeAt(i)) & 0xfff;
    for (count += 8; count >= 5; count -= 5) text += BASE32HEX[(bits >>> (count - 5)) & 31];
  }
  return count > 0 ? text + BASE32HEX[(bits << (5 - count)) & 31] : text;
}
