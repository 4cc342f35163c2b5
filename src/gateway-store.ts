import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, readSecret, SECRET_VARIABLES } from './config.js';
import type { PeerStateStore } from './fleet/ports.js';
import { readTextFile } from './gateway-parts.js';
import type { RolloverStore } from './keys/rollover/ports.js';
import type { Log } from './log.js';
import type { PublicationStore } from './publication/ports.js';
import { FORMAT_VERSION } from './publication/produce.js';
import type { RecoveryStore } from './publication/recovery-ports.js';
import { ChangeListener } from './store/change-listener.js';
import { Database } from './store/database.js';
import { GatewayRegistry } from './store/gateway-registry.js';
import { underLease } from './store/lease.js';
import type { TrustRule } from './store/line-reader.js';
import { migrate, readMigrations } from './store/migrate.js';
import { openDatabase } from './store/open.js';
import { PostgresParentWatchStore } from './store/parent-watch-store.js';
import { PostgresPeerStateStore } from './store/peer-state-store.js';
import { PAGES_KEPT_SECONDS, type PruneOptions, prune } from './store/prune.js';
import { PostgresPublicationStore } from './store/publication-store.js';
import { PostgresRecoveryStore } from './store/recovery-store.js';
import { type ReplicaCounts, ReplicaReader } from './store/replica-reader.js';
import { PostgresRolloverStore } from './store/rollover-store.js';
import { SecretCreationStore } from './store/secret-creation-store.js';
import { storedOctets } from './store/stored-octets.js';
import { TsigStore } from './store/tsig-store.js';
import type { TsigKeyEntry } from './transfer/ports.js';

export type { ParentServer } from './fleet/parent-client.js';
// the command line has the store from here alone
export type { RunningGatewayFacts } from './store/gateway-registry.js';
export { grantRoles } from './store/migrate.js';
export {
  type Asked,
  type HistoryEntry,
  type LineProgress,
  OperatorStore,
  type SerialLine,
} from './store/operator-store.js';
export { type ParentDescription, type ParentFault, ParentStore } from './store/parent-store.js';
export {
  type NewPeer,
  type PeerDescription,
  PeerStore,
  type ServingState,
  type ServingStatus,
} from './store/peer-store.js';
export type { Preview } from './store/preview.js';
export { type RrsetFilter, RrsetStore } from './store/rrset-store.js';
export {
  type NewTsigGrant,
  type NewTsigKey,
  type RetiredSecret,
  type StoredTsigKey,
  TsigStore,
} from './store/tsig-store.js';
export type { ImportResult } from './store/zone-import.js';
export { type NewZoneKey, ZoneKeyStore } from './store/zone-key-store.js';
export {
  type PolicyDescription,
  type ZoneDescription,
  ZoneStore,
  type ZoneSummary,
} from './store/zone-store.js';
export { PostgresRolloverStore, SecretCreationStore };

/** The database as a gateway uses it. */
export interface OpenStore {
  readonly database: Database;
  readonly publications: PublicationStore;
  readonly peers: PeerStateStore;
  readonly recovery: RecoveryStore;
  readonly rollovers: RolloverStore;
  readonly creations: SecretCreationStore;
  readonly parentWatch: PostgresParentWatchStore;
  readonly gateways: GatewayRegistry;
  readonly statistics: { readonly connections: number; readonly used: number; readonly waiting: number };
  /** Questions of queries that wait to be asked together. */
  readonly lookupsWaiting: number;
  /**
   * From now on what decides on what is served is used only where the rule trusts the database, and publications of an older output
   * format than this are due.
   */
  serveBy(rule: TrustRule, formatVersion: () => number): void;
  /** Brings the schema up to date; the names of the migrations that were applied. */
  migrate(): Promise<readonly string[]>;
  /** The newest migration that this release knows. */
  schemaLevel(): Promise<number>;
  /** Reads in bulk by who gave the answer; undefined where there is no replica. */
  readonly replicaCounts: ReplicaCounts | undefined;
  /** Seconds since 1970 by the database's clock; waits no longer than for a connection. @throws ZonesealError */
  time(): Promise<number>;
  /** All TSIG keys; the log is warned of rows that cannot be read, of each once for as long as it is there. */
  readTsigKeys(log?: Log): Promise<readonly TsigKeyEntry[]>;
  /** Tells of what the database notifies of. Returns how to end it. */
  listen(options: ListenOptions): () => Promise<void>;
  /** Removes what no retained publication names, a bounded part of it, where no other gateway is at it. */
  prune(
    holder: string,
    kept: Required<Pick<PruneOptions, 'keep' | 'keepSeconds' | 'journalOctets'>>,
  ): Promise<void>;
  /** Octets that tables take in the database with their indexes, by what they hold; as they were when it was last pruned. */
  readonly stored: Readonly<Record<string, number>>;
  /** Runs work under a lease by its name; undefined while another has it. The lease ends with the work. */
  alone<T>(name: string, holder: string, seconds: number, work: () => Promise<T>): Promise<T | undefined>;
  close(): Promise<void>;
}

/** Who is told of what the database notifies of. */
export interface ListenOptions {
  /** With a zone's database id when something of it changed, with none when anything may have. */
  readonly onChange: (zoneId?: string) => void;
  /** Secrets are to be forgotten. */
  readonly onLock: () => void;
  readonly log: Log;
}

