import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestPostgres } from '../lib/postgres.js';
import { TOOLS } from '../lib/tools.js';

/** A way of keeping a database, and of getting it back. */
export interface Backup {
  readonly title: string;
  save(postgres: TestPostgres): Promise<void>;
  restore(postgres: TestPostgres): Promise<void>;
}

const BIN = dirname((TOOLS['postgres'] as { path: string }).path);

/** Runs a program as the user of PostgreSQL. */
function run(command: readonly string[], input?: string): string {
  const asRoot = process.getuid?.() === 0;
  const [file, ...rest] = asRoot ? ['/usr/sbin/runuser', '-u', 'postgres', '--', ...command] : command;
  return execFileSync(file as string, rest, {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
    cwd: '/',
    ...(input === undefined ? {} : { input }),
  });
}

/** The files of the stopped server: the same cluster, the same timeline. */
export function fileBackup(): Backup {
  return {
    title: 'files',
    save: async (postgres) => {
      const data = join(postgres.socketFolder, 'data');
      postgres.stop();
      run(['cp', '-a', data, `${data}.backup`]);
      await postgres.start();
    },
    restore: async (postgres) => {
      const data = join(postgres.socketFolder, 'data');
      postgres.stop('immediate');
      rmSync(data, { recursive: true });
      run(['cp', '-a', `${data}.backup`, data]);
      await postgres.start();
    },
  };
}

/** What docs/operations.md leaves out of a dump. */
const LEAN = ['--exclude-table-data=zoneseal.signed_*', '--exclude-table-data=zoneseal.journal_parts'];

/** What pg_dump writes, into a new database of the same cluster; or that without what can be signed anew. */
export function dumpBackup({ isLean = false } = {}): Backup {
  let dump = '';
  return {
    title: isLean ? 'a dump without signatures' : 'a dump',
    save: (postgres) => {
      const { socketFolder, port } = postgres;
      dump = run([
        join(BIN, 'pg_dump'),
        '-h',
        socketFolder,
        '-p',
        String(port),
        '-U',
        'postgres',
        ...(isLean ? LEAN : []),
        'zoneseal',
      ]);
      return Promise.resolve();
    },
    restore: (postgres) => {
      postgres.psql('drop database zoneseal with (force)', 'postgres');
      postgres.psql('create database zoneseal', 'postgres');
      postgres.psql(dump);
      return Promise.resolve();
    },
  };
}

/** The stopped server's files again, and a recovery that ends: another timeline, as after the promotion of a standby. */
export function promotionBackup(): Backup {
  const files = fileBackup();
  return {
    title: 'a promoted standby',
    save: (postgres) => files.save(postgres),
    restore: async (postgres) => {
      await files.restore(postgres);
      const data = join(postgres.socketFolder, 'data');
      postgres.stop();
      run(['touch', join(data, 'standby.signal')]);
      await postgres.start();
      postgres.psql('select pg_promote()', 'postgres');
    },
  };
}
