import type { Config } from '../config.js';
import type {
  OpenStore,
  OperatorStore,
  ParentStore,
  PeerStore,
  RrsetStore,
  TsigStore,
  ZoneKeyStore,
  ZoneStore,
} from '../gateway-store.js';
import type { RolloverStore } from '../keys/rollover/ports.js';
import { configOf, type GlobalOptions } from './global-options.js';

/** The configured database as a command uses it. */
export interface DatabaseParts {
  readonly config: Config;
  readonly store: OpenStore;
  readonly zones: ZoneStore;
  readonly rrsets: RrsetStore;
  readonly keys: ZoneKeyStore;
  readonly tsig: TsigStore;
  readonly peers: PeerStore;
  readonly parents: ParentStore;
  readonly rollovers: RolloverStore;
  readonly operators: OperatorStore;
}

/**
 * Opens the configured database, its schema brought up to date, for the time of some work. The embedded one is reached through
 * the running gateway where there is one, and else opened by this process.
 * @throws ZonesealError DATABASE_UNAVAILABLE and the like, and what the work throws
 */
export async function withDatabase<T>(
  options: GlobalOptions,
  work: (parts: DatabaseParts) => Promise<T>,
): Promise<T> {
  const config = configOf(options);
  // loaded where they are needed: most of the time that a command takes to start is in what it loads
  const {
    openStore,
    OperatorStore,
    ParentStore,
    PeerStore,
    PostgresRolloverStore,
    RrsetStore,
    TsigStore,
    ZoneKeyStore,
    ZoneStore,
  } = await import('../gateway-store.js');
  const store = await openStore(config);
  const { database } = store;
  try {
    await store.migrate();
    return await work({
      config,
      store,
      zones: new ZoneStore(database),
      rrsets: new RrsetStore(database),
      keys: new ZoneKeyStore(database),
      tsig: new TsigStore(database),
      peers: new PeerStore(database),
      parents: new ParentStore(database),
      rollovers: new PostgresRolloverStore(database),
      operators: new OperatorStore(database),
    });
  } finally {
    await store.close();
  }
}
