import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { ZonesealError } from '../errors.js';
import type { Batches } from '../zone/batches.js';
import type { ZoneRow } from '../zone/row.js';
import type { Transaction } from './database.js';
import { databaseError } from './database-errors.js';

const COLUMNS = 'zone_id, owner, type, ttl, data, views';

/** The text form of an array of texts (PostgreSQL 8.15.6). */
function arrayText(elements: readonly string[]): string {
  let text = '';
  for (const element of elements) {
    const escaped = /[\\"]/.test(element) ? element.replace(/[\\"]/g, '\\$&') : element;
    text += text === '' ? `{"${escaped}"` : `,"${escaped}"`;
  }
  return text === '' ? '{}' : `${text}}`;
}

/** Rows as arrays of one column each, for unnest. */
function columnsOf(rows: readonly ZoneRow[]): [string[], string[], number[], string[], (string | null)[]] {
  return [
    rows.map((row) => row.owner),
    rows.map((row) => row.type),
    rows.map((row) => row.ttl),
    rows.map((row) => arrayText(row.data)),
    rows.map((row) => (row.views === null ? null : arrayText(row.views))),
  ];
}

const UNNESTED =
  'unnest($2::text[], $3::text[], $4::int[], $5::text[], $6::text[]) as n (owner, type, ttl, data, views)';

/** Adds rows to a zone in one statement. @throws ZonesealError */
export async function insertRows(
  transaction: Transaction,
  zoneId: number,
  rows: readonly ZoneRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await transaction.execute(
    `insert into zoneseal.rrsets (${COLUMNS})
     select $1, n.owner, n.type, n.ttl, n.data::text[], n.views::text[] from ${UNNESTED}`,
    [zoneId, ...columnsOf(rows)],
  );
}

/** Gives rows, found by owner, type and views, the TTL and data they have here. @throws ZonesealError */
export async function updateRows(
  transaction: Transaction,
  zoneId: number,
  rows: readonly ZoneRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await transaction.execute(
    `update zoneseal.rrsets r set owner = n.owner, ttl = n.ttl, data = n.data::text[] from ${UNNESTED}
     where r.zone_id = $1 and r.sort_key = zoneseal.sort_key(n.owner) and r.type = n.type
       and coalesce(r.views, '{}') = coalesce(n.views::text[], '{}')`,
    [zoneId, ...columnsOf(rows)],
  );
}

/** Takes rows, found by owner, type and views, out of a zone. @throws ZonesealError */
export async function deleteRows(
  transaction: Transaction,
  zoneId: number,
  rows: readonly ZoneRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await transaction.execute(
    `delete from zoneseal.rrsets r using ${UNNESTED}
     where r.zone_id = $1 and r.sort_key = zoneseal.sort_key(n.owner) and r.type = n.type
       and coalesce(r.views, '{}') = coalesce(n.views::text[], '{}')`,
    [zoneId, ...columnsOf(rows)],
  );
}

/**
 * Adds many rows through COPY, which PGlite does not have.
 * @param onBatch called with the rows of each batch that is on its way
 * @throws ZonesealError
 */
export async function copyRows(
  transaction: Transaction,
  zoneId: number,
  batches: Batches<ZoneRow>,
  onBatch: (rows: number) => void,
): Promise<void> {
  const copy = copyFrom(`copy zoneseal.rrsets (${COLUMNS}) from stdin`);
  // else pg's limit for statements ends it
  const sink = transaction.client.query(Object.assign(copy, transaction.limit));
  try {
    await pipeline(Readable.from(copyLines(zoneId, batches, onBatch)), sink);
  } catch (error) {
    // what the source of the rows threw goes out as it is
    throw error instanceof ZonesealError ? error : databaseError(error);
  }
}

async function* copyLines(
  zoneId: number,
  batches: Batches<ZoneRow>,
  onBatch: (rows: number) => void,
): AsyncGenerator<string, void, undefined> {
  for await (const rows of batches) {
    let text = '';
    for (const { owner, type, ttl, data, views } of rows) {
      const [first] = data;
      // most rows are one record that is written as it is
      const array =
        data.length === 1 && first !== undefined && !ESCAPED.test(first)
          ? `{"${first}"}`
          : escapeCopy(arrayText(data));
      const seenBy = views === null ? '\\N' : arrayText(views);
      text += `${zoneId}\t${escapeCopy(owner)}\t${type}\t${ttl}\t${array}\t${seenBy}\n`;
    }
    yield text;
    onBatch(rows.length);
  }
}

/** What an array's text or a field of COPY's escapes. */
const ESCAPED = /[\\"\t\n\r]/;

/** A field of COPY's text format: backslashes doubled, separators escaped. */
function escapeCopy(text: string): string {
  if (!/[\\\t\n\r]/.test(text)) return text;
  const names: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
  return text.replace(/[\\\t\n\r]/g, (char) => names[char] as string);
}
