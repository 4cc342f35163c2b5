import { parseTsigAlgorithm } from '../dns/tsig-key.js';
import {
  type ClaimRoom,
  type LateState,
  type LinePeer,
  PEER_STATES,
  type PeerClaim,
  type PeerKey,
  type PeerLine,
  type PeerState,
  type PeerStateCounts,
  type PeerStateStore,
  type PeerTarget,
  type PeerUpdate,
} from '../fleet/ports.js';
import type { Database } from './database.js';

interface TargetRow {
  readonly peer_id: number;
  readonly peer: string;
  readonly address: string;
  readonly port: number;
  readonly key_id: number | null;
  readonly key_name: string | null;
  readonly algorithm: string | null;
  readonly secret_ref: string | null;
  readonly next_secret_ref: string | null;
}

interface ClaimRow extends TargetRow {
  readonly zone_id: number;
  readonly zone: string;
  readonly view: string;
  readonly state: PeerState;
  readonly generation: number;
  readonly claim: number;
  readonly wanted: number | null;
  readonly soa_ttl: number | null;
  readonly soa_rdata: Buffer | null;
  readonly serial_seen: number | null;
  readonly attempts: number;
  readonly unanswered: number;
  readonly polls: number;
  readonly silent: number;
  readonly late_seconds: number;
  readonly notified_seconds: number | null;
  readonly problem: string | null;
  readonly last_serial: number | null;
}

/** What of a peer and its key messages need. */
const TARGET_COLUMNS = `p.id as peer_id, p.name as peer, host(p.address) as address, p.port,
  k.id as key_id, k.name as key_name, k.algorithm, k.secret_ref, k.next_secret_ref`;

/**
 * Each peer has a range of the index of its own, so that one with many zones, or without an answer, holds up none. The rows are locked
 * for as long as the statement takes. A line may have become ready between the peer's coming and its first claim: the later publication counts.
 */
const CLAIM = `
  with room as (
    select p.id, coalesce(e.room, $4::int) as room
    from zoneseal.peers p left join unnest($5::bigint[], $6::int[]) as e (id, room) on e.id = p.id
  ), due as (
    select d.zone_id, d.peer_id from room r, lateral (
      select s.zone_id, s.peer_id, s.look_at from zoneseal.peer_states s
      where s.peer_id = r.id and s.look_at <= now()
      order by s.look_at limit r.room for update skip locked
    ) d
    where r.room > 0 order by d.look_at limit $3
  ), claimed as (
    update zoneseal.peer_states s
    set claimed_by = $1, claimed_until = now() + make_interval(secs => $2::float8), claim = s.claim + 1,
      publication = greatest(s.publication, l.ready)
    from due d, zoneseal.serial_lines l
    where s.zone_id = d.zone_id and s.peer_id = d.peer_id and l.zone_id = s.zone_id and l.view = s.view
    returning s.*, l.zone, l.last_serial
  )
  select ${TARGET_COLUMNS}, c.zone_id, c.zone, c.view, c.state, c.generation, c.claim, b.serial as wanted, b.soa_ttl, b.soa_rdata,
    c.serial_seen, c.attempts, c.unanswered, c.polls, c.silent, c.problem, c.last_serial,
    extract(epoch from now() - c.since)::float8 as late_seconds,
    extract(epoch from now() - c.notified_at)::float8 as notified_seconds
  from claimed c
    join zoneseal.peers p on p.id = c.peer_id
    left join zoneseal.tsig_keys k on k.id = p.key_id
    left join zoneseal.publications b on b.id = c.publication`;

const NEXT_DUE = `
  select extract(epoch from min(d.look_at) - clock_timestamp())::float8 as seconds
  from zoneseal.peers p, lateral (
    select look_at from zoneseal.peer_states where peer_id = p.id order by look_at limit 1
  ) d
  where d.look_at < 'infinity'`;

/** Locks in the order of the keys, as publications that become ready do. */
const RECORD = `
  with r as (
    select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::int[], $7::int[], $8::int[], $9::int[],
      $10::text[], $11::bigint[], $12::boolean[], $13::bigint[], $14::boolean[], $15::float8[])
      as r (zone_id, peer_id, claim, generation, state, attempts, unanswered, polls, silent,
        problem, seen, answered, notified, progress, due)
  ), mine as (
    select s.zone_id, s.peer_id from zoneseal.peer_states s join r on r.zone_id = s.zone_id and r.peer_id = s.peer_id
    where s.claim = r.claim
    order by s.zone_id, s.peer_id for update of s
  ), recorded as (
    update zoneseal.peer_states s
    set claimed_by = null, claimed_until = null, silent = r.silent, problem = r.problem,
      serial_seen = coalesce(r.seen, s.serial_seen),
      seen_at = case when r.seen is null then s.seen_at else now() end,
      notified_at = case when r.answered then now() else s.notified_at end,
      serial_notified = coalesce(r.notified, s.serial_notified),
      since = case when r.progress then now() else s.since end,
      state = case when s.generation = r.generation then r.state
        when s.state = 'unreachable' and r.silent = 0 then 'pending' else s.state end,
      attempts = case when s.generation = r.generation then r.attempts else s.attempts end,
      unanswered = case when s.generation = r.generation then r.unanswered else s.unanswered end,
      polls = case when s.generation = r.generation then r.polls else s.polls end,
      due_at = case when s.generation <> r.generation then s.due_at
        when r.due is null then 'infinity' else clock_timestamp() + make_interval(secs => r.due) end
    from r join mine m on m.zone_id = r.zone_id and m.peer_id = r.peer_id
    where s.zone_id = r.zone_id and s.peer_id = r.peer_id
    returning s.generation <> r.generation as superseded
  )
  select count(*) filter (where superseded) as superseded from recorded`;

