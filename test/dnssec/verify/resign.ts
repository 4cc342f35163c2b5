import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { formatRecord } from '../../../src/dns/master-writer.js';
import { Name } from '../../../src/dns/name.js';
import { canonicalRdata, compareOctets } from '../../../src/dns/rdata/index.js';
import { RRType } from '../../../src/dns/types.js';
import type { VerifiableRecord } from '../../../src/dnssec/verify/index.js';
import { APEX, readRecords, VECTOR_NOW } from './vectors.js';

/** A signing key of a test, made anew; Ed25519 and P-256 only. */
export interface TestKey {
  readonly rdata: Uint8Array;
  readonly algorithm: number;
  readonly tag: number;
  readonly privateKey: KeyObject;
}

/** The fields of a signature before it is made. */
export interface SignatureFields {
  typeCovered: number;
  algorithm: number;
  labels: number;
  originalTtl: number;
  expiration: number;
  inception: number;
  keyTag: number;
  signer: Name;
  /** Of the RRSIG record. */
  ttl: number;
}

export interface ResignOptions {
  readonly keys?: readonly TestKey[];
  /** Which keys sign an RRset; all of them where it is left out. */
  readonly signers?: (owner: Name, type: number, keys: readonly TestKey[]) => readonly TestKey[];
  /** Changes the fields of a signature. */
  readonly fields?: (fields: SignatureFields, owner: Name, now: number) => void;
  /** When signatures are valid, from a day before to 30 after; VECTOR_NOW where it is left out. */
  readonly now?: number;
  /** RRsets that are to be signed besides those that were, as `owner/type`. */
  readonly also?: readonly string[];
}

/** Makes a key; the flags are those of a CSK where they are left out. */
export function makeKey(algorithm: 13 | 15 = 15, flags = 257): TestKey {
  const { privateKey, publicKey } =
    algorithm === 15 ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const octets = Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const rdata = Uint8Array.from([flags >> 8, flags & 255, 3, algorithm, ...octets]);
  return { rdata, algorithm, tag: tagOf(rdata), privateKey };
}

/** RFC 4034 Appendix B. */
function tagOf(rdata: Uint8Array): number {
  const sum = rdata.reduce((total, octet, i) => total + (i % 2 === 0 ? octet * 256 : octet), 0);
  return (sum + Math.floor(sum / 65_536)) % 65_536;
}

export const keyOf = (record: VerifiableRecord) => `${record.owner.key}/${record.type}`;
export const covered = (record: VerifiableRecord) => ((record.rdata[0] ?? 0) << 8) | (record.rdata[1] ?? 0);

/** Records from master-file text, the origin being the apex. */
export const records = (text: string): Promise<VerifiableRecord[]> =>
  readRecords(`$TTL 3600\n${text}\n`, 'test');

/** One line a record, for messages and comparisons. */
export const show = (record: VerifiableRecord) =>
  formatRecord(record.owner, record.ttl, record.type, record.rdata).replaceAll('\t', ' ');

/** Drops keys and signatures and signs again what had one, so that nothing but what a test changed is wrong. */
export function resign(zone: readonly VerifiableRecord[], options: ResignOptions = {}): VerifiableRecord[] {
  const keys = options.keys ?? [makeKey()];
  const signed = new Set(
    zone.filter((r) => r.type === RRType.RRSIG).map((r) => `${r.owner.key}/${covered(r)}`),
  );
  for (const more of options.also ?? [])
    signed.add(`${Name.parse(more.split('/')[0] ?? '', APEX).key}/${more.split('/')[1]}`);
  const out: VerifiableRecord[] = zone.filter((r) => r.type !== RRType.RRSIG && r.type !== RRType.DNSKEY);
  for (const { rdata } of keys) out.push({ owner: APEX, type: RRType.DNSKEY, ttl: 3600, rdata });
  const sets = new Map<string, VerifiableRecord[]>();
  for (const record of out) sets.set(keyOf(record), [...(sets.get(keyOf(record)) ?? []), record]);
  for (const [key, set] of sets) {
    const first = set[0] as VerifiableRecord;
    if (!signed.has(key)) continue;
    for (const signer of options.signers?.(first.owner, first.type, keys) ?? keys) {
      out.push(makeSignature(set, signer, options));
    }
  }
  return out;
}

function makeSignature(
  set: readonly VerifiableRecord[],
  key: TestKey,
  { fields: change, now = VECTOR_NOW }: ResignOptions,
): VerifiableRecord {
  const { owner, type, ttl } = set[0] as VerifiableRecord;
  const fields: SignatureFields = {
    typeCovered: type,
    algorithm: key.algorithm,
    labels: owner.labelCount - (owner.isWildcard ? 1 : 0),
    originalTtl: ttl,
    expiration: now + 30 * 86_400,
    inception: now - 86_400,
    keyTag: key.tag,
    signer: APEX,
    ttl,
  };
  change?.(fields, owner, now);
  const header = Buffer.alloc(18);
  header.writeUInt16BE(fields.typeCovered, 0);
  header.writeUInt8(fields.algorithm, 2);
  header.writeUInt8(fields.labels, 3);
  header.writeUInt32BE(fields.originalTtl, 4);
  header.writeUInt32BE(fields.expiration % 2 ** 32, 8);
  header.writeUInt32BE(fields.inception % 2 ** 32, 12);
  header.writeUInt16BE(fields.keyTag, 16);
  const data = [header, fields.signer.wire];
  const sorted = set.map((r) => canonicalRdata(r.type, r.rdata)).sort(compareOctets);
  const unique = sorted.filter(
    (rdata, i) => i === 0 || compareOctets(rdata, sorted[i - 1] as Uint8Array) !== 0,
  );
  for (const rdata of unique) {
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(type, 0);
    fixed.writeUInt16BE(1, 2);
    fixed.writeUInt32BE(fields.originalTtl, 4);
    fixed.writeUInt16BE(rdata.length, 8);
    data.push(owner.toLower().wire, fixed, rdata);
  }
  const hash = key.algorithm === 15 ? null : 'sha256';
  const signature = sign(hash, Buffer.concat(data), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  const rdata = Uint8Array.from(Buffer.concat([header, fields.signer.wire, signature]));
  return { owner, type: RRType.RRSIG, ttl: fields.ttl, rdata };
}
