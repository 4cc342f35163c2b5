import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { ZonesealError } from '../errors.js';
import { clientConfig, type Database } from './database.js';
import { databaseError } from './database-errors.js';

/** What a ChangeListener calls, and how patient it is. */
export interface ChangeListenerOptions {
  /**
   * Called for each notification: with the database id of a zone, `tsig`, `policy` or `lock`; with undefined when listening has
   * begun, or begun again, and anything may have changed unnoticed.
   */
  readonly onChange: (what: string | undefined) => void;
  /** Called when the connection cannot be made or was lost; it is tried again. */
  readonly onError?: (error: ZonesealError) => void;
  /** Milliseconds between looks at whether the connection is alive; default 30,000. */
  readonly pingInterval?: number;
  /** Milliseconds of the first wait before connecting again, doubled each time up to 30 s; default 500. */
  readonly firstDelay?: number;
}

const LONGEST_DELAY = 30_000;

/**
 * Listens for what the database tells of, on a connection of its own that is made again whenever it breaks. Notifications
 * can be missed while it is down (and never come through pgbouncer or from a replica): polling has to find what they told of.
 */
export class ChangeListener {
  readonly #database: Database;
  readonly #options: ChangeListenerOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #connected = false;

  constructor(database: Database, options: ChangeListenerOptions) {
    this.#database = database;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Whether notifications arrive at present. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Ends the connection. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const firstDelay = this.#options.firstDelay ?? 500;
    let delay = firstDelay;
    while (!signal.aborted) {
      try {
        await this.#listen(() => {
          delay = firstDelay;
        });
      } catch (error) {
        if (!signal.aborted) this.#options.onError?.(databaseError(error));
      }
      await sleep(delay * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      delay = Math.min(2 * delay, LONGEST_DELAY);
    }
  }

  /** One connection's life; returns when this is closed, throws when the connection breaks. */
  async #listen(onConnected: () => void): Promise<void> {
    const { signal } = this.#stop;
    await this.#database.options.recover?.();
    // a signal that was given already is told to nobody who comes later
    if (signal.aborted) return;
    const client = new pg.Client(clientConfig(this.#database.options));
    let ping: NodeJS.Timeout | undefined;
    // one for each connection: the signal lives as long as all of them
    let onAbort = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        onAbort = resolve;
        signal.addEventListener('abort', onAbort);
        client.on('error', reject);
        client.on('end', () => reject(new Error('Connection terminated')));
        client.on('notification', ({ payload }) => this.#options.onChange(payload ?? ''));
        const begin = async (): Promise<void> => {
          await client.connect();
          await client.query('listen zoneseal');
          this.#connected = true;
          onConnected();
          this.#options.onChange(undefined);
          const limit = this.#database.options.connectTimeout ?? 10_000;
          ping = setInterval(() => {
            const query = { text: 'select 1', query_timeout: limit };
            client.query(query).catch(reject);
          }, this.#options.pingInterval ?? 30_000);
        };
        begin().catch(reject);
      });
    } finally {
      clearInterval(ping);
      signal.removeEventListener('abort', onAbort);
      this.#connected = false;
      client.removeAllListeners('end');
      await client.end().catch(() => undefined);
    }
  }
}
