/** A program that writes a zone's data with plain SQL, as any may. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { waitUntil } from './processes.js';
import type { Random } from './random.js';
import { type Change, faultyChange, randomChange, type Step } from './random-changes.js';
import { keyOf, randomZone, type StoredRow } from './random-zone.js';

const SAME_ROW = `zone_id = zoneseal.zone_id($1) and sort_key = zoneseal.sort_key($2) and type = $3
  and coalesce(views, '{}') = coalesce($4::text[], '{}')`;

/** How long a broken zone stays as it is, milliseconds: long enough for gateways to meet it. */
const FAULTY_MS = 400;

/** Writes random changes to one zone, one after the other, and knows what the zone then holds. */
export class RandomWriter {
  readonly zone: string;
  readonly #url: string;
  readonly #random: Random;
  #rows: ReadonlyMap<string, StoredRow>;
  #client: pg.Client | undefined;
  /** What was done, newest last. */
  readonly done: string[] = [];

  private constructor(url: string, zone: string, random: Random, rows: readonly StoredRow[]) {
    this.#url = url;
    this.zone = zone;
    this.#random = random;
    this.#rows = new Map(rows.map((row) => [keyOf(row), row]));
  }

  /** Fills a zone, which has to be there without rows. @param url of a user with the writer's role */
  static async fill(url: string, zone: string, random: Random, rows: number): Promise<RandomWriter> {
    const writer = new RandomWriter(url, zone, random, randomZone(random, zone, rows));
    const client = await writer.#connected();
    await client.query('begin');
    for (const row of writer.#rows.values()) await runStep(client, zone, { kind: 'insert', row });
    await client.query('commit');
    return writer;
  }

  /** The rows that are committed. */
  get rows(): StoredRow[] {
    return [...this.#rows.values()];
  }

  /**
   * One random transaction. Where it may be faulty, a few break the zone, and another one mends it: that gives a new serial with
   * the contents of before. Small ones leave the denial records of other names as they are.
   */
  async change({
    mayBeFaulty = false,
    isSmall = false,
  }: {
    readonly mayBeFaulty?: boolean;
    readonly isSmall?: boolean;
  } = {}): Promise<void> {
    const isFaulty = mayBeFaulty && this.#random.chance(4);
    const before = this.#rows;
    const change = isFaulty
      ? faultyChange(this.#random, this.zone, before)
      : randomChange(this.#random, this.zone, before, isSmall);
    await this.#write(change);
    if (!change.isFaulty) return;
    await sleep(FAULTY_MS);
    const steps = change.steps.map((step): Step => {
      if (step.kind !== 'insert') throw new Error('a fault is something inserted');
      return { kind: 'delete', row: step.row };
    });
    await this.#write({ what: 'mended', steps, after: before, isRolledBack: false, isFaulty: false });
  }

  /** Writes a given change. */
  async apply(what: string, steps: readonly Step[]): Promise<void> {
    const after = new Map(this.#rows);
    for (const step of steps) {
      if (step.kind === 'update') after.delete(keyOf(step.from));
      if (step.kind === 'delete') after.delete(keyOf(step.row));
      const added = step.kind === 'update' ? step.to : step.kind === 'insert' ? step.row : undefined;
      if (added !== undefined) after.set(keyOf(added), added);
    }
    await this.#write({ what, steps, after, isRolledBack: false, isFaulty: false });
  }

  /** The rows that the database holds, when it can be asked. */
  async stored(): Promise<StoredRow[]> {
    const client = await this.#connected();
    const { rows } = await client.query<StoredRow>(
      `select owner, type, ttl, data, views from zoneseal.rrsets
       where zone_id = zoneseal.zone_id($1) order by sort_key, type, views`,
      [this.zone],
    );
    return rows;
  }

  /** Goes on from what the database holds, whoever put it there. */
  async reload(): Promise<void> {
    await this.close();
    this.#rows = new Map((await this.stored()).map((row) => [keyOf(row), row]));
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => undefined);
    this.#client = undefined;
  }

  /** Until it is committed for certain, whatever happens to the database meanwhile. */
  async #write(change: Change): Promise<void> {
    await waitUntil(
      `a change of ${this.zone} could not be written: ${change.what}`,
      () => this.#attempt(change),
      120_000,
    );
    if (!change.isRolledBack) this.#rows = change.after;
    this.done.push(`${change.what}${change.isRolledBack ? ' (rolled back)' : ''}`);
  }

  async #attempt(change: Change): Promise<boolean> {
    let isSent = false;
    try {
      const client = await this.#connected();
      await client.query('begin');
      for (const step of change.steps) await runStep(client, this.zone, step);
      isSent = !change.isRolledBack;
      await client.query(change.isRolledBack ? 'rollback' : 'commit');
      return true;
    } catch (error) {
      await this.close();
      if (!isOutage(error)) throw error;
      return isSent && (await this.#wasCommitted(change));
    }
  }

  /** After a lost answer to COMMIT, only the rows tell. */
  async #wasCommitted({ after }: Change): Promise<boolean> {
    let stored: StoredRow[] | undefined;
    await waitUntil(
      'the database does not come back',
      async () => {
        stored = await this.stored().catch(() => undefined);
        return stored !== undefined;
      },
      120_000,
    );
    return contentOf(stored ?? []) === contentOf([...after.values()]);
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = new pg.Client({ connectionString: this.#url, connectionTimeoutMillis: 5000 });
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    this.#client = client;
    return client;
  }
}

/** Rows as one text, whatever their order. */
export function contentOf(rows: readonly StoredRow[]): string {
  return rows
    .map((row) => `${keyOf(row)} ${row.ttl} ${JSON.stringify(row.data)}`)
    .sort()
    .join('\n');
}

async function runStep(client: pg.Client, zone: string, step: Step): Promise<void> {
  const outcome = await client.query(...statementOf(zone, step));
  if (outcome.rowCount !== 1) throw new Error(`${step.kind} of ${outcome.rowCount} rows in ${zone}`);
}

function statementOf(zone: string, step: Step): [string, unknown[]] {
  if (step.kind === 'insert') {
    const { owner, type, ttl, data, views } = step.row;
    return [
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
       values (zoneseal.zone_id($1), $2, $3, $4, $5, $6)`,
      [zone, owner, type, ttl, data, views],
    ];
  }
  const { owner, type, views } = step.kind === 'delete' ? step.row : step.from;
  const key = [zone, owner, type, views];
  if (step.kind === 'delete') return [`delete from zoneseal.rrsets where ${SAME_ROW}`, key];
  const { to } = step;
  return [
    `update zoneseal.rrsets set ttl = $5, data = $6, views = $7 where ${SAME_ROW}`,
    [...key, to.ttl, to.data, to.views],
  ];
}

/** Connections that are cut, and servers that start or stop (SQLSTATE classes 08 and 57P). */
function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return (
    /^(08|57P|ECONN|EPIPE)/.test(code) || /terminated|Connection|not queryable|timeout/i.test(error.message)
  );
}
