import { ZonesealError } from '../errors.js';
import { type Policy, parsePolicy } from '../keys/policy.js';
import { unsafeTimes } from '../keys/policy-arithmetic.js';
import { judgePolicy, refuseUnsafe, type ZoneTimes } from '../keys/policy-fit.js';
import { refuseSettings } from '../keys/policy-settings.js';
import type { ZoneProblem } from '../zone/problem.js';
import type { Database, Queryable } from './database.js';
import { alreadyHeld, breaks, findZone, type HeldZone, notHeld } from './held.js';
import { describeLines, type LineDescription } from './zone-description.js';
import { MOST_JUDGED, timesByPolicy, timesOfZone } from './zone-times.js';

/** A zone as it is listed. */
export interface ZoneSummary {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly policy: string;
  readonly keySetVersion: number;
  /** The version at which it is frozen, and since when (ISO 8601); null: it is not. */
  readonly frozenVersion: number | null;
  readonly frozenAt: string | null;
  readonly views: readonly LineDescription[];
}

/** A zone as it is shown. */
export interface ZoneDescription extends ZoneSummary {
  /** Rows of rrsets: each one RRset as some views see it. */
  readonly rrsets: number;
  /** When its data were last changed, ISO 8601; null when never. */
  readonly writtenAt: string | null;
}

interface SummaryRow extends HeldZone {
  readonly key_set_version: number;
  readonly frozen_version: number | null;
  readonly frozen_at: Date | null;
}

/** A policy as it is stored. */
export interface PolicyDescription {
  readonly name: string;
  readonly version: number;
  /** As it is stored, defaults left out. */
  readonly document: unknown;
  readonly zones: number;
}

/** A view, and how many zones are served in it. */
export interface ViewDescription {
  readonly name: string;
  readonly zones: number;
}

/** How a zone is signed, and where it is served. */
export interface ZoneSettings {
  readonly policy?: string;
  readonly views?: readonly string[];
}

