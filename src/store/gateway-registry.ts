import { ZonesealError } from '../errors.js';
import type { KnownFormats } from '../publication/formats.js';
import { followClock } from './clock-set-back.js';
import type { Database } from './database.js';

/** What a gateway says of itself to the others. */
export interface GatewayFacts extends KnownFormats {
  readonly name: string;
  readonly release: string;
  /** The newest migration that it knows. */
  readonly schemaLevel: number;
}

/** A gateway that gave a sign of life a moment ago. */
export interface RunningGatewayFacts extends GatewayFacts {
  /** ISO 8601, by the database's clock. */
  readonly startedAt: string;
  /** Its last sign of life. */
  readonly seenAt: string;
  readonly seenSeconds: number;
}

/** A gateway that gave no sign of life for so long counts as gone. */
export const GATEWAY_GONE_SECONDS = 30;
/** Rows of gateways that are gone are kept for so long, for those who look. */
const KEPT_SECONDS = 300;

const RUNNING = `
  select name, release, schema_level, format_version, page_format, started_at, seen_at,
    greatest(0, extract(epoch from clock_timestamp() - seen_at))::float8 as seen
  from zoneseal.gateways where seen_at > clock_timestamp() - interval '${GATEWAY_GONE_SECONDS} s'
  order by started_at, name`;

/** Peers that gateways were asking when they were killed: others ask at once, and need not wait until the claim runs out. */
const FREE_CLAIMS = `
  update zoneseal.peer_states s set claimed_by = null, claimed_until = null
  from (
    select c.zone_id, c.peer_id from zoneseal.peer_states c
    where c.claimed_by is not null and not exists (
      select from zoneseal.gateways g
      where g.name = c.claimed_by and g.seen_at > clock_timestamp() - interval '${GATEWAY_GONE_SECONDS} s')
    for update of c skip locked
  ) gone
  where s.zone_id = gone.zone_id and s.peer_id = gone.peer_id`;

/** Leases that gateways held when they were killed: what was begun under them others begin anew. */
const FREE_LEASES = `
  update zoneseal.leases l set expires_at = '-infinity'
  where l.expires_at > clock_timestamp() and exists (
    select from zoneseal.gateways g
    where g.name = l.holder and g.seen_at <= clock_timestamp() - interval '${GATEWAY_GONE_SECONDS} s')`;

interface Row {
  readonly name: string;
  readonly release: string;
  readonly schema_level: number;
  readonly format_version: number;
  readonly page_format: number;
  readonly started_at: Date;
  readonly seen_at: Date;
  readonly seen: number;
}

/** The gateways that run on a database, by its clock. */
export class GatewayRegistry {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** See followClock; before a sign of life is given, which hides that one came later. */
  followClock(): Promise<number> {
    return followClock(this.#database);
  }

  /** Gives a sign of life, and returns all gateways that run, this one included. */
  async announce(facts: GatewayFacts): Promise<RunningGatewayFacts[]> {
    const { name, release, schemaLevel, formatVersion, pageFormat } = facts;
    await this.#database.execute(
      `insert into zoneseal.gateways as g (name, release, schema_level, format_version, page_format)
         values ($1, $2, $3, $4, $5)
       on conflict (name) do update set seen_at = clock_timestamp()`,
      [name, release, schemaLevel, formatVersion, pageFormat],
    );
    await this.#database.execute(
      `delete from zoneseal.gateways where seen_at < clock_timestamp() - interval '${KEPT_SECONDS} s'`,
    );
    await this.#database.execute(FREE_CLAIMS);
    await this.#database.execute(FREE_LEASES);
    return this.list();
  }

  async list(): Promise<RunningGatewayFacts[]> {
    const rows = await this.#database.query<Row>(RUNNING);
    return rows.map((row) => ({
      name: row.name,
      release: row.release,
      schemaLevel: row.schema_level,
      formatVersion: row.format_version,
      pageFormat: row.page_format,
      startedAt: row.started_at.toISOString(),
      seenAt: row.seen_at.toISOString(),
      seenSeconds: row.seen,
    }));
  }

  /** A gateway that stops is not waited for. */
  async leave(name: string): Promise<void> {
    await this.#database.execute('delete from zoneseal.gateways where name = $1', [name]);
  }

  /** @throws ZonesealError DATABASE_NEWER where publications are served in a format that a gateway cannot read */
  async checkReadable({ formatVersion }: KnownFormats): Promise<void> {
    const [row] = await this.#database.query<{ newest: number | null }>(
      `select ready_format_version as newest from zoneseal.serial_lines
       where zone_id is not null and tried_format_version > $1 and ready_format_version > $1 limit 1`,
      [formatVersion],
    );
    if (row === undefined) return;
    const reason = `publications were made in format ${row.newest}, this release reads up to ${formatVersion}`;
    throw new ZonesealError('DATABASE_NEWER', `database: ${reason}; run the newer release`, {
      format: row.newest,
    });
  }
}
