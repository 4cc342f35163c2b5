import { refuseUnsafe } from '../keys/policy-fit.js';
import type { Batches } from '../zone/batches.js';
import type { ZoneProblem } from '../zone/problem.js';
import type { ZoneRow } from '../zone/row.js';
import { type ChangeCounts, diffRows } from '../zone/row-diff.js';
import type { Database, Transaction } from './database.js';
import { alreadyHeld, findZone, type HeldZone, notHeld } from './held.js';
import { copyRows, deleteRows, insertRows, updateRows } from './row-writer.js';
import { insertZone, judgeZone, settleZone, type ZoneSettings } from './zone-store.js';

/** Which rows go where in an import. */
export interface ImportOptions {
  readonly zone: string;
  /** The views that the rows are tagged for, null for all: rows of other tags stay as they are. */
  readonly tag: readonly string[] | null;
  /** The zone's rows, all with this tag, in canonical order. */
  readonly rows: Batches<ZoneRow>;
  /** Put them in place of those there are; without it, none may be there. */
  readonly replace?: boolean;
  /** Where the zone is not there: create it so. Left out: it has to be there. */
  readonly create?: ZoneSettings;
  /** Where the zone is there: sign it by this policy and serve it in these views too, or change nothing at all. */
  readonly settle?: ZoneSettings;
  /** Find out what would change, and change nothing. */
  readonly dryRun?: boolean;
  /** Called with the number of rows worked on so far. */
  readonly onProgress?: (rows: number) => void;
}

/** What an import did, or, for a dry run, would do. */
export interface ImportResult extends ChangeCounts {
  readonly zoneId: string;
  /** Whether the zone was created. */
  readonly created: boolean;
  /** The zone's version afterwards. */
  readonly version: number;
  /** What is doubtful about its policy for what it has now. */
  readonly warnings: readonly ZoneProblem[];
}

/** Rows written at a time where they are not copied. */
const BATCH_ROWS = 2000;

/** Thrown to end the transaction of a dry run. */
class DryRun extends Error {
  readonly result: ImportResult;

  constructor(result: ImportResult) {
    super('dry run');
    this.result = result;
  }
}

/**
 * Puts rows into a zone in one transaction, so that any error changes nothing. Rows that stay the same are not touched.
 * @throws ZonesealError ALREADY_HELD, NOT_HELD, DATA_REFUSED; POLICY_INVALID where the zone's policy is unsafe for them; and whatever the source of the rows throws
 */
export async function importZone(database: Database, options: ImportOptions): Promise<ImportResult> {
  try {
    return await database.transaction(
      async (transaction) => {
        const result = await importInto(transaction, database.embedded, options);
        if (options.dryRun === true) throw new DryRun(result);
        return result;
      },
      // the rows can be read once only
      { statementTimeout: 0, attempts: 1 },
    );
  } catch (error) {
    if (error instanceof DryRun) return error.result;
    throw error;
  }
}

async function importInto(
  transaction: Transaction,
  embedded: boolean,
  options: ImportOptions,
): Promise<ImportResult> {
  const { zone, created } = await takeZone(transaction, options);
  const { tag } = options;
  const [there] = await transaction.query(
    `select id from zoneseal.rrsets where zone_id = $1 and ${taggedFor(tag)} limit 1`,
    [zone.id],
  );
  let counts: ChangeCounts;
  if (there === undefined) {
    counts = await addAll(transaction, zone.id, embedded, options);
  } else {
    if (options.replace !== true) {
      const what = tag === null ? 'zone with data for all views' : `zone with data for ${tag.join(', ')}`;
      throw alreadyHeld(what, zone.name, 'add --replace to put this in its place');
    }
    counts = await replaceRows(transaction, zone.id, options);
  }
  const { version, policy } = await findZone(transaction, zone.name);
  const warnings = await judgeZone(transaction, zone.id);
  refuseUnsafe(policy, warnings);
  return { ...counts, zoneId: String(zone.id), created, version, warnings };
}

