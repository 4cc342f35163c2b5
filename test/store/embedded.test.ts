import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Database } from '../../src/store/database.js';
import { openMigrated } from '../embedded-database.js';
import { Fixture } from './fixture.js';
import { clockSuite } from './suites/clock.js';
import { concurrentLooksSuite } from './suites/concurrent-looks.js';
import { journalsSuite } from './suites/journals.js';
import { keySetUsesSuite } from './suites/key-set-uses.js';
import { namesSuite } from './suites/names.js';
import { operatorsSuite } from './suites/operators.js';
import { pagesSuite } from './suites/pages.js';
import { peersSuite } from './suites/peers.js';
import { pruningSuite } from './suites/pruning.js';
import { publicationsSuite } from './suites/publications.js';
import { recoverySuite } from './suites/recovery.js';
import { rolloversSuite } from './suites/rollovers.js';
import { silentParentsSuite } from './suites/silent-parents.js';
import { smallZonesSuite } from './suites/small-zones.js';
import { unknownParentsSuite } from './suites/unknown-parents.js';
import { versionsSuite } from './suites/versions.js';
import { writingSuite } from './suites/writing.js';

const folder = mkdtempSync(join(tmpdir(), 'zoneseal-store-'));
let database: Database;
let fixture: Fixture;

beforeAll(async () => {
  database = await openMigrated(folder);
  fixture = new Fixture(database);
  await fixture.prepare();
});

afterAll(async () => {
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
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
writingSuite(() => fixture);
