import { createHash } from 'node:crypto';
import { canonicalRdata } from '../../src/dns/rdata/index.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType } from '../../src/dns/types.js';

/** One line for each record, octet by octet, sorted: order in a transfer is free (RFC 5936 §2.2). */
export function recordLines(records: readonly ResourceRecord[]): string[] {
  return records
    .map(
      ({ owner, type, ttl, rdata }) => `${owner} ${type} ${ttl} ${Buffer.from(rdata).toString('base64url')}`,
    )
    .sort();
}

/** A digest over records, octet by octet, whatever their order. */
export function exactDigest(records: readonly ResourceRecord[]): string {
  return digestOf(recordLines(records));
}

/**
 * The same lines without regard to the case of names, which nameservers do not keep, nor to the TTL of NSEC3PARAM, for which
 * PowerDNS takes the SOA's minimum.
 */
export function canonicalLines(records: readonly ResourceRecord[]): string[] {
  return records
    .map(({ owner, type, ttl, rdata }) => {
      const octets = Buffer.from(canonicalRdata(type, rdata)).toString('base64url');
      return `${owner.toLower()} ${type} ${type === RRType.NSEC3PARAM ? '-' : ttl} ${octets}`;
    })
    .sort();
}

/** A digest over the canonical lines. */
export function canonicalDigest(records: readonly ResourceRecord[]): string {
  return digestOf(canonicalLines(records));
}

function digestOf(lines: readonly string[]): string {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line).update('\n');
  return hash.digest('hex');
}