/** Rows of one peer that are written by one statement; the others have their own time. */
const MANY = 10_000;

/** Peers, and zones of them that are not current, that are listed one by one; metrics grow with both. */
const PEERS_LISTED = 200;
const LATE_LISTED = 100;

const COUNTS = `
  select p.name as peer, p.view, s.state, s.count, s.seconds from zoneseal.peers p join (
    select peer_id, state, count(*) as count, extract(epoch from now() - min(since))::float8 as seconds
    from zoneseal.peer_states group by peer_id, state
  ) s on s.peer_id = p.id order by p.name`;

const LATE = `
  select l.zone, s.view, p.name as peer, s.state, b.serial as published, s.serial_seen as seen,
    extract(epoch from now() - s.seen_at)::float8 as seen_seconds, extract(epoch from now() - s.since)::float8 as late_seconds
  from (select * from zoneseal.peer_states where state <> 'current' order by since limit $1) s
    join zoneseal.peers p on p.id = s.peer_id
    join zoneseal.serial_lines l on l.zone_id = s.zone_id and l.view = s.view
    left join zoneseal.publications b on b.id = l.ready
  order by s.since`;

interface CountRow {
  readonly peer: string;
  readonly view: string;
  readonly state: PeerState;
  readonly count: number;
  readonly seconds: number;
}

interface LateRow {
  readonly zone: string;
  readonly view: string;
  readonly peer: string;
  readonly state: PeerState;
  readonly published: number | null;
  readonly seen: number | null;
  readonly seen_seconds: number | null;
  readonly late_seconds: number;
}

function noStates(): Record<PeerState, number> {
  return Object.fromEntries(PEER_STATES.map((state) => [state, 0])) as Record<PeerState, number>;
}

function lateOf({ zone, view, peer, state, ...row }: LateRow): LateState {
  return {
    zone,
    view,
    peer,
    state,
    published: row.published ?? undefined,
    seen: row.seen ?? undefined,
    seenSeconds: row.seen_seconds ?? undefined,
    lateSeconds: row.late_seconds,
  };
}

