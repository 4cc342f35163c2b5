import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import { startDevelopmentBarbican } from '../../src/barbican/development.js';
import { describeDevelopmentBarbican } from '../../src/gateway-parts.js';
import { removeRunningGateway, writeRunningGateway } from '../../src/running-gateway.js';
import type { Database } from '../../src/store/database.js';
import { openMigrated } from '../embedded-database.js';
import { type Run, zonesealHere } from './run.js';

/** Commands beside what a running gateway has open: the embedded database and the development Barbican. */
export interface CommandFixture {
  readonly folder: string;
  readonly database: Database;
  /** The development Barbican, as its one user. */
  readonly keyStore: BarbicanClient;
  /** Runs a command; its words are split at spaces where they are one text. */
  run(args: string | readonly string[]): Promise<Run>;
  /** Runs a command that has to succeed. */
  done(args: string | readonly string[]): Promise<Run>;
  json(args: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Opens them in a folder of their own. */
export async function openCommandFixture(): Promise<CommandFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'zoneseal-cli-'));
  const data = join(folder, 'data');
  const config = join(folder, 'zoneseal.yaml');
  await writeFile(config, 'data: ./data\n');
  const database = await openMigrated(join(data, 'database'));
  const barbican = await startDevelopmentBarbican({ dataFolder: join(data, 'barbican') });
  writeRunningGateway(data, { pid: process.pid, barbican: describeDevelopmentBarbican(barbican) });
  const keyStore = new BarbicanClient(barbican);
  const run = (args: string | readonly string[]): Promise<Run> =>
    zonesealHere([...(typeof args === 'string' ? args.split(' ') : args), '--config', config]);
  const done = async (args: string | readonly string[]): Promise<Run> => {
    const result = await run(args);
    expect(result.code, `${String(args)}: ${result.stderr}`).toBe(0);
    return result;
  };
  return {
    folder,
    database,
    keyStore,
    run,
    done,
    json: async (args) => JSON.parse((await done(`${args} --json`)).stdout) as unknown,
    close: async () => {
      removeRunningGateway(data);
      keyStore.close();
      await barbican.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Makes a zone with the keys of its policy that has been served for long, as far as the database knows. */
export async function serveLong(f: CommandFixture, zone: string, view: string): Promise<void> {
  await f.done(`view add ${view}`);
  await f.database.execute('insert into zoneseal.zones (name) values ($1)', [zone]);
  await f.database.execute(
    'insert into zoneseal.zone_views (zone_id, view) select id, $2 from zoneseal.zones where name = $1',
    [zone, view],
  );
  await f.done(`keys generate ${zone}`);
  await f.database.execute(
    `insert into zoneseal.key_set_uses (zone_id, view, version, since, max_ttl, dnskey_ttl)
     select id, $2, key_set_version, now() - interval '1 year', 3600, 3600 from zoneseal.zones where name = $1`,
    [zone, view],
  );
}
