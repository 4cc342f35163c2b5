import type { Lab } from './lab.js';
import { type Row, row } from './rows.js';

/** What the signed pages of one cold publication take on disk, octets. */
export interface StoreSize {
  readonly signatures: number;
  /** The tables with their indexes and what is stored beside them (TOAST). */
  readonly total: number;
  /** All that the pages hold. */
  readonly content: number;
  /** Of it the signatures: what makes an RRSIG out of the RRset before it. */
  readonly signatureContent: number;
  readonly pages: number;
}

/** Octets of a P-256 signature, and in a page before it: key 1, inception 4, expiration 4, length 2 (src/signing/page-codec.ts). */
const SIGNATURE_OCTETS = 64 + 11;

/** Measures the tables that keep signed pages, in a database in which one zone was published once. */
export async function measureStore(lab: Lab, database: string): Promise<StoreSize> {
  // rows that are not seen any more are none of it, and nothing is still to be written
  lab.postgres.psql('vacuum zoneseal.signed_pages, zoneseal.signed_generations', database);
  const [signatures = 0, total = 0, content = 0, pages = 0] = lab.postgres
    .psql(
      `select (select sum(signatures) from zoneseal.publications where state = 'ready'),
         pg_total_relation_size('zoneseal.signed_pages') + pg_total_relation_size('zoneseal.signed_generations'),
         sum(octet_length(content)), count(*) from zoneseal.signed_pages where until is null`,
      database,
    )
    .trim()
    .split('|')
    .map(Number);
  return { signatures, total, content, signatureContent: signatures * SIGNATURE_OCTETS, pages };
}

/** What a signature takes: all that is on disk but the records that pages hold beside signatures, indexes and slack wholly counted as theirs. */
export function storeRows({ signatures, total, content, signatureContent, pages }: StoreSize): Row[] {
  const records = content - signatureContent;
  const each = (octets: number): number => octets / signatures;
  return [
    {
      ...row('signature store, a P-256 signature on disk, indexes included', each(total - records), 'octets'),
      aim: 'store',
      note: `pages hold signed records whole: ${each(total).toFixed(0)} octets in all, of which ${each(records).toFixed(0)} are the records that are signed (names, types, data, NSEC) and not counted here, ${each(signatureContent).toFixed(0)} the signature with its times, ${each(total - content).toFixed(0)} indexes and what PostgreSQL adds`,
    },
    row('signature store, tables with indexes, records included, a signature', each(total), 'octets'),
    row('signature store, records in the pages, a signature', each(records), 'octets'),
    row('signature store, signatures a page', signatures / pages, 'signatures'),
  ];
}
