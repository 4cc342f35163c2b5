import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ZonesealError } from '../errors.js';
import { breaksConnection, databaseError } from './database-errors.js';
import { parseTextArray } from './text-array.js';

/** How to reach a PostgreSQL, and what its connections are allowed. */
export interface DatabaseOptions {
  /** postgres://user@host:port/database; or what pg needs to find a socket. */
  readonly url?: string;
  /** In place of a URL: the folder of a Unix socket and the port in its name, asked for at each connection. */
  readonly socket?: () => SocketAddress;
  readonly password?: string;
  /** PEM of the CA that signed the server's certificate; TLS is required when it is given. */
  readonly ca?: string;
  /** Connections at the most; default 10. */
  readonly poolSize?: number;
  /** Milliseconds that a statement may take; default 60,000. */
  readonly statementTimeout?: number;
  /** Milliseconds to wait for a connection, a free one in the pool included; default 10,000. */
  readonly connectTimeout?: number;
  /** How often a statement or transaction is tried when it loses against others; default 5. */
  readonly attempts?: number;
  /** Shown in pg_stat_activity; default zoneseal. */
  readonly applicationName?: string;
  /** The server is a PGlite: one transaction at a time, so none is held open while rows are worked on. */
  readonly embedded?: boolean;
  /** Tries to bring the server back; called when no connection can be had, which is then tried once more. */
  readonly recover?: () => Promise<void>;
}

