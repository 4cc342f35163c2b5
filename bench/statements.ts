import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestPostgres } from '../interop/lib/postgres.js';
import { TOOLS } from '../interop/lib/tools.js';
import { say } from './progress.js';

/** One statement as it was executed in a phase. */
export interface Statement {
  readonly text: string;
  readonly calls: number;
  readonly milliseconds: number;
}

const LIBRARY = join(dirname(TOOLS['postgres']?.path ?? ''), '..', 'lib', 'pg_stat_statements.so');

/** Counts what clients send to a database: one statement is one round trip, but for those that only prepare one. */
export class StatementCounter {
  readonly #postgres: TestPostgres;
  readonly #hasExtension = existsSync(LIBRARY);

  /** What PostgreSQL has to be started with. */
  static readonly settings: readonly string[] = existsSync(LIBRARY)
    ? ['shared_preload_libraries=pg_stat_statements', 'pg_stat_statements.max=10000']
    : [];

  constructor(postgres: TestPostgres) {
    this.#postgres = postgres;
    if (this.#hasExtension) postgres.psql('create extension pg_stat_statements', 'postgres');
    else say('pg_stat_statements is not installed: transactions are counted in place of statements');
  }

  /** Begins a phase; what it returns counts the statements since, and tells those that took longest. */
  begin(database: string): () => { readonly count: number; readonly slowest: readonly Statement[] } {
    if (this.#hasExtension) {
      this.#postgres.psql('select pg_stat_statements_reset()', 'postgres');
      return () => {
        const slowest = this.#statements(database);
        return { count: slowest.reduce((sum, { calls }) => sum + calls, 0), slowest };
      };
    }
    const transactions = (): number =>
      Number(
        this.#postgres.psql(
          `select xact_commit + xact_rollback from pg_stat_database where datname = '${database}'`,
          'postgres',
        ),
      );
    const before = transactions();
    return () => ({ count: transactions() - before, slowest: [] });
  }

  #statements(database: string): Statement[] {
    const json = this.#postgres.psql(
      `select coalesce(json_agg(json_build_object('text', regexp_replace(query, '\\s+', ' ', 'g'), 'calls', calls,
         'milliseconds', total_exec_time) order by total_exec_time desc), '[]')
       from pg_stat_statements where dbid = (select oid from pg_database where datname = '${database}')`,
      'postgres',
    );
    return JSON.parse(json) as Statement[];
  }
}
