import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { errorMessage, ZonesealError } from '../errors.js';
import { workerUrl } from '../worker-url.js';
import type { EmbeddedWorkerData, EmbeddedWorkerReport, EmbeddedWorkerRequest } from './embedded-worker.js';
import { type LockHolder, releaseLock, takeLock } from './folder-lock.js';

/** The number in the name of the socket; no port is opened. */
export const SOCKET_PORT = 5432;

const MAX_CONNECTIONS = 50;
const IDLE_IN_TRANSACTION = 60_000;
const START_PATIENCE = 60_000;
const STOP_PATIENCE = 10_000;
/** Octets of a Unix socket's path that every system takes. */
const MAX_SOCKET_PATH = 100;

/**
 * The embedded PostgreSQL on a folder: run in a thread of this process, or, where another process (a gateway, say)
 * has the folder open, reached through that one. When the other one ends, the next `ensure` starts it here.
 */
export class EmbeddedPostgres {
  readonly #folder: string;
  readonly #lock: string;
  #socketFolder: string;
  #worker: Worker | undefined;
  #owned = false;
  #stopping = false;
  #ensuring: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = resolve(folder);
    this.#lock = join(this.#folder, 'lock');
    this.#socketFolder = this.#folder;
  }

  /** The folder of the socket under which the database is served now. */
  get socketFolder(): string {
    return this.#socketFolder;
  }

  /** Whether it runs in this process. */
  get owned(): boolean {
    return this.#worker !== undefined;
  }

  /** Sees to it that the database can be connected to. @throws ZonesealError EMBEDDED_FAILED */
  ensure(): Promise<void> {
    this.#ensuring ??= this.#ensure().finally(() => {
      this.#ensuring = undefined;
    });
    return this.#ensuring;
  }

  async #ensure(): Promise<void> {
    if (this.#stopping) throw failure(this.#folder, 'it is being closed');
    if (this.#worker !== undefined) return;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    chmodSync(this.#folder, 0o700);
    const deadline = process.uptime() * 1000 + START_PATIENCE;
    while (process.uptime() * 1000 < deadline) {
      const ownFolder = this.#owned ? this.#socketFolder : chooseSocketFolder(this.#folder);
      const holder = this.#owned ? undefined : takeLock(this.#lock, ownFolder);
      if (holder === undefined) {
        this.#owned = true;
        this.#socketFolder = ownFolder;
        await this.#start();
        return;
      }
      if (ownFolder !== this.#folder) rmSync(ownFolder, { recursive: true, force: true });
      this.#socketFolder = holder.socketFolder;
      if (await canConnect(holder)) return;
      await sleep(100); // it is starting, or ending
    }
    throw failure(this.#folder, 'the process that has it open does not serve it; end that process');
  }

  async #start(): Promise<void> {
    const dataFolder = join(this.#folder, 'pgdata');
    // a start that was cut off in the middle of creating the database leaves no version file that PGlite could open
    if (existsSync(dataFolder) && !existsSync(join(dataFolder, 'PG_VERSION'))) {
      rmSync(dataFolder, { recursive: true, force: true });
    }
    const workerData: EmbeddedWorkerData = {
      dataFolder,
      socketPath: join(this.#socketFolder, `.s.PGSQL.${SOCKET_PORT}`),
      maxConnections: MAX_CONNECTIONS,
      idleInTransaction: IDLE_IN_TRANSACTION,
    };
    const worker = new Worker(workerUrl(import.meta.url, './embedded-worker.js'), {
      workerData,
      execArgv: [],
    });
    try {
      await new Promise<void>((started, failed) => {
        worker.once('message', (report: EmbeddedWorkerReport) => {
          if (report.kind === 'ready') started();
          else failed(failure(this.#folder, report.kind === 'failed' ? report.message : 'it stopped'));
        });
        worker.once('error', (error) => failed(failure(this.#folder, errorMessage(error))));
        worker.once('exit', (code) => failed(failure(this.#folder, `its thread ended with ${code}`)));
      });
    } catch (error) {
      await worker.terminate();
      this.#release();
      throw error;
    }
    this.#worker = worker;
    worker.unref();
    worker.on('error', () => undefined);
    // the lock is kept: the next `ensure` starts the thread anew
    worker.once('exit', () => {
      this.#worker = undefined;
    });
  }

  /** Closes the database if it runs here, after the transaction under way. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ensuring?.catch(() => undefined);
    const worker = this.#worker;
    if (worker !== undefined) {
      worker.ref();
      const stopped = new Promise<void>((done) => worker.once('exit', () => done()));
      const request: EmbeddedWorkerRequest = { kind: 'stop', patience: STOP_PATIENCE };
      worker.postMessage(request, []);
      const timeout = sleep(2 * STOP_PATIENCE, undefined, { ref: false });
      await Promise.race([stopped, timeout]);
      await worker.terminate();
    }
    this.#release();
  }

  #release(): void {
    if (!this.#owned) return;
    this.#owned = false;
    rmSync(join(this.#socketFolder, `.s.PGSQL.${SOCKET_PORT}`), { force: true });
    if (this.#socketFolder !== this.#folder) rmSync(this.#socketFolder, { recursive: true, force: true });
    releaseLock(this.#lock);
  }
}

/** The folder itself, whose mode keeps others out; another one where the path would be too long for a socket. */
function chooseSocketFolder(folder: string): string {
  if (Buffer.byteLength(join(folder, `.s.PGSQL.${SOCKET_PORT}`)) <= MAX_SOCKET_PATH) return folder;
  return mkdtempSync(join(tmpdir(), 'zoneseal-'));
}

function canConnect(holder: LockHolder): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(join(holder.socketFolder, `.s.PGSQL.${SOCKET_PORT}`));
    socket.once('connect', () => {
      socket.destroy();
      answer(true);
    });
    socket.once('error', () => answer(false));
  });
}

function failure(folder: string, reason: string): ZonesealError {
  return new ZonesealError('EMBEDDED_FAILED', `embedded database in ${folder}: ${reason}`, { folder });
}