/** Zones, views and policies, as the command line keeps them. */
export class ZoneStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws ZonesealError ALREADY_HELD; NOT_HELD where the policy or a view is not there */
  createZone(name: string, options: ZoneSettings = {}): Promise<HeldZone> {
    return this.#database.transaction((transaction) => insertZone(transaction, name, options));
  }

  /** Removes a zone with all it has; its serial lines stay. @throws ZonesealError NOT_HELD */
  async deleteZone(name: string): Promise<void> {
    await this.#database.transaction(
      async (transaction) => {
        const zone = await findZone(transaction, name, 'delete');
        await transaction.execute('delete from zoneseal.zones where id = $1', [zone.id]);
      },
      { statementTimeout: 0 },
    );
  }

  /** @throws ZonesealError NOT_HELD */
  findZone(name: string): Promise<HeldZone> {
    return findZone(this.#database, name);
  }

  /** All zones in canonical order, with where their publications stand. */
  async listZones(): Promise<ZoneSummary[]> {
    return this.#summaries('', []);
  }

  /** @throws ZonesealError NOT_HELD */
  async showZone(name: string): Promise<ZoneDescription> {
    const { id } = await findZone(this.#database, name);
    const [summary] = await this.#summaries('where z.id = $1', [id]);
    const [row] = await this.#database.query<{ rrsets: number; written_at: Date | null }>(
      `select (select count(*) from zoneseal.rrsets where zone_id = z.id) as rrsets, z.written_at
       from zoneseal.zones z where z.id = $1`,
      [id],
    );
    if (summary === undefined || row === undefined) throw notHeld('zone', name, 'it was deleted just now');
    return { ...summary, rrsets: row.rrsets, writtenAt: row.written_at?.toISOString() ?? null };
  }

  async #summaries(where: string, values: readonly unknown[]): Promise<ZoneSummary[]> {
    const zones = await this.#database.query<SummaryRow>(
      `select z.id, z.name, z.version, z.policy, z.key_set_version, z.frozen_version, z.frozen_at from zoneseal.zones z ${where} order by z.sort_key`,
      values,
    );
    const lines = await describeLines(this.#database, where, values);
    return zones.map((zone) => ({
      id: String(zone.id),
      name: zone.name,
      version: zone.version,
      policy: zone.policy,
      keySetVersion: zone.key_set_version,
      frozenVersion: zone.frozen_version,
      frozenAt: zone.frozen_at?.toISOString() ?? null,
      views: lines.get(zone.id) ?? [],
    }));
  }

  /** @throws ZonesealError ALREADY_HELD, DATA_REFUSED where it is no name for a view */
  async addView(name: string): Promise<void> {
    try {
      await this.#database.execute('insert into zoneseal.views (name) values ($1)', [name]);
    } catch (error) {
      if (breaks(error, 'views_pkey')) throw alreadyHeld('view', name, 'see: zoneseal view list');
      throw error;
    }
  }

  listViews(): Promise<ViewDescription[]> {
    return this.#database.query<ViewDescription>(
      `select v.name, (select count(*) from zoneseal.zone_views w where w.view = v.name) as zones
       from zoneseal.views v order by v.name`,
    );
  }

  /** Serves a zone in a view. @returns false when it is already @throws ZonesealError NOT_HELD */
  assignView(zone: string, view: string): Promise<boolean> {
    return this.#database.transaction(async (transaction) => {
      const { id } = await findZone(transaction, zone, 'write');
      return assign(transaction, id, view);
    });
  }

  /** Serves a zone in a view no more. @returns false when it was not @throws ZonesealError NOT_HELD */
  unassignView(zone: string, view: string): Promise<boolean> {
    return this.#database.transaction(
      async (transaction) => {
        const { id } = await findZone(transaction, zone, 'write');
        const removed = await transaction.execute(
          'delete from zoneseal.zone_views where zone_id = $1 and view = $2',
          [id, view],
        );
        return removed > 0;
      },
      // the signed pages go with it
      { statementTimeout: 0 },
    );
  }

  /**
   * Creates a policy or changes its document, unless that is unsafe for a zone that is signed by it.
   * @returns its version, which grows only when the document changes
   * @throws ZonesealError POLICY_INVALID
   */
  async setPolicy(name: string, document: Readonly<Record<string, unknown>>): Promise<number> {
    return this.#database.transaction(async (transaction) => {
      const policy = parsePolicy(name, document);
      const views = await transaction.query<{ name: string }>('select name from zoneseal.views');
      refuseSettings(
        name,
        policy,
        views.map((view) => view.name),
      );
      const [row] = await transaction.query<{ version: number }>(
        `insert into zoneseal.policies as p (name, document) values ($1, $2)
         on conflict (name) do update set document = excluded.document returning version`,
        [name, JSON.stringify(document)],
      );
      refuseUnsafe(name, (await judgeByPolicy(transaction, name, policy)).problems);
      return row?.version ?? 0;
    });
  }

  /** What is unsafe or doubtful about the policy of a zone, by the zone's data. @throws ZonesealError NOT_HELD, POLICY_INVALID */
  async judgePolicyOf(zone: string): Promise<ZoneProblem[]> {
    return judgeStored(this.#database, (await findZone(this.#database, zone)).id);
  }

  /**
   * What is unsafe or doubtful about a policy for the zones that are signed by it.
   * @returns also whether these are all of them: no more than some are looked at
   * @throws ZonesealError NOT_HELD, POLICY_INVALID
   */
  async judgePolicy(name: string): Promise<{ problems: ZoneProblem[]; areAll: boolean }> {
    const { document } = await this.showPolicy(name);
    return judgeByPolicy(this.#database, name, parsePolicy(name, document));
  }

  /** @throws ZonesealError NOT_HELD */
  async showPolicy(name: string): Promise<PolicyDescription> {
    const policy = (await this.listPolicies()).find((it) => it.name === name);
    if (policy === undefined) throw notHeld('policy', name, 'create it with: zoneseal policy set');
    return policy;
  }

  listPolicies(): Promise<PolicyDescription[]> {
    return this.#database.query<PolicyDescription>(
      `select p.name, p.version, p.document, (select count(*) from zoneseal.zones z where z.policy = p.name) as zones
       from zoneseal.policies p order by p.name`,
    );
  }

  /** Signs a zone by another policy. @throws ZonesealError NOT_HELD; POLICY_INVALID where that is unsafe for it */
  async assignPolicy(zone: string, policy: string): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const { id } = await findZone(transaction, zone, 'write');
      await settleZone(transaction, id, { policy });
      refuseUnsafe(policy, await judgeZone(transaction, id));
    });
  }
}