/**
 * Opens the configured database; nothing is asked of it yet.
 * @throws ZonesealError CONFIG_INVALID, EMBEDDED_FAILED
 */
export async function openStore(config: Config): Promise<OpenStore> {
  const { url, caFile, poolSize, statementTimeout, connectTimeout } = config.database;
  const common = {
    poolSize,
    statementTimeout: statementTimeout * 1000,
    connectTimeout: connectTimeout * 1000,
  };
  mkdirSync(config.data, { recursive: true, mode: 0o700 });
  let database: Database;
  if (url === undefined) {
    database = await openDatabase({ embedded: join(config.data, 'database'), ...common });
  } else {
    const password = readSecret(SECRET_VARIABLES.databasePassword, config.database.passwordFile);
    database = await openDatabase({
      url,
      ...common,
      ...(password === undefined ? {} : { password }),
      ...(caFile === undefined ? {} : { ca: readTextFile(caFile, 'database.caFile') }),
    });
  }
  const replicaDatabase = openReplica(config);
  const replica =
    replicaDatabase &&
    new ReplicaReader({ primary: database, replica: replicaDatabase, incarnation: () => rule?.incarnation });
  let rule: TrustRule | undefined;
  let format = (): number => FORMAT_VERSION;
  let stored: Readonly<Record<string, number>> = {};
  const trust: TrustRule = {
    get incarnation() {
      return rule?.incarnation;
    },
    check: (standing) => rule?.check(standing),
    trusting: (work) => (rule === undefined ? work() : rule.trusting(work)),
  };
  const rollovers = new PostgresRolloverStore(database);
  const publications = new PostgresPublicationStore(database, {
    formatVersion: () => format(),
    trust,
    replica,
    waiting: config.limits.lookupsWaiting,
  });
  return {
    database,
    publications,
    peers: new PostgresPeerStateStore(database),
    recovery: new PostgresRecoveryStore(database),
    rollovers,
    creations: new SecretCreationStore(database),
    parentWatch: new PostgresParentWatchStore(database, rollovers),
    gateways: new GatewayRegistry(database),
    serveBy: (by, formatVersion) => {
      rule = by;
      format = formatVersion;
    },
    get statistics() {
      return database.statistics;
    },
    get lookupsWaiting() {
      return publications.waiting;
    },
    migrate: async () => (await migrate(database)).applied,
    schemaLevel: async () => (await readMigrations()).at(-1)?.id ?? 0,
    time: async () => {
      const rows = await database.query<{ now: number }>(
        'select floor(extract(epoch from now()))::bigint as now',
        [],
        common.connectTimeout,
      );
      return (rows[0] as { now: number }).now;
    },
    readTsigKeys: tsigKeyReader(new TsigStore(database)),
    listen: ({ onChange, onLock, log }) => {
      replica?.tellTo(log);
      const listener = new ChangeListener(database, {
        onChange: (what) => {
          if (what === 'lock') onLock();
          else onChange(what !== undefined && /^[0-9]+$/.test(what) ? what : undefined);
        },
        onError: (error) =>
          log.warn({ reason: error.message }, 'the database tells of no changes; it is asked every so often'),
      });
      return () => listener.close();
    },
    alone: (name, holder, seconds, work) => underLease(database, name, holder, seconds, work),
    prune: async (holder, kept) => {
      await prune(database, { holder, ...kept, minAge: PAGES_KEPT_SECONDS });
      stored = await storedOctets(database);
    },
    get stored() {
      return stored;
    },
    get replicaCounts() {
      return replica?.counts;
    },
    close: async () => {
      await replicaDatabase?.close();
      await database.close();
    },
  };
}

/** The longest that a replica is waited for, milliseconds: the primary is there as well. */
const REPLICA_CONNECT_MS = 2000;
const REPLICA_STATEMENT_MS = 15_000;

/** The configured replica; nothing is asked of it yet. @throws ZonesealError CONFIG_INVALID */
function openReplica({ database }: Config): Database | undefined {
  const { replicaUrl, replicaPasswordFile, passwordFile, caFile, poolSize } = database;
  if (replicaUrl === undefined) return undefined;
  const password =
    readSecret(SECRET_VARIABLES.databaseReplicaPassword, replicaPasswordFile) ??
    readSecret(SECRET_VARIABLES.databasePassword, passwordFile);
  return new Database({
    url: replicaUrl,
    poolSize,
    statementTimeout: Math.min(REPLICA_STATEMENT_MS, database.statementTimeout * 1000),
    connectTimeout: Math.min(REPLICA_CONNECT_MS, database.connectTimeout * 1000),
    // what loses against replaying is read from the primary at once
    attempts: 1,
    ...(password === undefined ? {} : { password }),
    ...(caFile === undefined ? {} : { ca: readTextFile(caFile, 'database.caFile') }),
  });
}

/** Reads TSIG keys every so often, and warns of a row that cannot be read once, not each time. */
export function tsigKeyReader(store: Pick<TsigStore, 'read'>): OpenStore['readTsigKeys'] {
  let told: ReadonlySet<string> = new Set();
  return async (log) => {
    const problems = new Set<string>();
    const keys = await store.read((message) => problems.add(message));
    if (log === undefined) return keys;
    for (const reason of problems) {
      if (!told.has(reason))
        log.warn({ reason }, 'a TSIG key or grant in the database cannot be read; it opens nothing');
    }
    told = problems;
    return keys;
  };
}
