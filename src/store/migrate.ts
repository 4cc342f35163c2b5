import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { ZonesealError } from '../errors.js';
import type { Database, Queryable } from './database.js';
import { GATEWAY_GONE_SECONDS } from './gateway-registry.js';

/** One step of the schema. */
export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
  /**
   * The migration that a gateway has to know, or a later one, to work with the schema after this one; null: this one. In the file as a
   * first line `-- compatible-from: 11`.
   */
  readonly compatibleFrom?: number | null;
}

/** What a run of migrations did. */
export interface MigrationResult {
  /** Names of those applied now, in order. */
  readonly applied: readonly string[];
  /** The newest migration that this release knows. */
  readonly version: number;
  /** Names of those that a newer release applied, and with which this one works. */
  readonly newer: readonly string[];
}

const COMPATIBLE_FROM = /^-- compatible-from: ([0-9]+)$/m;

/** Taken by every migration; any number no other program uses. */
const LOCK = 7_265_328_417;

/** The migrations of this release, in order. They lie beside this module in src/ and in dist/ alike. */
export async function readMigrations(): Promise<Migration[]> {
  const folder = new URL('./migrations/', import.meta.url);
  const files = (await readdir(folder)).filter((file) => /^[0-9]{3}-.+\.sql$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const sql = await readFile(new URL(file, folder), 'utf8');
      const checksum = createHash('sha256').update(sql).digest('hex');
      const from = COMPATIBLE_FROM.exec(sql)?.[1];
      const compatibleFrom = from === undefined ? null : Number(from);
      return { id: Number(file.slice(0, 3)), name: file.slice(0, -4), sql, checksum, compatibleFrom };
    }),
  );
}

/**
 * Brings the schema up to this release: each migration in a transaction of its own, under a lock, recorded with its
 * checksum. Needs no rights when there is nothing to do. A schema that a newer release has migrated will do where that says so.
 * @throws ZonesealError DATABASE_NEWER; MIGRATION_FAILED, also while a gateway runs that would not work afterwards
 */
export async function migrate(
  database: Database,
  migrations?: readonly Migration[],
): Promise<MigrationResult> {
  const known = migrations ?? (await readMigrations());
  const version = known.at(-1)?.id ?? 0;
  const applied: string[] = [];
  let done = (await isPrepared(database)) ? await readApplied(database, known) : NONE;
  for (const migration of known) {
    if (done.ids.has(migration.id)) continue;
    const now = await database.transaction(
      async (transaction) => {
        await transaction.query('select pg_advisory_xact_lock($1)', [LOCK]);
        await prepare(transaction);
        const before = await readApplied(transaction, known);
        if (!before.ids.has(migration.id)) {
          await refuseForGateways(transaction, migration);
          await apply(transaction, migration);
          applied.push(migration.name);
        }
        return before;
      },
      { statementTimeout: 0 },
    );
    done = { ...now, ids: new Set([...now.ids, migration.id]) };
  }
  if (applied.length > 0) await grantRoles(database);
  return { applied, version, newer: done.newer };
}

function isPrepared(database: Queryable): Promise<boolean> {
  return isTable(database, 'migrations');
}

async function isTable(database: Queryable, name: string): Promise<boolean> {
  // not to_regclass: after waiting for the lock it may still go by what was cached before
  const [row] = await database.query<{ there: boolean }>(
    `select exists (
       select from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'zoneseal' and c.relname = $1
     ) as there`,
    [name],
  );
  return row?.there === true;
}

async function prepare(transaction: Queryable): Promise<void> {
  if (await isPrepared(transaction)) return;
  const [row] = await transaction.query<{ number: number; encoding: string }>(
    "select current_setting('server_version_num')::int as number, pg_encoding_to_char(encoding) as encoding from pg_database where datname = current_database()",
  );
  if (row === undefined || row.number < 130_000) {
    throw new ZonesealError('MIGRATION_FAILED', 'database: PostgreSQL 13 or later is needed');
  }
  if (row.encoding !== 'UTF8') {
    const reason = `its encoding is ${row.encoding}; create it with: createdb --encoding UTF8 --template template0`;
    throw new ZonesealError('MIGRATION_FAILED', `database: ${reason}`);
  }
  await transaction.query('create schema if not exists zoneseal');
  await transaction.query(`create table zoneseal.migrations (
    id integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now()
  )`);
}

/** What was applied: ids, and names of those that this release does not know. */
interface Applied {
  readonly ids: ReadonlySet<number>;
  readonly newer: readonly string[];
}