/** Signs a zone by a policy and serves it in more views, in a transaction; what is left out stays. @throws ZonesealError NOT_HELD */
export async function settleZone(
  transaction: Queryable,
  zoneId: number,
  { policy, views = [] }: ZoneSettings,
): Promise<void> {
  if (policy !== undefined) {
    try {
      await transaction.execute('update zoneseal.zones set policy = $2 where id = $1', [zoneId, policy]);
    } catch (error) {
      if (breaks(error, 'zones_policy_fkey'))
        throw notHeld('policy', policy, 'create it with: zoneseal policy set');
      throw error;
    }
  }
  for (const view of views) await assign(transaction, zoneId, view);
}

/** Creates a zone in a transaction. @throws ZonesealError ALREADY_HELD, NOT_HELD */
export async function insertZone(
  transaction: Queryable,
  name: string,
  options: ZoneSettings,
): Promise<HeldZone> {
  const { policy = 'default', views = [] } = options;
  try {
    await transaction.execute('insert into zoneseal.zones (name, policy) values ($1, $2)', [name, policy]);
  } catch (error) {
    if (breaks(error, 'zones_name_key') || breaks(error, 'zones_sort_key_key')) {
      throw alreadyHeld('zone', name, 'replace its data with: zoneseal zone import --replace');
    }
    if (breaks(error, 'zones_policy_fkey'))
      throw notHeld('policy', policy, 'create it with: zoneseal policy set');
    throw error;
  }
  const zone = await findZone(transaction, name);
  for (const view of views) await assign(transaction, zone.id, view);
  return zone;
}

async function assign(transaction: Queryable, zoneId: number, view: string): Promise<boolean> {
  try {
    const inserted = await transaction.execute(
      'insert into zoneseal.zone_views (zone_id, view) values ($1, $2) on conflict do nothing',
      [zoneId, view],
    );
    return inserted > 0;
  } catch (error) {
    if (breaks(error, 'zone_views_view_fkey'))
      throw notHeld('view', view, `create it with: zoneseal view add ${view}`);
    throw error;
  }
}

/**
 * What is unsafe or doubtful about the policy of a zone, by the zone's data; nothing where the policy does not parse, which publications say.
 * @param largest taken for the RRset with the largest TTL; without, it is looked for
 */
export async function judgeZone(
  database: Queryable,
  zoneId: number,
  largest?: ZoneTimes['largest'],
): Promise<ZoneProblem[]> {
  try {
    return await judgeStored(database, zoneId, largest);
  } catch (error) {
    if (error instanceof ZonesealError && error.code === 'POLICY_INVALID') return [];
    throw error;
  }
}

async function judgeStored(
  database: Queryable,
  zoneId: number,
  largest?: ZoneTimes['largest'],
): Promise<ZoneProblem[]> {
  const [row] = await database.query<{ name: string; document: unknown }>(
    'select p.name, p.document from zoneseal.zones z join zoneseal.policies p on p.name = z.policy where z.id = $1',
    [zoneId],
  );
  const times = await timesOfZone(database, zoneId, largest);
  if (row === undefined || times === undefined) return [];
  return judgePolicy(row.name, parsePolicy(row.name, row.document), times);
}

async function judgeByPolicy(
  database: Queryable,
  name: string,
  policy: Policy,
): Promise<{ problems: ZoneProblem[]; areAll: boolean }> {
  const zones = await timesByPolicy(database, name, (ttl) => unsafeTimes(policy, ttl).length > 0);
  return {
    problems: zones.flatMap((times) => judgePolicy(name, policy, times)),
    areAll: zones.length < MOST_JUDGED,
  };
}
