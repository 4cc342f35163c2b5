import type { Queryable } from './database.js';

/** Tables that grow with use, by what they hold. */
const TABLES = {
  rows: ['rrsets'],
  history: ['rrset_history', 'rrset_births', 'changes'],
  pages: ['signed_pages'],
  journals: ['journal_parts'],
  publications: ['publications'],
} as const;

/** Octets that tables take with their indexes, what is deleted and not yet used again included. @throws ZonesealError */
export async function storedOctets(database: Queryable): Promise<Readonly<Record<string, number>>> {
  const kinds = Object.entries(TABLES).flatMap(([kind, tables]) => tables.map((table) => ({ kind, table })));
  const rows = await database.query<{ kind: string; octets: number }>(
    `select t.kind, sum(pg_total_relation_size(format('zoneseal.%I', t.name)::regclass))::bigint as octets
     from unnest($1::text[], $2::text[]) t (kind, name) group by t.kind`,
    [kinds.map(({ kind }) => kind), kinds.map(({ table }) => table)],
  );
  return Object.fromEntries(rows.map(({ kind, octets }) => [kind, octets]));
}
