import type { DsUse, KeyChange, Step } from '../keys/rollover/model.js';
import {
  type DsSighting,
  type DueZone,
  FAILED,
  type KeyEvent,
  type LoadedRollover,
  type Look,
  type Looked,
  type MadeKey,
  type RolloverStore,
} from '../keys/rollover/ports.js';
import type { SecretFate } from '../keys/secret-keeper.js';
import type { Database, Transaction } from './database.js';
import { GATEWAY_GONE_SECONDS } from './gateway-registry.js';
import { Gather } from './gather.js';
import { findZone, notHeld } from './held.js';
import { hasSameDs, noteLook, readStates, rolloverOf, type StateRow } from './rollover-state.js';
import { insertKey } from './zone-key-store.js';

/** The migration that brought rolls: gateways that do not know it sign by no key set that one makes. */
const ROLLOVER_SCHEMA = 12;

const OLDER_GATEWAYS = `zoneseal.gateways g
  where g.schema_level < ${ROLLOVER_SCHEMA} and g.seen_at > clock_timestamp() - interval '${GATEWAY_GONE_SECONDS} s'`;

/** While it is not known what was served before the database was set back, no step is taken of a zone. */
const IS_KNOWN =
  'not exists (select from zoneseal.serial_lines l where l.zone_id = z.id and l.keys_unknown_until > clock_timestamp())';

/** Each part is a range of an index that is empty while nothing is due, however many zones there are. */
const LIST_DUE = `
  select z.id, z.name from (
    (select k.zone_id as id from zoneseal.key_looks k order by k.id limit $1)
    union
    (select t.id from zoneseal.zones t where t.keys_due_at <= now() order by t.keys_due_at limit $1)
    union
    (select d.id from zoneseal.policies p, lateral (
        select t.id from zoneseal.zones t
        where t.policy = p.name and t.keys_policy_version < p.version
        order by t.policy, t.keys_policy_version limit $1
      ) d limit $1)
  ) due join zoneseal.zones z on z.id = due.id
  where not exists (select from ${OLDER_GATEWAYS})
  order by z.id limit $1`;

/** Zones that are loaded with one statement, and that may wait for it. */
const LOADS = { together: 100, waiting: 10_000 };

/** Key rolls in PostgreSQL. */
export class PostgresRolloverStore implements RolloverStore {
  readonly #database: Database;
  readonly #states: Gather<string, StateRow | undefined>;

  constructor(database: Database) {
    this.#database = database;
    this.#states = new Gather((zones) => readStates(database, zones), LOADS);
  }

  async listDue(limit: number): Promise<DueZone[]> {
    const rows = await this.#database.query<{ id: number; name: string }>(LIST_DUE, [limit]);
    return rows.map(({ id, name }) => ({ zoneId: String(id), zone: name }));
  }

