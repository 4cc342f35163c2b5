import { random, zoneLines } from './zone.js';

/** The kinds of change, in the order in which they come. */
export const KINDS = ['add a name', 'change an address', 'delete a name'] as const;
export type Kind = (typeof KINDS)[number];

/** One change: SQL that writes one row of rrsets. */
export interface Change {
  readonly kind: Kind;
  readonly sql: string;
  readonly values: readonly string[];
}

const SEED = 0xc4a9;

/** Single-record changes to the benchmark's zone, in turn of each kind, spread over the zone; the same at every run. */
export class ChangePlan {
  readonly #zone: string;
  readonly #next = random(SEED);
  /** Names that have one A record and nothing else, in random order. */
  readonly #hosts: string[];
  #made = 0;

  constructor(zone: string, names: number) {
    this.#zone = zone;
    this.#hosts = hostsOf(zone, names);
    for (let i = this.#hosts.length - 1; i > 0; i--) {
      const j = this.#next() % (i + 1);
      [this.#hosts[i], this.#hosts[j]] = [this.#hosts[j] as string, this.#hosts[i] as string];
    }
  }

  /** @throws Error when the zone has no more names to change */
  next(): Change {
    const kind = KINDS[this.#made++ % KINDS.length] as Kind;
    const address = `192.0.2.${this.#next() & 0xff}`;
    if (kind === 'add a name') {
      const owner = `${this.#next().toString(16).padStart(8, '0')}-new.${this.#zone}`;
      const sql = `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
        values ((select zoneseal.zone_id($1)), $2, 'A', 3600, array[$3])`;
      return { kind, sql, values: [this.#zone, owner, address] };
    }
    const host = this.#hosts.pop();
    if (host === undefined) throw new Error('the zone is too small for that many changes');
    const where =
      "zone_id = (select zoneseal.zone_id($1)) and sort_key = zoneseal.sort_key($2) and type = 'A'";
    return kind === 'change an address'
      ? {
          kind,
          sql: `update zoneseal.rrsets set data = array[$3] where ${where}`,
          values: [this.#zone, host, address],
        }
      : { kind, sql: `delete from zoneseal.rrsets where ${where}`, values: [this.#zone, host] };
  }
}

function hostsOf(zone: string, names: number): string[] {
  const types = new Map<string, string>();
  for (const line of zoneLines(zone, names)) {
    const [owner = '', , , type = ''] = line.split('\t');
    types.set(owner, `${types.get(owner) ?? ''}${type} `);
  }
  types.delete(`ns1.${zone}`);
  return [...types].flatMap(([owner, of]) => (of === 'A ' ? [owner] : []));
}