async function takeZone(
  transaction: Transaction,
  { zone: name, create, settle }: ImportOptions,
): Promise<{ zone: HeldZone; created: boolean }> {
  const [held] = await transaction.query(
    'select id from zoneseal.zones where sort_key = zoneseal.sort_key($1)',
    [name],
  );
  if (held !== undefined) {
    const zone = await findZone(transaction, name, 'write');
    if (settle !== undefined) await settleZone(transaction, zone.id, settle);
    return { zone, created: false };
  }
  if (create === undefined) throw notHeld('zone', name, 'see: zoneseal zone list');
  return { zone: await insertZone(transaction, name, create), created: true };
}

async function addAll(
  transaction: Transaction,
  zoneId: number,
  embedded: boolean,
  { rows, onProgress }: ImportOptions,
): Promise<ChangeCounts> {
  let added = 0;
  const onBatch = (count: number): void => {
    added += count;
    onProgress?.(added);
  };
  if (embedded) {
    for await (const batch of rows) {
      await insertRows(transaction, zoneId, batch);
      onBatch(batch.length);
    }
  } else {
    await copyRows(transaction, zoneId, rows, onBatch);
  }
  return { added, removed: 0, changed: 0, unchanged: 0 };
}

async function replaceRows(
  transaction: Transaction,
  zoneId: number,
  { tag, rows, onProgress }: ImportOptions,
): Promise<ChangeCounts> {
  let seen = 0;
  const counted = async function* (): AsyncGenerator<readonly ZoneRow[], void, undefined> {
    for await (const batch of rows) {
      yield batch;
      seen += batch.length;
      onProgress?.(seen);
    }
  };
  const added: ZoneRow[] = [];
  const removed: ZoneRow[] = [];
  const changed: ZoneRow[] = [];
  const counts = { added: 0, removed: 0, changed: 0 };
  // removed rows first: one that is written otherwise may come back under the same key
  const write = async (): Promise<void> => {
    await deleteRows(transaction, zoneId, removed.splice(0));
    await updateRows(transaction, zoneId, changed.splice(0));
    await insertRows(transaction, zoneId, added.splice(0));
  };
  const changes = diffRows(presentRows(transaction, zoneId, tag), counted());
  for (;;) {
    const step = await changes.next();
    if (step.done === true) {
      await write();
      return { ...counts, unchanged: step.value };
    }
    const change = step.value;
    counts[change.kind]++;
    if (change.kind === 'removed') removed.push(change.before);
    else if (change.kind === 'added') added.push(change.after);
    // a type can be written in two ways, views in any order; the row there is found by how they are written in it
    else if (change.before.type === change.after.type)
      changed.push({ ...change.after, views: change.before.views });
    else {
      removed.push(change.before);
      added.push(change.after);
    }
    if (added.length + removed.length + changed.length >= BATCH_ROWS) await write();
  }
}

/** The rows of one tag as they were before the import, through a cursor of the transaction itself. */
async function* presentRows(
  transaction: Transaction,
  zoneId: number,
  tag: ImportOptions['tag'],
): AsyncGenerator<readonly ZoneRow[], void, undefined> {
  await transaction.query(
    `declare present_rows insensitive no scroll cursor for
       select owner, sort_key as "sortKey", type, ttl, data, views from zoneseal.rrsets
       where zone_id = ${zoneId} and ${taggedFor(tag)}
       order by sort_key, type`,
  );
  for (;;) {
    const rows = await transaction.query<ZoneRow>(`fetch ${BATCH_ROWS} from present_rows`);
    if (rows.length === 0) break;
    yield rows;
  }
  await transaction.query('close present_rows');
}

/** The condition on rows of a tag, whatever the order of the views in it. */
function taggedFor(tag: ImportOptions['tag']): string {
  if (tag === null) return 'views is null';
  const views = `array[${tag.map(quoteText).join(',')}]::text[]`;
  return `(views @> ${views} and views <@ ${views})`;
}

/** A text as SQL has it; DECLARE takes no parameters. */
function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