const NONE: Applied = { ids: new Set(), newer: [] };

interface AppliedRow {
  readonly id: number;
  readonly name: string;
  readonly checksum: string;
  readonly compatible_from: number | null;
}

async function readApplied(database: Queryable, known: readonly Migration[]): Promise<Applied> {
  // by way of a document: the column came with a migration
  const rows = await database.query<AppliedRow>(
    `select id, name, checksum, (to_jsonb(m) ->> 'compatible_from')::int as compatible_from
     from zoneseal.migrations m order by id`,
  );
  const byId = new Map(known.map((migration) => [migration.id, migration]));
  const level = known.at(-1)?.id ?? 0;
  const newer: string[] = [];
  for (const { id, name, checksum, compatible_from: compatibleFrom } of rows) {
    const ours = byId.get(id);
    if (ours === undefined) {
      newer.push(name);
      if (compatibleFrom !== null && level >= compatibleFrom) continue;
      const reason = `it was migrated to ${name}, this release knows ${known.at(-1)?.name ?? 'none'}`;
      throw new ZonesealError('DATABASE_NEWER', `database: ${reason}; run the newer release`, {
        migration: name,
      });
    }
    if (ours.checksum !== checksum) {
      const reason = `migration ${name} was applied in another form than this release has`;
      throw new ZonesealError(
        'MIGRATION_FAILED',
        `database: ${reason}; restore the release that applied it`,
        { migration: name },
      );
    }
  }
  return { ids: new Set(rows.map((row) => row.id)), newer };
}

/** A step that takes away what older releases use waits until none of them runs. */
async function refuseForGateways(transaction: Queryable, migration: Migration): Promise<void> {
  if (!(await isTable(transaction, 'gateways'))) return;
  const { id, name, compatibleFrom } = migration;
  const [gateway] = await transaction.query<{ name: string; release: string }>(
    `select name, release from zoneseal.gateways
     where schema_level < $1 and seen_at > clock_timestamp() - interval '${GATEWAY_GONE_SECONDS} s'
     order by name limit 1`,
    [compatibleFrom ?? id],
  );
  if (gateway === undefined) return;
  const reason = `gateway ${gateway.name} of release ${gateway.release} runs and would not work with it`;
  const next = `stop the gateways of that release; one that is gone counts for ${GATEWAY_GONE_SECONDS} s`;
  throw new ZonesealError('MIGRATION_FAILED', `migration ${name}: ${reason}; ${next}`, { migration: name });
}

async function apply(transaction: Queryable, migration: Migration): Promise<void> {
  const { id, name, sql, checksum, compatibleFrom = null } = migration;
  try {
    // without parameters, so that a file may hold many statements
    await transaction.query(sql);
    await transaction.query('insert into zoneseal.migrations (id, name, checksum) values ($1, $2, $3)', [
      id,
      name,
      checksum,
    ]);
    if (compatibleFrom === null) return;
    await transaction.query('update zoneseal.migrations set compatible_from = $2 where id = $1', [
      id,
      compatibleFrom,
    ]);
  } catch (error) {
    const own = error as ZonesealError;
    if (own.fields['retriable'] === true) throw own;
    throw new ZonesealError('MIGRATION_FAILED', `migration ${name}: ${own.message}`, {
      ...own.fields,
      migration: name,
    });
  }
}

/**
 * Gives the roles zoneseal_writer, zoneseal_gateway, zoneseal_admin and zoneseal_reader, as far as they exist, their rights;
 * with `create` makes those that are missing (without LOGIN and password: grant them to users).
 */
export async function grantRoles(database: Database, create = false): Promise<void> {
  await database.transaction(async (transaction) => {
    // two at a time would change the same rights ("tuple concurrently updated")
    await transaction.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await transaction.query('select zoneseal.grant_roles($1)', [create]);
    await transaction.query('select zoneseal.grant_later_roles()');
    await transaction.query('select zoneseal.grant_peer_roles()');
    await transaction.query('select zoneseal.grant_operator_roles()');
    await transaction.query('select zoneseal.grant_recovery_roles()');
    await transaction.query('select zoneseal.grant_rollover_roles()');
    await transaction.query('select zoneseal.grant_parent_roles()');
    await transaction.query('select zoneseal.grant_secret_roles()');
    await transaction.query('select zoneseal.grant_deleted_key_roles()');
    await transaction.query('select zoneseal.grant_secret_id_roles()');
  });
}