  async listOlderGateways(): Promise<string[]> {
    const rows = await this.#database.query<{ name: string; release: string }>(
      `select g.name, g.release from ${OLDER_GATEWAYS} order by g.name`,
    );
    return rows.map(({ name, release }) => `gateway ${name} (${release})`);
  }

  async load(zone: string): Promise<LoadedRollover | undefined> {
    const row = await this.#states.get(zone);
    return row === undefined ? undefined : rolloverOf(row);
  }

  noteLooked(look: Look, nextAt: number | null): Promise<void> {
    return noteLook(this.#database, look, nextAt);
  }

  async postpone(zoneId: string, seconds: number): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction.execute(
        `update zoneseal.zones z set keys_due_at = clock_timestamp() + make_interval(secs => $2::float8), keys_policy_version = p.version
         from zoneseal.policies p where z.id = $1 and p.name = z.policy`,
        [zoneId, seconds],
      );
      await transaction.execute('delete from zoneseal.key_looks where zone_id = $1', [zoneId]);
    });
  }

  apply(state: Looked, step: Step, ds: readonly DsUse[], made?: MadeKey): Promise<boolean> {
    return this.#onSame(state, async (transaction, zoneId) => {
      if (step.kind === 'create') {
        if (made === undefined) throw new Error('a key is made before it is added');
        await addKey(transaction, zoneId, step, made);
      } else if (step.kind === 'destroy') {
        await destroyKey(transaction, zoneId, step);
      } else {
        for (const change of step.keys) await changeKey(transaction, zoneId, change, step.reason);
        if (step.deleteSentinel !== undefined)
          await setSentinel(transaction, zoneId, step.deleteSentinel, step.reason);
      }
      await replaceDs(transaction, zoneId, ds);
    });
  }

  storeDs(state: Looked, ds: readonly DsUse[]): Promise<boolean> {
    return this.#onSame(state, (transaction, zoneId) => replaceDs(transaction, zoneId, ds));
  }

  async recordDs(zone: string, servers: readonly string[], sightings: readonly DsSighting[]): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const { id } = await findZone(transaction, zone, 'write');
      let changes = await transaction.execute(
        `update zoneseal.ds_sightings set listed = not listed
         where zone_id = $1 and listed <> (server = '' or server = any ($2::text[]))`,
        [id, servers],
      );
      changes += await transaction.execute(
        `insert into zoneseal.ds_sightings (zone_id, server, first_seen, last_seen)
         select $1, s, now(), now() from unnest($2::text[]) s
         where not exists (select from zoneseal.ds_sightings d where d.zone_id = $1 and d.server = s)`,
        [id, servers],
      );
      for (const sighting of sightings) {
        if (await recordSighting(transaction, id, sighting)) changes++;
      }
      // what was seen before, once more, tells nothing unless a roll waits for the parent
      await transaction.execute(
        `insert into zoneseal.key_looks (zone_id) select $1
         where $2 or coalesce((select l.awaits from zoneseal.parent_looks l where l.zone_id = $1), true)`,
        [id, changes > 0],
      );
    });
  }

  async recordDsByHand(zone: string, ds: readonly Uint8Array[], ttl: number | null): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const { id } = await findZone(transaction, zone, 'write');
      await recordSighting(transaction, id, { server: '', ds, ttl, isTtlProved: true });
      await noteEvent(
        transaction,
        id,
        null,
        'DS said by hand',
        ds.length === 0 ? 'there is none' : `${ds.length} records`,
      );
      await transaction.execute('insert into zoneseal.key_looks (zone_id) values ($1)', [id]);
    });
  }

  hold(zone: string, isHeld: boolean, why: string): Promise<boolean> {
    return this.#database.transaction(async (transaction) => {
      const { id } = await findZone(transaction, zone, 'write');
      const changed = await transaction.execute(
        `update zoneseal.zones set keys_held_at = case when $2 then now() end
         where id = $1 and (keys_held_at is not null) <> $2`,
        [id, isHeld],
      );
      if (changed === 0) return false;
      await noteEvent(transaction, id, null, isHeld ? 'keys held' : 'keys released', why);
      await transaction.execute('insert into zoneseal.key_looks (zone_id) values ($1)', [id]);
      return true;
    });
  }

  async askRoll(zone: string, keys: readonly string[], why: string): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const { id } = await findZone(transaction, zone, 'write');
      for (const key of keys) {
        const asked = await transaction.execute(
          `update zoneseal.zone_keys set roll_asked_at = coalesce(roll_asked_at, now())
           where zone_id = $1 and id = $2 and removed_at is null`,
          [id, key],
        );
        if (asked === 0) throw notHeld('key in use with id', key, 'see: zoneseal keys list');
        await noteEvent(transaction, id, key, 'roll asked for', why);
      }
    });
  }

  async noteFailed(zone: string, step: Step, code: string | null, reason: string): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const { id } = await findZone(transaction, zone);
      const what = code === null ? FAILED : `${FAILED} (${code})`;
      const key = step.kind === 'destroy' ? step.key : null;
      // what is tried again and again is noted once; a reason may have a request's id in it
      const [known] = await transaction.query(
        `select from zoneseal.key_events e where e.zone_id = $1 and e.what = $2 and starts_with(e.why, $3)
           and not exists (select from zoneseal.key_events l where l.zone_id = $1 and l.id > e.id and not starts_with(l.what, $4))`,
        [id, what, step.reason, FAILED],
      );
      if (known === undefined) await noteEvent(transaction, id, key, what, `${step.reason}: ${reason}`);
    });
  }

  async listEvents(zone: string, limit: number): Promise<KeyEvent[]> {
    const { id } = await findZone(this.#database, zone);
    const rows = await this.#database.query<{
      at: number;
      key_id: number | null;
      key_tag: number | null;
      what: string;
      why: string;
    }>(
      `select floor(extract(epoch from at))::bigint as at, key_id, key_tag, what, why from zoneseal.key_events
       where zone_id = $1 order by id desc limit $2`,
      [id, limit],
    );
    return rows.map(({ at, key_id: key, key_tag: keyTag, what, why }) => {
      return { at, key: key === null ? null : String(key), keyTag, what, why };
    });
  }

  /** Does something to a zone whose key set and DS sets are still those that were looked at; false: they are others. */
  #onSame(
    { zone, keySetVersion, isHeld, ds, isUrgent = false }: Looked,
    work: (transaction: Transaction, zoneId: number) => Promise<void>,
  ): Promise<boolean> {
    return this.#database.transaction(async (transaction) => {
      const [row] = await transaction.query<{ id: number; same: boolean }>(
        `select z.id, z.key_set_version = $2 and (z.keys_held_at is not null) = $3 and ($4 or ${IS_KNOWN}) as same
         from zoneseal.zones z where z.sort_key = zoneseal.sort_key($1) for no key update of z`,
        [zone, keySetVersion, isHeld, isUrgent],
      );
      // another gateway may have stored what the parent was seen with since
      if (row?.same !== true || !(await hasSameDs(transaction, row.id, ds))) return false;
      await work(transaction, row.id);
      return true;
    });
  }
}

