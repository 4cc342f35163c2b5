import { join } from 'node:path';
import type { GatewayProcess } from '../interop/lib/gateway.js';
import { startPostgres, type TestPostgres } from '../interop/lib/postgres.js';
import { removeFolder, temporaryFolder } from '../interop/lib/processes.js';
import { during, say } from './progress.js';
import { type GatewaySettings, prepareGateway } from './served.js';
import { writeZone, ZONE } from './zone.js';

/** The benchmarks' zone with some number of names: its master file, and a database that has it, not served and without keys. */
export interface LabZone {
  readonly names: number;
  readonly file: string;
  /** Records of the file. */
  readonly records: number;
  readonly database: string;
}

/** Settings under which no checkpoint comes by itself, and the one before leaves nothing in the log. */
const NO_CHECKPOINTS = { max_wal_size: '16GB', checkpoint_timeout: '1d', full_page_writes: 'off' } as const;

/** One PostgreSQL, and the zones in it that benchmarks share; each measurement gets a database of its own, copied from one that has the zone. */
export class Lab {
  readonly postgres: TestPostgres;
  readonly folder: string;
  readonly #zones = new Map<number, LabZone>();
  #copies = 0;

  private constructor(postgres: TestPostgres, folder: string) {
    this.postgres = postgres;
    this.folder = folder;
  }

  static async open(): Promise<Lab> {
    const folder = temporaryFolder('bench');
    return new Lab(await startPostgres({ durable: true, settings: ['track_commit_timestamp=on'] }), folder);
  }

  close(): void {
    this.postgres.remove();
    removeFolder(this.folder);
  }

  /** The zone with so many names, imported when it is first asked for. */
  async zone(names: number): Promise<LabZone> {
    const known = this.#zones.get(names);
    if (known !== undefined) return known;
    const file = join(this.folder, `${names}.zone`);
    const records = await writeZone(file, ZONE, names);
    const database = `zone_${names}`;
    await during(`import of ${names} names`, () => this.importFile(file, database));
    this.postgres.psql('vacuum analyze', database);
    const zone = { names, file, records, database };
    this.#zones.set(names, zone);
    return zone;
  }

  /** Imports a master file into a new database; the seconds that the command took. */
  async importFile(file: string, database: string): Promise<number> {
    const gateway = await prepareGateway(this.postgres, database, {});
    try {
      const begun = performance.now();
      await gateway.command(['zone', 'import', file, '--zone', ZONE]);
      return (performance.now() - begun) / 1000;
    } finally {
      await gateway.remove();
    }
  }

  /** A gateway, not started yet, on a copy of a zone's database, with keys for it. */
  async gateway(zone: LabZone, settings: GatewaySettings = {}): Promise<LabGateway> {
    const database = `copy_${++this.#copies}`;
    const gateway = await prepareGateway(this.postgres, database, { ...settings, template: zone.database });
    try {
      await gateway.command(['keys', 'generate', ZONE]);
    } catch (error) {
      await gateway.remove();
      throw error;
    }
    // what copying and importing left to be written is not the measurement's
    this.postgres.psql('checkpoint', database);
    return {
      gateway,
      database,
      remove: async () => {
        await gateway.remove();
        this.dropDatabase(database);
      },
    };
  }

  dropDatabase(database: string): void {
    this.postgres.psql(`drop database if exists "${database}" with (force)`, 'postgres');
  }

  /** Does something while no checkpoint adds to the log: how much that is depends on when it comes. */
  async withoutCheckpoints<T>(work: () => Promise<T>): Promise<T> {
    const set = (settings: readonly string[]): void => {
      for (const setting of settings) this.postgres.psql(`alter system ${setting}`, 'postgres');
      this.postgres.psql('select pg_reload_conf()', 'postgres');
    };
    set(Object.entries(NO_CHECKPOINTS).map(([name, value]) => `set ${name} = '${value}'`));
    try {
      return await work();
    } finally {
      set(Object.keys(NO_CHECKPOINTS).map((name) => `reset ${name}`));
    }
  }
}

/** A gateway with a database of its own; `remove` ends and removes both. */
export interface LabGateway {
  readonly gateway: GatewayProcess;
  readonly database: string;
  remove(): Promise<void>;
}

/** Does something in turn, several times, and tells of each. */
export async function inRounds(
  what: string,
  rounds: number,
  work: (said: string, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await work(`  ${what}, round ${round + 1} of ${rounds}:`, round);
  }
  if (rounds === 0) say(`  ${what}: no rounds`);
}
