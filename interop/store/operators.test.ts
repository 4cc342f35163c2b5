import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Publication } from '../../src/publication/ports.js';
import { isAfter } from '../../src/publication/serial.js';
import { Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import { OperatorStore } from '../../src/store/operator-store.js';
import { prune } from '../../src/store/prune.js';
import { Fixture, resultOf } from '../../test/store/fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';

let server: TestPostgres;
let databases: Database[];
let f: Fixture;

beforeAll(async () => {
  server = await startPostgres();
  // separate pools, as writers, gateways and operators have them
  databases = Array.from({ length: 4 }, () => new Database({ url: server.url, poolSize: 4 }));
  await migrate(databases[0] as Database);
  f = new Fixture(databases[0] as Database);
  await f.prepare();
});

afterAll(async () => {
  await Promise.all((databases ?? []).map((database) => database.close()));
  server?.remove();
});

const at = (index: number): Database => databases[index] as Database;

describe('freezing', () => {
  it('waits for a writer that is under way, whose version is then held', async () => {
    const zone = await f.newZone(undefined, ['external']);
    const operators = new OperatorStore(at(1));
    let frozen: Promise<{ version: number; isNew: boolean }> | undefined;
    await at(2).transaction(async (transaction) => {
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']], transaction);
      frozen = operators.freeze(zone.name);
      expect(await Promise.race([frozen, sleep(300, 'waiting')])).toBe('waiting');
    });
    expect(await frozen).toEqual({ version: 2, isNew: true });
    await f.insert(zone.name, [['b', 'A', '192.0.2.2']]);
    expect(await f.publish(zone)).toMatchObject({ zoneVersion: 2 });
    expect(await f.show(zone, 2)).toHaveLength(2);
  });

  it('and all else that operators do at once with writers, gateways and pruning loses nothing and moves forward', async () => {
    const zone = await f.newZone();
    const operators = new OperatorStore(at(1));
    // ready ones by view; what the gateways hear of them can come in another order than they were committed in
    const ready = new Map<string, Pick<Publication, 'id' | 'serial'>[]>([
      ['internal', []],
      ['external', []],
    ]);
    const begin = performance.now();
    // until there is enough to compare, however loaded the machine is
    const goesOn = (): boolean => {
      const elapsed = performance.now() - begin;
      return elapsed < 4000 || (elapsed < 60_000 && [...ready.values()].some(({ length }) => length <= 10));
    };
    const loop = async (work: (round: number) => Promise<unknown>): Promise<void> => {
      for (let round = 0; goesOn(); round++) await work(round);
    };
    const gateway = (name: string, database: Database): Promise<void> => {
      const own = new Fixture(database);
      return loop(async (round) => {
        const view = round % 2 === 0 ? 'internal' : 'external';
        const allocation = await own.allocate(zone, view, name);
        if (allocation.kind !== 'allocated') return sleep(1);
        const { publication } = allocation;
        // its version can be read, whatever was pruned
        expect(await own.show(zone, publication.zoneVersion)).not.toEqual([]);
        const isReady = await own.publications.markReady(publication.id, name, resultOf(publication));
        if (isReady) ready.get(view)?.push(publication);
      });
    };
    await Promise.all([
      gateway('g1', at(2)),
      gateway('g2', at(3)),
      loop((round) => f.insert(zone.name, [[`r${round}`, 'A', '192.0.2.1']])),
      loop(async (round) => {
        if (round % 3 === 0) await operators.freeze(zone.name);
        else if (round % 3 === 1) await operators.thaw(zone.name);
        else await operators.resign(zone.name);
        await sleep(20);
      }),
      loop(async () => {
        const last = Math.max(...(await operators.lines(zone.name)).map((line) => line.last ?? 0));
        await operators.moveSerials(zone.name, ['internal'], last + 10).catch((error: Error) => {
          expect(error.message).toMatch(/does not come after|the last one given out/);
        });
        await sleep(30);
      }),
      loop(async () => {
        await prune(at(1), { holder: 'p', keep: 1 });
        await sleep(10);
      }),
    ]);
    for (const [view, publications] of ready) {
      const given = publications.sort((a, b) => Number(a.id) - Number(b.id)).map(({ serial }) => serial);
      expect(given.length, view).toBeGreaterThan(10);
      for (let i = 1; i < given.length; i++) {
        expect(isAfter(given[i] as number, given[i - 1] as number), `${view} ${given}`).toBe(true);
      }
    }
    await operators.thaw(zone.name);
    for (const view of await f.due(zone)) await f.publish(zone, view);
    const newest = await f.version(zone.name);
    for (const view of ready.keys()) {
      expect(await f.publications.newestReady(zone.id, view)).toMatchObject({ zoneVersion: newest });
    }
  });
});