/** A Unix socket as PostgreSQL names it, and who connects. */
export interface SocketAddress {
  readonly folder: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** Something that runs statements: the pool, or one transaction. */
export interface Queryable {
  /** The rows of a statement. @throws ZonesealError */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** How many rows a statement wrote. @throws ZonesealError */
  execute(text: string, values?: readonly unknown[]): Promise<number>;
}

/** One transaction, with its connection for what needs more than statements (cursors, COPY). */
export interface Transaction extends Queryable {
  readonly client: pg.PoolClient;
  /** For what is run on the connection itself. */
  readonly limit: ClientLimit;
}

/** How long a client waits for a statement, where not as long as by default. */
export interface ClientLimit {
  /** Milliseconds; pg's name for it. */
  readonly query_timeout?: number;
}

/** How a transaction is run. */
export interface TransactionOptions {
  /** One snapshot for all statements, nothing written. */
  readonly snapshot?: boolean;
  /**
   * Rows are found by indexes, whatever the statistics say: those of tables that ten thousand new zones have just filled know of none,
   * and each batch would read them whole.
   */
  readonly byIndex?: boolean;
  /** Milliseconds that a statement in it may take, where not the default; 0: no limit. */
  readonly statementTimeout?: number;
  /** How often it is tried when it loses against others; default 5. The work must do the same again. */
  readonly attempts?: number;
}

/** int8 comes as text; ids, versions and counts stay far below 2^53. */
function parseInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond what a number holds`);
  return value;
}

const PARSERS = new Map<number, (text: string) => unknown>([
  [20, parseInteger],
  [1009, parseTextArray],
]);

/** Types for connections of Zoneseal alone; pg's global ones stay as they are. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    (format !== 'binary' && PARSERS.get(oid)) || (pg.types.getTypeParser(oid, format) as unknown),
};

const ATTEMPTS = 5;
const CLIENT_GRACE = 10_000;
const IDLE_IN_TRANSACTION = 300_000;

/** The settings of a client, for the pool and for connections beside it. */
export function clientConfig(options: DatabaseOptions): pg.ClientConfig {
  const { url, socket, password, ca } = options;
  const common: pg.ClientConfig = {
    types,
    application_name: options.applicationName ?? 'zoneseal',
    connectionTimeoutMillis: options.connectTimeout ?? 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  if (socket !== undefined) {
    const { folder, port, user, database } = socket();
    return { ...common, host: folder, port, user, database };
  }
  if (url === undefined)
    throw new ZonesealError('DATABASE_FAILED', 'database: neither a URL nor a socket is given');
  const target = new URL(url);
  // what pg finds in a URL, an empty password too, takes the place of what stands beside it
  if (password !== undefined) target.searchParams.set('password', password);
  if (ca === undefined) return { ...common, connectionString: target.href };
  target.searchParams.delete('sslmode');
  return { ...common, connectionString: target.href, ssl: { ca, rejectUnauthorized: true } };
}

/**
 * Connections to one PostgreSQL (or PGlite): bounded, with time-outs, errors mapped to ZonesealError. Nothing is kept
 * over an outage: each call gets a working connection or an error, and the next call tries anew.
 */
export class Database {
  readonly options: DatabaseOptions;
  readonly #pool: pg.Pool;
  readonly #closers: (() => Promise<void>)[] = [];
  #closed: Promise<void> | undefined;

  constructor(options: DatabaseOptions) {
    this.options = options;
    const statementTimeout = options.statementTimeout ?? 60_000;
    this.#pool = new pg.Pool({
      ...clientConfig(options),
      max: options.poolSize ?? 10,
      idleTimeoutMillis: 60_000,
      // the server ends a statement that takes too long; this is for a server that has gone without a word
      query_timeout: statementTimeout + CLIENT_GRACE,
      onConnect: (client) => client.query(sessionSettings(statementTimeout)) as unknown as undefined,
    });
    // a connection that breaks is told of by the call that uses it; an idle one leaves the pool by itself
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  get embedded(): boolean {
    return this.options.embedded ?? false;
  }

  /** Connections in the pool, those in use among them, and calls that wait for one. */
  get statistics(): { readonly connections: number; readonly used: number; readonly waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { connections: totalCount, used: totalCount - idleCount, waiting: waitingCount };
  }

  /** @param limit milliseconds to wait for the answer, where it is not for the statement's time-out to say */
  async query<Row extends object>(
    text: string,
    values: readonly unknown[] = [],
    limit?: number,
  ): Promise<Row[]> {
    return (await this.#run<Row>(text, values, limit)).rows;
  }

  async execute(text: string, values: readonly unknown[] = []): Promise<number> {
    return (await this.#run(text, values)).rowCount ?? 0;
  }

  #run<Row extends object>(
    text: string,
    values: readonly unknown[],
    limit?: number,
  ): Promise<pg.QueryResult<Row>> {
    return retrying(this.options.attempts ?? ATTEMPTS, async () => {
      const client = await this.connect();
      try {
        const result = await runOn<Row>(client, {
          text,
          values: [...values],
          ...(limit === undefined ? {} : { query_timeout: limit }),
        });
        client.release();
        return result;
      } catch (error) {
        client.release(breaksConnection(error));
        throw error;
      }
    });
  }

  /**
   * Runs work in one transaction: committed when it returns, rolled back when it throws, done again when it lost against
   * others. The work must not wait for the network or for another connection.
   */
  transaction<T>(
    work: (transaction: Transaction) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    return retrying(options.attempts ?? this.options.attempts ?? ATTEMPTS, () =>
      this.#attempt(work, options),
    );
  }

  async #attempt<T>(work: (transaction: Transaction) => Promise<T>, options: TransactionOptions): Promise<T> {
    const client = await this.connect();
    try {
      const begin = options.snapshot === true ? 'begin isolation level repeatable read read only' : 'begin';
      await runOn(client, {
        text: options.byIndex === true ? `${begin}; set local enable_seqscan = off` : begin,
      });
      if (options.statementTimeout !== undefined) {
        await runOn(client, {
          text: `set local statement_timeout = ${Math.floor(options.statementTimeout)}`,
        });
      }
      const result = await work(transactionOn(client, options));
      // what is deferred to the end may take as long as a statement
      await runOn(client, { text: 'commit', ...limitOf(options) });
      client.release();
      return result;
    } catch (error) {
      client.release(breaksConnection(error) || (await rollback(client)));
      throw error;
    }
  }

  /** A connection of the pool, to be released. @throws ZonesealError */
  async connect(): Promise<pg.PoolClient> {
    const { recover, socket } = this.options;
    try {
      return await this.#pool.connect();
    } catch (thrown) {
      const error = databaseError(thrown);
      if (recover === undefined || error.code !== 'DATABASE_UNAVAILABLE' || this.#closed !== undefined)
        throw error;
    }
    await recover();
    if (socket !== undefined) Object.assign(this.#pool.options, { host: socket().folder });
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw databaseError(error);
    }
  }

  /** Adds what has to be closed after the connections. */
  onClose(close: () => Promise<void>): void {
    this.#closers.unshift(close);
  }

  /** Waits for calls under way and closes every connection. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#pool.end();
      for (const close of this.#closers) await close();
    })();
    return this.#closed;
  }
}

/** Does again what lost against others; it has changed nothing then. */
async function retrying<T>(attempts: number, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const lost = error instanceof ZonesealError && error.code === 'DATABASE_CONFLICT';
      if (!lost || attempt >= attempts) throw error;
      await sleep(20 * 2 ** attempt * (0.5 + Math.random()));
    }
  }
}

function sessionSettings(statementTimeout: number): string {
  return [
    'set search_path = zoneseal, public',
    `set statement_timeout = ${Math.floor(statementTimeout)}`,
    `set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION}`,
    'set jit = off',
    "set timezone = 'UTC'",
    'set client_min_messages = warning',
  ].join('; ');
}

/** @throws ZonesealError */
async function runOn<Row extends object>(
  client: pg.ClientBase,
  query: pg.QueryConfig & { readonly query_timeout?: number },
): Promise<pg.QueryResult<Row>> {
  try {
    return await client.query<Row>(query);
  } catch (error) {
    throw databaseError(error);
  }
}

function transactionOn(client: pg.PoolClient, options: TransactionOptions): Transaction {
  const limit = limitOf(options);
  return {
    client,
    limit,
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
      (await runOn<Row>(client, { text, values: [...values], ...limit })).rows,
    execute: async (text, values = []) =>
      (await runOn(client, { text, values: [...values], ...limit })).rowCount ?? 0,
  };
}

/** The longest that a client waits: no statement takes a day. */
function limitOf({ statementTimeout }: TransactionOptions): ClientLimit {
  if (statementTimeout === undefined) return {};
  return { query_timeout: statementTimeout === 0 ? 86_400_000 : statementTimeout + CLIENT_GRACE };
}

/** True when the connection must not be used again. */
async function rollback(client: pg.PoolClient): Promise<boolean> {
  try {
    await client.query('rollback');
    return false;
  } catch {
    return true;
  }
}
