import { afterAll, beforeAll } from 'vitest';
import type { Database } from '../../src/store/database.js';
import { Database as PostgresDatabase } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import { Fixture } from '../../test/store/fixture.js';
import { clockSuite } from '../../test/store/suites/clock.js';
import { concurrentLooksSuite } from '../../test/store/suites/concurrent-looks.js';
import { journalsSuite } from '../../test/store/suites/journals.js';
import { keySetUsesSuite } from '../../test/store/suites/key-set-uses.js';
import { namesSuite } from '../../test/store/suites/names.js';
import { operatorsSuite } from '../../test/store/suites/operators.js';
import { pagesSuite } from '../../test/store/suites/pages.js';
import { peersSuite } from '../../test/store/suites/peers.js';
import { pruningSuite } from '../../test/store/suites/pruning.js';
import { publicationsSuite } from '../../test/store/suites/publications.js';
import { recoverySuite } from '../../test/store/suites/recovery.js';
import { rolloversSuite } from '../../test/store/suites/rollovers.js';
import { silentParentsSuite } from '../../test/store/suites/silent-parents.js';
import { smallZonesSuite } from '../../test/store/suites/small-zones.js';
import { unknownParentsSuite } from '../../test/store/suites/unknown-parents.js';
import { upgradingSuite } from '../../test/store/suites/upgrading.js';
import { versionsSuite } from '../../test/store/suites/versions.js';
import { writingSuite } from '../../test/store/suites/writing.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';

let server: TestPostgres;
let database: Database;
let fixture: Fixture;

beforeAll(async () => {
  server = await startPostgres();
  database = new PostgresDatabase({ url: server.url });
  await migrate(database);
  fixture = new Fixture(database);
  await fixture.prepare();
});

afterAll(async () => {
  await database?.close();
  server?.remove();
});

namesSuite(() => fixture);
versionsSuite(() => fixture);
publicationsSuite(() => fixture);
pruningSuite(() => fixture);
operatorsSuite(() => fixture);
pagesSuite(() => fixture);
journalsSuite(() => fixture);
smallZonesSuite(() => fixture);
peersSuite(() => fixture);
recoverySuite(() => fixture);
keySetUsesSuite(() => fixture);
rolloversSuite(() => fixture);
concurrentLooksSuite(() => fixture);
silentParentsSuite(() => fixture);
unknownParentsSuite(() => fixture);
clockSuite(() => fixture);
upgradingSuite((name) => Promise.resolve(new PostgresDatabase({ url: server.createDatabase(name) })));
writingSuite(() => fixture);
