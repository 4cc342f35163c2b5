import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { type OpenStore, openStore } from '../../src/gateway-store.js';
import { PublicationKeeper } from '../../src/publication/keeper.js';
import { ConfigFolder } from '../../test/lib/config-folder.js';
import { ListLog } from '../../test/transfer/fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';

const files = new ConfigFolder();
let server: TestPostgres;
let store: OpenStore;
/** What was stopped and has to go on before the server can end. */
let stopped: number[] = [];

beforeAll(async () => {
  server = await startPostgres();
  store = await openStore(files.load(`database: { url: "${server.url}", connectTimeout: 1 }\n`));
  await store.migrate();
});

afterAll(async () => {
  goOn();
  await store?.close();
  server?.remove();
  files.remove();
});

/** Stops the server and all that serves a client, as a machine that hangs does: no socket is closed. */
function hang(): void {
  const backends = server.psql(
    "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  );
  stopped = [...backends.split('\n').filter(Boolean).map(Number), server.pid()];
  for (const pid of stopped) process.kill(pid, 'SIGSTOP');
}

function goOn(): void {
  for (const pid of stopped.splice(0)) {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // it has ended
    }
  }
}

async function secondsUntil(check: () => boolean): Promise<number> {
  const begun = performance.now();
  while (!check() && performance.now() - begun < 30_000) await sleep(20);
  return (performance.now() - begun) / 1000;
}

it('a server that hangs is a fault within two polls and the time for a connection, and none when it goes on', async () => {
  const keeper = new PublicationKeeper({
    manager: { makeDue: async () => (await store.publications.listDue(10)).length, forget: () => undefined },
    databaseTime: () => store.time(),
    refresh: async () => {
      await store.readTsigKeys();
    },
    clock: systemClock,
    log: new ListLog(),
    pollSeconds: 1,
    patienceSeconds: 1,
    skewSeconds: 5,
  });
  await keeper.start();
  expect(keeper.fault).toBeUndefined();
  hang();
  expect(await secondsUntil(() => keeper.fault !== undefined)).toBeLessThan(5);
  await sleep(2000);
  expect(keeper.fault).toBeDefined();
  goOn();
  expect(await secondsUntil(() => keeper.fault === undefined)).toBeLessThan(10);
  await keeper.close();
});
