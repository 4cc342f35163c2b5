import { Name } from '../dns/name.js';
import type { PeerState } from '../fleet/ports.js';
import type { Database } from './database.js';
import { alreadyHeld, breaks, notHeld } from './held.js';

/** A peer as it is written. */
export interface NewPeer {
  readonly name: string;
  readonly view: string;
  /** IPv4 or IPv6, without brackets. */
  readonly address: string;
  readonly port: number;
  /** The name of a TSIG key, absolute; null: messages are not signed. */
  readonly key: string | null;
  /** Absolute names; null: every zone of the view. */
  readonly zones: readonly string[] | null;
}

/** A peer as it is listed: with how many of its zones are in which state. */
export interface PeerDescription extends NewPeer {
  readonly states: Readonly<Partial<Record<PeerState, number>>>;
}

/** One zone in one view and one of its peers, or none. */
export interface ServingState {
  readonly zone: string;
  readonly view: string;
  /** The serial that is published; null: nothing is ready. */
  readonly serial: number | null;
  /** Whether the zone is frozen, so that changes of it wait. */
  readonly frozen: boolean;
  readonly peer: string | null;
  /** Null where there is no peer. */
  readonly state: PeerState | null;
  readonly serialSeen: number | null;
  /** ISO 8601; null: never. */
  readonly seenAt: string | null;
  readonly serialNotified: number | null;
  readonly notifiedAt: string | null;
  /** Since when the peer serves nothing newer; null where it is current. */
  readonly since: string | null;
  readonly problem: string | null;
}

/** How many there are of each, and those that were asked for, the worst first. */
export interface ServingStatus {
  readonly lines: number;
  readonly withoutPublication: number;
  /** Of the lines, those whose zone is frozen. */
  readonly frozen: number;
  readonly states: Readonly<Record<PeerState, number>>;
  readonly rows: readonly ServingState[];
}

interface PeerRow extends NewPeer {
  readonly states: Partial<Record<PeerState, number>> | null;
}

interface StateRow {
  readonly zone: string;
  readonly view: string;
  readonly serial: number | null;
  readonly frozen: boolean;
  readonly peer: string | null;
  readonly state: PeerState | null;
  readonly serial_seen: number | null;
  readonly seen_at: Date | null;
  readonly serial_notified: number | null;
  readonly notified_at: Date | null;
  readonly since: Date | null;
  readonly problem: string | null;
}

const SERVED = `
  from zoneseal.serial_lines l
    left join zoneseal.publications b on b.id = l.ready
    left join zoneseal.peer_states s on s.zone_id = l.zone_id and s.view = l.view
    left join zoneseal.peers p on p.id = s.peer_id
  where l.zone_id is not null and ($1::text is null or l.zone = $1)`;

/** Peers, and what they serve, as the command line has them. */
export class PeerStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws ZonesealError ALREADY_HELD; NOT_HELD where view or key is not there; DATA_REFUSED */
  async add({ name, view, address, port, key, zones }: NewPeer): Promise<void> {
    const texts = zones?.map((zone) => Name.parse(zone).toLower().toString()) ?? null;
    try {
      await this.#database.transaction(
        async (transaction) => {
          let keyId: number | null = null;
          if (key !== null) {
            const [row] = await transaction.query<{ id: number }>(
              'select id from zoneseal.tsig_keys where sort_key = zoneseal.sort_key($1)',
              [key],
            );
            if (row === undefined) throw notHeld('TSIG key', key, 'see: zoneseal tsig list');
            keyId = row.id;
          }
          await transaction.execute(
            `insert into zoneseal.peers (name, view, address, port, key_id, zones) values ($1, $2, $3::inet, $4, $5, $6)`,
            [name, view, address, port, keyId, texts],
          );
        },
        { statementTimeout: 0 },
      );
    } catch (error) {
      if (breaks(error, 'peers_name_key')) throw alreadyHeld('peer', name, 'see: zoneseal peer list');
      if (breaks(error, 'peers_view_fkey')) {
        throw notHeld('view', view, `create it with: zoneseal view add ${view}`);
      }
      throw error;
    }
  }

  /** Deletes a peer with all that is known of it. @throws ZonesealError NOT_HELD */
  async delete(name: string): Promise<void> {
    const deleted = await this.#database.transaction(
      (transaction) => transaction.execute('delete from zoneseal.peers where name = $1', [name]),
      { statementTimeout: 0 },
    );
    if (deleted === 0) throw notHeld('peer', name, 'see: zoneseal peer list');
  }

  /** All peers by view and name. */
  async list(): Promise<PeerDescription[]> {
    const rows = await this.#database.query<PeerRow>(
      `select p.name, p.view, host(p.address) as address, p.port, k.name as key, p.zones,
         (select jsonb_object_agg(t.state, t.count) from (
           select s.state, count(*) as count from zoneseal.peer_states s where s.peer_id = p.id group by s.state) t) as states
       from zoneseal.peers p left join zoneseal.tsig_keys k on k.id = p.key_id order by p.view, p.name`,
    );
    return rows.map((row) => ({ ...row, states: row.states ?? {} }));
  }

  /**
   * What is published and what peers serve of it.
   * @param zone of this zone alone, lower-case absolute text
   * @param limit rows at the most; counts are of all
   * @throws ZonesealError NOT_HELD where the zone is not there, or in no view
   */
  async status(zone: string | undefined, limit: number): Promise<ServingStatus> {
    return this.#database.transaction(
      async (transaction) => {
        const counts = await transaction.query<{ state: PeerState | null; count: number }>(
          `select s.state, count(*) as count ${SERVED} group by s.state`,
          [zone ?? null],
        );
        const [lines] = await transaction.query<{ lines: number; unready: number; frozen: number }>(
          `select count(*) as lines, count(*) filter (where ready is null) as unready,
             count(*) filter (where frozen_version is not null) as frozen from zoneseal.serial_lines l
           where l.zone_id is not null and ($1::text is null or l.zone = $1)`,
          [zone ?? null],
        );
        if (zone !== undefined && (lines?.lines ?? 0) === 0) {
          throw notHeld('zone in a view', zone, 'see: zoneseal zone list');
        }
        const rows = await transaction.query<StateRow>(
          `select l.zone, l.view, b.serial, l.frozen_version is not null as frozen, p.name as peer, s.state, s.serial_seen, s.seen_at, s.serial_notified, s.notified_at,
             case when s.state <> 'current' then s.since end as since, s.problem
           ${SERVED}
           order by array_position('{unreachable,behind,pending}', s.state), zoneseal.sort_key(l.zone), l.view, p.name limit $2`,
          [zone ?? null, limit],
        );
        const states = { pending: 0, current: 0, behind: 0, unreachable: 0 };
        for (const { state, count } of counts) if (state !== null) states[state] = count;
        const { lines: all = 0, unready = 0, frozen = 0 } = lines ?? {};
        return { lines: all, withoutPublication: unready, frozen, states, rows: rows.map(stateOf) };
      },
      { snapshot: true },
    );
  }
}

function stateOf(row: StateRow): ServingState {
  const { zone, view, serial, frozen, peer, state, problem } = row;
  return {
    zone,
    view,
    serial,
    frozen,
    peer,
    state,
    serialSeen: row.serial_seen,
    seenAt: row.seen_at?.toISOString() ?? null,
    serialNotified: row.serial_notified,
    notifiedAt: row.notified_at?.toISOString() ?? null,
    since: row.since?.toISOString() ?? null,
    problem,
  };
}