async function addKey(
  transaction: Transaction,
  zoneId: number,
  { replaces, reason }: Extract<Step, { kind: 'create' }>,
  made: MadeKey,
): Promise<void> {
  const id = await insertKey(transaction, zoneId, { ...made, signs: false, published: false }, { replaces });
  await noteEvent(transaction, zoneId, id, `created as ${made.role} of algorithm ${made.algorithm}`, reason);
}

/** As `keys history` tells of a key that went, by what became of its secret. */
const WHAT_OF_SECRET: Readonly<Record<SecretFate, string>> = {
  deleted: 'destroyed',
  shared: 'forgotten, its secret kept in Barbican: other keys use it',
  kept: 'forgotten, its secret kept in Barbican: it was not put there from here',
};

async function destroyKey(
  transaction: Transaction,
  zoneId: number,
  { key, reason, secret = 'deleted' }: Extract<Step, { kind: 'destroy' }>,
): Promise<void> {
  await noteEvent(transaction, zoneId, key, WHAT_OF_SECRET[secret], reason);
  // one that is in use stays, whoever asks
  await transaction.execute(
    'delete from zoneseal.zone_keys where zone_id = $1 and id = $2 and removed_at is not null',
    [zoneId, key],
  );
}

async function changeKey(
  transaction: Transaction,
  zoneId: number,
  change: KeyChange,
  reason: string,
): Promise<void> {
  const { id, signs, published, keySetsOnly, parent, goal, activeAt, removedAt } = change;
  await transaction.execute(
    `update zoneseal.zone_keys set signs = coalesce($3, signs), published = coalesce($4, published),
       key_sets_only = coalesce($5, key_sets_only), parent = coalesce($6, parent), goal = coalesce($7, goal),
       active_at = coalesce(to_timestamp($8), active_at), removed_at = coalesce(to_timestamp($9), removed_at)
     where zone_id = $1 and id = $2`,
    [
      zoneId,
      id,
      signs ?? null,
      published ?? null,
      keySetsOnly ?? null,
      parent ?? null,
      goal ?? null,
      activeAt ?? null,
      removedAt ?? null,
    ],
  );
  await noteEvent(transaction, zoneId, id, wordsOf(change), reason);
}

