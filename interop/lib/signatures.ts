/** The signatures in a transfer: what each is over, when it holds, and its octets. */
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType, typeToText } from '../../src/dns/types.js';
import { parseRrsig } from '../../src/dnssec/rrsig.js';

export interface FoundSignature {
  /** Owner, type and key: what is signed again and again. */
  readonly line: string;
  /** That, what the RRset holds, and the period: for which there is to be one signature ever. */
  readonly slot: string;
  /** Seconds since 1970. */
  readonly inception: number;
  readonly expiration: number;
  readonly octets: string;
}

/** All signatures in the records of a zone. */
export function signaturesIn(records: readonly ResourceRecord[]): FoundSignature[] {
  const contents = new Map<string, string[]>();
  for (const { owner, type, ttl, rdata } of records) {
    if (type === RRType.RRSIG) continue;
    const key = `${owner.toLower()} ${type}`;
    const content = contents.get(key) ?? [];
    content.push(`${ttl} ${Buffer.from(rdata).toString('base64url')}`);
    contents.set(key, content);
  }
  return records
    .filter(({ type }) => type === RRType.RRSIG)
    .map(({ owner, rdata }) => {
      const { typeCovered, keyTag, inception, expiration } = parseRrsig(rdata);
      const line = `${owner.toLower()} ${typeToText(typeCovered)} ${keyTag}`;
      const content = (contents.get(`${owner.toLower()} ${typeCovered}`) ?? []).sort().join(' ');
      const octets = Buffer.from(rdata).toString('base64url');
      return { line, slot: `${line} ${inception} ${expiration} ${content}`, inception, expiration, octets };
    });
}
