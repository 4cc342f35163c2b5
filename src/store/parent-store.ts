import { Name } from '../dns/name.js';
import { formatRdata, parseRdataText } from '../dns/rdata/index.js';
import { RRType } from '../dns/types.js';
import type { ParentServer, ParentZone } from '../fleet/parent-client.js';
import type { Database } from './database.js';
import { notHeld } from './held.js';

/** A parent zone as operators write it. */
export interface ParentDescription extends ParentZone {
  /** Who is told of changed CDS (RFC 9859). */
  readonly notify: readonly ParentServer[];
}

/** That the DS set of a zone at its parent makes it bogus. */
export interface ParentFault {
  readonly zone: string;
  /** What is wrong, and what to do. */
  readonly fault: string;
  /** ISO 8601. */
  readonly since: string;
}

interface ParentRow {
  readonly name: string;
  readonly servers: string[];
  readonly notify: string[];
  readonly trust_anchors: string[];
}

const COLUMNS = 'p.name, p.servers, p.notify, p.trust_anchors';

/** Parent zones, and where their nameservers are. */
export class ParentStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Writes a parent zone, in place of what there was of it. */
  async set({ name, servers, notify, anchors }: ParentDescription): Promise<void> {
    await this.#database.execute(
      `insert into zoneseal.parents as p (name, servers, notify, trust_anchors) values ($1, $2, $3, $4)
       on conflict (name) do update set servers = excluded.servers, notify = excluded.notify,
         trust_anchors = excluded.trust_anchors, updated_at = now()`,
      [
        Name.parse(name).toLower().toString(),
        servers.map(serverText),
        notify.map(serverText),
        anchors.map((it) => formatRdata(RRType.DS, it)),
      ],
    );
  }

  /** Has all zones' parents asked soon: another one may be the nearest. */
  async askSoon(): Promise<void> {
    await this.#database.execute('update zoneseal.parent_looks set due_at = now()');
  }

  /** @throws ZonesealError NOT_HELD */
  async delete(name: string): Promise<void> {
    const deleted = await this.#database.execute('delete from zoneseal.parents where name = $1', [name]);
    if (deleted === 0) throw notHeld('parent', name, 'see: zoneseal parent list');
  }

  /** All of them in canonical order. */
  async list(): Promise<ParentDescription[]> {
    const rows = await this.#database.query<ParentRow>(
      `select ${COLUMNS} from zoneseal.parents p order by p.sort_key`,
    );
    return rows.map(parentOf);
  }

  /** What is wrong with the DS that parents have, of all zones or one, the longest first. */
  async listFaults(zone: string | undefined, limit: number): Promise<ParentFault[]> {
    const rows = await this.#database.query<{ zone: string; fault: string; since: Date }>(
      `select z.name as zone, l.fault, l.fault_since as since from zoneseal.parent_looks l join zoneseal.zones z on z.id = l.zone_id
       where l.fault is not null and ($1::text is null or z.name = $1) order by l.fault_since, z.sort_key limit $2`,
      [zone ?? null, limit],
    );
    return rows.map((row) => ({ zone: row.zone, fault: row.fault, since: row.since.toISOString() }));
  }

  /** The nearest one above a zone (lower-case absolute text); undefined when there is none. */
  async findAbove(zone: string): Promise<ParentDescription | undefined> {
    const above: string[] = [];
    for (let name = Name.parse(zone); !name.isRoot; ) {
      name = name.parent();
      above.push(name.toString());
    }
    const [row] = await this.#database.query<ParentRow>(
      `select ${COLUMNS} from unnest($1::text[]) with ordinality t (name, distance)
         join zoneseal.parents p on p.name = t.name order by t.distance limit 1`,
      [above],
    );
    return row === undefined ? undefined : parentOf(row);
  }
}

function parentOf({ name, servers, notify, trust_anchors: anchors }: ParentRow): ParentDescription {
  return {
    name,
    servers: servers.map(serverOf),
    notify: notify.map(serverOf),
    anchors: anchors.map((text) => parseRdataText(RRType.DS, text, Name.root)),
  };
}

function serverText({ address, port }: ParentServer): string {
  return `${address} ${port}`;
}

function serverOf(text: string): ParentServer {
  const [address = '', port = ''] = text.split(' ');
  return { address, port: Number(port) };
}