/** What a change does to a key, in words. */
function wordsOf({ signs, published, keySetsOnly, parent, goal, activeAt, removedAt }: KeyChange): string {
  const either = (value: boolean | undefined, yes: string, no: string): string[] =>
    value === undefined ? [] : [value ? yes : no];
  const words = [
    ...either(signs, 'signs', 'no longer signs'),
    ...either(keySetsOnly, 'signs the key sets alone', 'signs all of the zone'),
    ...either(published, 'published', 'no longer published'),
    ...either(parent, 'wanted at the parent', 'no longer wanted at the parent'),
    ...(goal === undefined ? [] : [goal === 'in' ? 'is to be used' : 'is to go']),
    ...(activeAt === undefined ? [] : ['active']),
    ...(removedAt === undefined ? [] : ['removed']),
  ];
  return words.join(', ') || 'unchanged';
}

async function setSentinel(
  transaction: Transaction,
  zoneId: number,
  isSet: boolean,
  reason: string,
): Promise<void> {
  const changed = await transaction.execute(
    'update zoneseal.zones set delete_sentinel = $2 where id = $1 and delete_sentinel <> $2',
    [zoneId, isSet],
  );
  const what = isSet ? 'asks the parent to remove all DS' : 'no longer asks the parent to remove all DS';
  if (changed > 0) await noteEvent(transaction, zoneId, null, what, reason);
}

async function replaceDs(transaction: Transaction, zoneId: number, ds: readonly DsUse[]): Promise<void> {
  await transaction.execute('delete from zoneseal.ds_uses where zone_id = $1', [zoneId]);
  for (const { keys, algorithms, since, seenAt, until, ttl } of ds) {
    await transaction.execute(
      `insert into zoneseal.ds_uses (zone_id, keys, algorithms, since, seen_at, until, ttl)
       values ($1, $2, $3, to_timestamp($4), to_timestamp($5), to_timestamp($6), $7)`,
      [zoneId, keys, algorithms, since, seenAt, until, ttl],
    );
  }
}

/**
 * The same set once more prolongs the sighting before; another one is a sighting of its own. All of one transaction are of one time:
 * what servers were seen with together they had together. False: it is what was seen before.
 */
async function recordSighting(
  transaction: Transaction,
  zoneId: number,
  { server, ds, ttl, isTtlProved }: DsSighting,
): Promise<boolean> {
  const sorted = ds.map((rdata) => Buffer.from(rdata)).sort((a, b) => Buffer.compare(a, b));
  const [prolonged] = await transaction.query<{ news: boolean }>(
    `update zoneseal.ds_sightings s set last_seen = greatest(s.last_seen, now()),
       ttl = case when $5 and not s.ttl_proved then $4 else greatest(s.ttl, $4) end, ttl_proved = $5
     from (select l.id, l.ttl, l.last_seen from zoneseal.ds_sightings l where l.zone_id = $1 and l.server = $2 order by l.id desc limit 1) before
     where s.id = before.id and s.ds = $3::bytea[]
     returning s.ttl is distinct from before.ttl
       -- and it counts again, in place of what an operator said since
       or exists (select from zoneseal.ds_sightings h
         where h.zone_id = $1 and h.server = '' and h.last_seen > before.last_seen) as news`,
    [zoneId, server, sorted, ttl, isTtlProved],
  );
  if (prolonged !== undefined) return prolonged.news;
  await transaction.execute(
    `insert into zoneseal.ds_sightings (zone_id, server, ds, ttl, ttl_proved, first_seen, last_seen)
     values ($1, $2, $3::bytea[], $4, $5, now(), now())`,
    [zoneId, server, sorted, ttl, isTtlProved],
  );
  return true;
}

async function noteEvent(
  transaction: Transaction,
  zoneId: number,
  key: string | null,
  what: string,
  why: string,
): Promise<void> {
  await transaction.execute(
    `insert into zoneseal.key_events (zone_id, key_id, key_tag, what, why)
     values ($1, $2, (select k.key_tag from zoneseal.zone_keys k where k.id = $2), $3, $4)`,
    [zoneId, key, what, why],
  );
}
