import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import { PostgresRolloverStore } from '../../src/store/rollover-store.js';
import { Fixture } from '../../test/store/fixture.js';
import { loadZone } from '../../test/store/rollover-fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { waitUntil } from '../lib/processes.js';

let server: TestPostgres;
let database: Database;
let f: Fixture;

beforeAll(async () => {
  server = await startPostgres();
  database = new Database({ url: server.url });
  await migrate(database);
  f = new Fixture(database);
  await f.prepare();
});

afterAll(async () => {
  await database?.close();
  server?.remove();
});

describe('a look at the keys of a zone that waits for another one', () => {
  /** Has the other look hold the row, noting what it notes, until this one waits for it. */
  const after = async (other: string, isEventTaken: boolean) => {
    const zone = await f.newZone(undefined, ['external']);
    const store = new PostgresRolloverStore(database);
    const { look } = await loadZone(f, zone);
    let noting: Promise<void> | undefined;
    await f.database.transaction(async (transaction) => {
      await transaction.execute(`update zoneseal.zones set ${other} where id = $1`, [zone.id]);
      if (isEventTaken)
        await transaction.execute('delete from zoneseal.key_looks where zone_id = $1', [zone.id]);
      noting = store.noteLooked(look, 5000);
      noting.catch(() => undefined); // heard below
      await waitUntil('the look waits for no row', async () => {
        const [waits] = await f.database.query(
          "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
        );
        return waits !== undefined;
      });
    });
    await noting;
    const [row] = await f.database.query<{ due: number | null; looks: number }>(
      `select extract(epoch from z.keys_due_at)::float8 as due, (select count(*) from zoneseal.key_looks l where l.zone_id = z.id) as looks
       from zoneseal.zones z where z.id = $1`,
      [zone.id],
    );
    return { ...row, events: look.events.length };
  };

  it('notes nothing where that one has noted another time, and has the zone looked at again', async () => {
    expect(await after('keys_due_at = to_timestamp(7000)', false)).toMatchObject({ due: 7000, looks: 1 });
  });

  it('does so where that one has taken what it has seen', async () => {
    const { due, looks, events } = await after('keys_due_at = keys_due_at', true);
    expect(events).toBeGreaterThan(0);
    expect(looks).toBe(1);
    expect(due).not.toBe(5000);
  });

  it('notes its time where that one has changed something else', async () => {
    expect(await after('delete_sentinel = not delete_sentinel', false)).toMatchObject({ due: 5000 });
  });
});
