import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { POSTGRES_BIN as BIN } from './tools.js';

export interface PostgresOptions {
  /** Lines for postgresql.conf. */
  readonly settings?: readonly string[];
  /** Whether commits wait for the disk; tests that kill the server want it. Default false. */
  readonly durable?: boolean;
  /** Variables of the server's, such as those of libfaketime. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a stop treats clients: waits for their transactions, ends them, or as if the machine had lost power. */
export type StopMode = 'smart' | 'fast' | 'immediate';

/** A PostgreSQL of the suite's own, in a temporary folder, on a free loopback port. */
export interface TestPostgres {
  /** postgres://postgres@127.0.0.1:port/zoneseal, to which anyone on this machine may connect. */
  readonly url: string;
  readonly port: number;
  /** The folder of its Unix socket. */
  readonly socketFolder: string;
  /** The process id of the postmaster. */
  pid(): number;
  /** Creates another database and returns its URL. */
  createDatabase(name: string): string;
  /** Runs psql as the superuser and returns what it prints. */
  psql(sql: string, database?: string): string;
  start(): Promise<void>;
  stop(mode?: StopMode): void;
  restart(mode?: StopMode): Promise<void>;
  /** Keeps a copy of its files, as a backup of the machine does; it must be stopped. */
  saveFiles(name: string): void;
  /** Puts a copy that was kept in the place of its files; it must be stopped. */
  restoreFiles(name: string): void;
  /** The database as pg_dump has it. */
  dump(database?: string): string;
  /** Puts such a dump in the place of the database, whoever is connected. */
  restoreDump(dump: string, database?: string): void;
  /** Stops it and removes its folder. */
  remove(): void;
}

/** Runs a program of PostgreSQL, which refuses to run as root, as its own user. */
function run(program: string, args: readonly string[], options: { input?: string } = {}): string {
  const command = [join(BIN, program), ...args];
  const asRoot = process.getuid?.() === 0;
  const [file, ...rest] = asRoot ? ['/usr/sbin/runuser', '-u', 'postgres', '--', ...command] : command;
  return execFileSync(file as string, rest, {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
    cwd: '/',
    ...options,
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Makes and starts one, with an empty database `zoneseal`. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const folder = makeFolder();
  run('initdb', [
    '-D',
    join(folder, 'data'),
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '-N',
  ]);
  const server = serverIn(folder, await freePort(), options);
  await server.start();
  server.psql('create database zoneseal', 'postgres');
  return server;
}

/** Makes and starts a streaming replica of a running one. */
export async function startReplica(
  primary: Pick<TestPostgres, 'port' | 'socketFolder'>,
  options: PostgresOptions = {},
): Promise<TestPostgres> {
  const folder = makeFolder();
  const source = ['-h', primary.socketFolder, '-p', String(primary.port), '-U', 'postgres'];
  run('pg_basebackup', [...source, '-D', join(folder, 'data'), '-X', 'stream', '-c', 'fast', '-R']);
  const server = serverIn(folder, await freePort(), options);
  await server.start();
  return server;
}

/** The URL of a server's database for another user. */
export function userUrl(postgres: Pick<TestPostgres, 'url'>, user: string): string {
  const url = new URL(postgres.url);
  url.username = user;
  return url.href;
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'zoneseal-pg-'));
  if (process.getuid?.() === 0) execFileSync('chown', ['postgres', folder]);
  chmodSync(folder, 0o755);
  return folder;
}

function serverIn(folder: string, port: number, options: PostgresOptions): TestPostgres {
  const data = join(folder, 'data');
  const settings = [
    ...(options.durable === true ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
    'max_connections=100',
    ...(options.settings ?? []),
  ];
  const flags = [
    `-p ${port}`,
    `-k ${folder}`,
    '-h 127.0.0.1',
    ...settings.map((setting) => `-c "${setting}"`),
  ].join(' ');
  const psql = (sql: string, database = 'zoneseal'): string =>
    run(
      'psql',
      [
        '-h',
        folder,
        '-p',
        String(port),
        '-U',
        'postgres',
        '-d',
        database,
        '-X',
        '-A',
        '-t',
        '-q',
        '-v',
        'ON_ERROR_STOP=1',
      ],
      { input: sql },
    );
  const isReady = (): boolean => {
    try {
      psql('select 1', 'postgres');
      return true;
    } catch {
      return false; // it is still recovering
    }
  };
  const server: TestPostgres = {
    url: `postgres://postgres@127.0.0.1:${port}/zoneseal`,
    port,
    socketFolder: folder,
    pid: () => Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]),
    createDatabase: (name) => {
      psql(`create database "${name}"`, 'postgres');
      return `postgres://postgres@127.0.0.1:${port}/${name}`;
    },
    psql,
    start: async () => {
      // pg_ctl hands its output to the server, so it must not be a pipe that someone waits for
      const asRoot = process.getuid?.() === 0;
      const command = [join(BIN, 'pg_ctl'), '-D', data, '-l', join(folder, 'log'), '-o', flags, 'start'];
      const [file, ...rest] = asRoot ? ['/usr/sbin/runuser', '-u', 'postgres', '--', ...command] : command;
      spawn(file as string, rest, {
        stdio: 'ignore',
        cwd: '/',
        env: { ...process.env, ...options.environment },
      });
      for (let i = 0; i < 300; i++) {
        if ((await accepts(port)) && isReady()) return;
        await sleep(100);
      }
      throw new Error(
        `PostgreSQL does not start:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`,
      );
    },
    stop: (mode = 'fast') => {
      run('pg_ctl', ['-D', data, '-m', mode, '-w', 'stop']);
    },
    restart: async (mode = 'fast') => {
      server.stop(mode);
      await server.start();
    },
    saveFiles: (name) => {
      execFileSync('cp', ['-a', data, join(folder, name)]);
    },
    restoreFiles: (name) => {
      rmSync(data, { recursive: true });
      execFileSync('cp', ['-a', join(folder, name), data]);
    },
    dump: (database = 'zoneseal') =>
      run('pg_dump', ['-h', folder, '-p', String(port), '-U', 'postgres', database]),
    restoreDump: (dump, database = 'zoneseal') => {
      psql(`drop database "${database}" with (force)`, 'postgres');
      psql(`create database "${database}"`, 'postgres');
      psql(dump, database);
    },
    remove: () => {
      try {
        server.stop('immediate');
      } catch {
        // it is stopped already
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return server;
}
