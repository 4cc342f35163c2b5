import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Database } from '../src/store/database.js';
import { migrate } from '../src/store/migrate.js';
import { openDatabase } from '../src/store/open.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MIGRATIONS = join(ROOT, 'src/store/migrations');

/**
 * Opens an embedded database with all migrations in a folder that is not there yet, or empty. It is a copy of one that is made once for each form
 * of the migrations: making one takes seconds.
 */
export async function openMigrated(folder: string): Promise<Database> {
  await mkdir(dirname(folder), { recursive: true });
  await cp(await template(), folder, { recursive: true });
  const database = await openDatabase({ embedded: folder });
  await migrate(database);
  return database;
}

async function template(): Promise<string> {
  const made = join(ROOT, 'node_modules/.cache/zoneseal', `embedded-${form()}`);
  if (existsSync(made)) return made;
  await mkdir(dirname(made), { recursive: true });
  const making = await mkdtemp(`${made}.`);
  const database = await openDatabase({ embedded: join(making, 'database') });
  await migrate(database);
  await database.close();
  try {
    await rename(join(making, 'database'), made);
  } catch (error) {
    // another test was quicker
    if (!existsSync(made)) throw error;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return made;
}

/** Another one for other migrations, or another PGlite. */
function form(): string {
  const hash = createHash('sha256');
  const files = readdirSync(MIGRATIONS)
    .sort()
    .map((name) => join(MIGRATIONS, name));
  for (const file of [...files, join(ROOT, 'node_modules/@electric-sql/pglite/package.json')]) {
    hash.update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}