/** What peers were seen to serve, in PostgreSQL. */
export class PostgresPeerStateStore implements PeerStateStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async claim(gateway: string, claimSeconds: number, room: ClaimRoom): Promise<readonly PeerClaim[]> {
    const rows = await this.#database.query<ClaimRow>(CLAIM, [
      gateway,
      claimSeconds,
      room.total,
      room.perPeer,
      [...room.exceptions.keys()],
      [...room.exceptions.values()],
    ]);
    return rows.map(claimOf);
  }

  /** How the database finds what is due: its plan, with the times it took. What it claims is recorded by nobody. */
  async explainClaim(gateway: string, claimSeconds: number, room: ClaimRoom): Promise<string[]> {
    const rows = await this.#database.query<{ 'QUERY PLAN': string }>(`explain (analyze, buffers) ${CLAIM}`, [
      gateway,
      claimSeconds,
      room.total,
      room.perPeer,
      [],
      [],
    ]);
    return rows.map((row) => row['QUERY PLAN']);
  }

  async nextDueSeconds(): Promise<number | undefined> {
    const [row] = await this.#database.query<{ seconds: number | null }>(NEXT_DUE);
    return row?.seconds == null ? undefined : Math.max(0, row.seconds);
  }

  async record(
    results: readonly { readonly claim: PeerClaim; readonly update: PeerUpdate }[],
  ): Promise<number> {
    const column = (value: (claim: PeerClaim, update: PeerUpdate) => unknown): unknown[] =>
      results.map(({ claim, update }) => value(claim, update) ?? null);
    const [row] = await this.#database.query<{ superseded: number }>(RECORD, [
      column((claim) => claim.zoneId),
      column((claim) => claim.peerId),
      column((claim) => claim.claim),
      column((claim) => claim.generation),
      column((_, update) => update.state),
      column((_, update) => update.attempts),
      column((_, update) => update.unanswered),
      column((_, update) => update.polls),
      column((_, update) => update.silent),
      column((_, update) => update.problem),
      column((_, update) => update.seen),
      column((_, update) => update.notified !== undefined),
      column((_, update) => update.notified?.serial),
      column((_, update) => update.progress === true),
      column((_, update) => update.dueSeconds),
    ]);
    return row?.superseded ?? 0;
  }

  async lastSerial({ zoneId, view }: PeerLine): Promise<number | undefined> {
    const [row] = await this.#database.query<{ last_serial: number | null }>(
      'select last_serial from zoneseal.serial_lines where zone_id = $1 and view = $2',
      [zoneId, view],
    );
    return row?.last_serial ?? undefined;
  }

  async makeDue(peerId: string): Promise<void> {
    await this.#database.execute(
      `with waiting as (
         select zone_id, peer_id from zoneseal.peer_states
         where peer_id = $1 and look_at > now() and state = 'unreachable' and claimed_until is null
         order by look_at limit $2 for update skip locked
       )
       update zoneseal.peer_states s set due_at = now() from waiting w where s.zone_id = w.zone_id and s.peer_id = w.peer_id`,
      [peerId, MANY],
    );
  }

  async postpone(peerId: string, silent: number, seconds: number, problem: string): Promise<void> {
    await this.#database.execute(
      `with due as (
         select zone_id, peer_id from zoneseal.peer_states
         where peer_id = $1 and look_at <= now() order by look_at limit $2 for update skip locked
       )
       update zoneseal.peer_states s
       set state = 'unreachable', silent = greatest(s.silent, $3::int), problem = coalesce(s.problem, $5::text),
         due_at = now() + make_interval(secs => $4::float8 * (0.5 + random() / 2))
       from due d where s.zone_id = d.zone_id and s.peer_id = d.peer_id`,
      [peerId, MANY, silent, seconds, problem],
    );
  }

  async counts(): Promise<PeerStateCounts> {
    const rows = await this.#database.query<CountRow>(COUNTS);
    const states = noStates();
    let oldestSeconds = 0;
    const peers = new Map<
      string,
      { peer: string; view: string; states: typeof states; oldestSeconds: number }
    >();
    for (const { peer, view, state, count, seconds } of rows) {
      const counted = peers.get(peer) ?? { peer, view, states: noStates(), oldestSeconds: 0 };
      peers.set(peer, counted);
      counted.states[state] = count;
      states[state] += count;
      if (state === 'current') continue;
      counted.oldestSeconds = Math.max(counted.oldestSeconds, seconds);
      oldestSeconds = Math.max(oldestSeconds, seconds);
    }
    const listed = [...peers.values()]
      .sort((a, b) => b.oldestSeconds - a.oldestSeconds)
      .slice(0, PEERS_LISTED);
    const areAllCurrent = rows.every(({ state }) => state === 'current');
    const late = areAllCurrent ? [] : await this.#database.query<LateRow>(LATE, [LATE_LISTED]);
    return { states, oldestSeconds, peers: listed, late: late.map(lateOf) };
  }

  async peersOf({ zoneId, view }: PeerLine): Promise<readonly LinePeer[]> {
    const rows = await this.#database.query<TargetRow & { zone: string }>(
      `select ${TARGET_COLUMNS}, z.name as zone
       from zoneseal.peer_states s
         join zoneseal.peers p on p.id = s.peer_id
         join zoneseal.zones z on z.id = s.zone_id
         left join zoneseal.tsig_keys k on k.id = p.key_id
       where s.zone_id = $1 and s.view = $2 order by p.name`,
      [zoneId, view],
    );
    return rows.map((row) => ({ ...targetOf(row), zoneId, zone: row.zone, view }));
  }

  async recordSeen(peerId: string, zoneId: string, serial: number): Promise<void> {
    await this.#database.execute(
      'update zoneseal.peer_states set serial_seen = $3, seen_at = now() where zone_id = $1 and peer_id = $2',
      [zoneId, peerId, serial],
    );
  }
}

function targetOf(row: TargetRow): PeerTarget {
  const { peer_id, peer, address, port } = row;
  return { peerId: String(peer_id), peer, address, port, key: keyOf(row) };
}

function keyOf({ key_id, key_name, algorithm, secret_ref, next_secret_ref }: TargetRow): PeerKey | undefined {
  if (key_id === null || key_name === null || secret_ref === null) return undefined;
  const known = parseTsigAlgorithm(algorithm ?? '');
  if (known === undefined) return undefined;
  const key = { id: String(key_id), name: key_name, algorithm: known };
  if (next_secret_ref === null) return { ...key, secretRef: secret_ref };
  return { ...key, secretRef: next_secret_ref, previousSecretRef: secret_ref };
}

function claimOf(row: ClaimRow): PeerClaim {
  const soa =
    row.soa_ttl === null || row.soa_rdata === null
      ? undefined
      : { ttl: row.soa_ttl, rdata: new Uint8Array(row.soa_rdata) };
  return {
    ...targetOf(row),
    zoneId: String(row.zone_id),
    zone: row.zone,
    view: row.view,
    state: row.state,
    generation: row.generation,
    claim: row.claim,
    wanted: row.wanted ?? undefined,
    soa,
    seen: row.serial_seen ?? undefined,
    attempts: row.attempts,
    unanswered: row.unanswered,
    polls: row.polls,
    silent: row.silent,
    lateSeconds: row.late_seconds,
    notifiedSeconds: row.notified_seconds ?? undefined,
    problem: row.problem ?? undefined,
    lastSerial: row.last_serial ?? undefined,
  };
}
