import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AdminServer } from './admin/http.js';
import { MetricsPage } from './admin/metrics.js';
import { type Clock, systemClock } from './clock.js';
import type { Config } from './config.js';
import { parseTsigAlgorithm } from './dns/tsig.js';
import { ZonesealError } from './errors.js';
import { assembleFleet } from './gateway-fleet.js';
import { KeyWork } from './gateway-keys.js';
import { type GatewayState, gatewayMetrics } from './gateway-metrics.js';
import type { OpenKeyStore } from './gateway-parts.js';
import { Recovery } from './gateway-recovery.js';
import { GatewaySecrets } from './gateway-secrets.js';
import type { OpenStore } from './gateway-store.js';
import type { TsigSecretRing } from './keys/tsig-secret-ring.js';
import type { Log } from './log.js';
import { KNOWN_FORMATS } from './publication/formats.js';
import { FrozenCount } from './publication/frozen-count.js';
import { PublicationKeeper } from './publication/keeper.js';
import { PublicationManager } from './publication/manager.js';
import { ValidityWatch } from './publication/validity-watch.js';
import { readRelease } from './release.js';
import { DnsServer, type ListenAddress } from './server/dns-server.js';
import { probeServer } from './server/probe.js';
import { WorkerPool } from './signing/worker-pool.js';
import { TransferHandler } from './transfer/handler.js';
import { ImageStore } from './transfer/image-store.js';
import type { TsigKeyEntry } from './transfer/ports.js';
import { TsigKeyTable } from './transfer/tsig-key-table.js';

export interface GatewayOptions {
  readonly config: Config;
  readonly store: OpenStore;
  readonly keyStore: OpenKeyStore;
  readonly log: Log;
  readonly clock?: Clock;
}

/** One running gateway: the one place where parts are put together. */
export class Gateway {
  readonly addresses: readonly ListenAddress[];
  /** The port of the admin HTTP server; undefined when there is none. */
  readonly adminPort: number | undefined;
  readonly #state: GatewayState;
  readonly #admin: AdminServer | undefined;
  readonly #unlisten: () => Promise<void>;
  readonly #stopSeconds: number;

  private constructor(
    state: GatewayState,
    addresses: readonly ListenAddress[],
    admin: { readonly server: AdminServer; readonly port: number } | undefined,
    unlisten: () => Promise<void>,
    stopSeconds: number,
  ) {
    this.#stopSeconds = stopSeconds;
    this.#state = state;
    this.addresses = addresses;
    this.#admin = admin?.server;
    this.adminPort = admin?.port;
    this.#unlisten = unlisten;
  }

  /**
   * Starts everything and listens. The database has its schema already. What was opened before is the caller's to close
   * when this throws, and the gateway's when it does not.
   */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const { config, store, log } = options;
    const state = await assemble(options);
    const { keeper, server, fleet, recovery, keyWork, secrets } = state;
    let unlisten = (): Promise<void> => Promise.resolve();
    let admin: AdminServer | undefined;
    try {
      unlisten = store.listen({
        onChange: (zoneId) => {
          keeper.wake(zoneId);
          fleet.notifier.wakeSoon();
          keyWork.wake();
        },
        // not with the next round: one may go on for long
        onLock: () => void secrets.look().catch(() => keeper.wake()),
        log,
      });
      await recovery.start();
      await keeper.start();
      fleet.notifier.start();
      keyWork.wake();
      const addresses = await server.start();
      let adminPort: number | undefined;
      if (config.admin.port !== undefined) {
        const { address, port } = config.admin;
        const source = {
          metrics: new MetricsPage(gatewayMetrics(state)),
          faults: (): Promise<string[]> => faultsOf(state, addresses),
        };
        admin = new AdminServer({ address, port, source });
        adminPort = await admin.start();
      }
      log.info(
        { addresses: addresses.map(({ address, port }) => `${address} port ${port}`), adminPort },
        'listening',
      );
      const running =
        admin === undefined || adminPort === undefined ? undefined : { server: admin, port: adminPort };
      return new Gateway(state, addresses, running, unlisten, config.limits.stopTimeout);
    } catch (error) {
      await unlisten();
      await admin?.close();
      await server.close(0);
      await stopWork(state);
      throw error;
    }
  }

  get state(): GatewayState {
    return this.#state;
  }

  /** Lets transfers and productions end for a while, then stops everything, the database and the key store last. */
  async close(): Promise<void> {
    const { server, store, keyStore } = this.#state;
    await this.#unlisten();
    await server.close(this.#stopSeconds * 1000);
    await this.#admin?.close();
    await stopWork(this.#state);
    await keyStore.close();
    await store.close();
  }
}

/** How long the own server may take to answer when a monitor asks whether it does. */
const PROBE_MS = 1000;

/** What keeps a gateway from doing its work, as a monitor asks for it. */
async function faultsOf(
  { keeper, recovery }: GatewayState,
  addresses: readonly ListenAddress[],
): Promise<string[]> {
  const answers = await Promise.all(addresses.map((address) => probeServer(address, PROBE_MS)));
  const silent = addresses.filter((_, i) => answers[i] !== true);
  const { unsettled } = recovery.lines;
  return [
    ...(keeper.fault === undefined ? [] : [keeper.fault]),
    ...(unsettled === 0
      ? []
      : [`${unsettled} zones and views are not served before their serials are recovered`]),
    ...silent.map(({ address, port }) => `DNS is not answered on ${address} port ${port}`),
  ];
}

async function stopWork({
  keeper,
  manager,
  fleet,
  recovery,
  keyWork,
  signer,
  secrets,
}: GatewayState): Promise<void> {
  await keyWork.close();
  await recovery.close();
  await keeper.close();
  await manager.close();
  await fleet.notifier.close();
  await signer.close();
  secrets.forget();
}

async function assemble({
  config,
  store,
  keyStore,
  log,
  clock = systemClock,
}: GatewayOptions): Promise<GatewayState> {
  const { limits, publication } = config;
  const gateway = `${hostname()} ${process.pid} ${randomUUID()}`;
  const secrets = new GatewaySecrets({ config, keyStore, creations: store.creations, gateway, log, clock });
  const { keyRing } = secrets;
  const tsigKeys = new TsigKeyTable({
    read: () => store.readTsigKeys(log),
    secret: async (entry) => (await secrets.tsig.key(tsigRecord(entry))).secret,
  });
  const images = await ImageStore.open({
    folder: join(config.data, 'spool'),
    memoryImageOctets: limits.imageMemoryOctets,
    maxMemoryOctets: limits.memoryOctets,
    maxSpoolOctets: limits.spoolOctets,
    makeRoom: (_kind, octets) => manager.makeRoom(octets),
  });
  const signer = new WorkerPool(config.signing.workers);
  const manager: PublicationManager = new PublicationManager({
    store: store.publications,
    dependencies: { keyRing, signer },
    images,
    log,
    limits: {
      productions: config.signing.productions,
      heldOctets: limits.heldOctets,
      freshSeconds: FRESH_SECONDS,
      remembered: REMEMBERED,
    },
    gateway,
    leaseSeconds: publication.lease,
    onReady: () => fleet.notifier.wake(),
    onRoom: () => keeper.again(),
    formatVersion: () => recovery.formatVersion,
    onSetBack: (served) => recovery.watch.report(served),
  });
  const recovery: Recovery = new Recovery({
    config,
    store: store.recovery,
    registry: store.gateways,
    facts: {
      name: gateway,
      release: readRelease(),
      schemaLevel: await store.schemaLevel(),
      ...KNOWN_FORMATS,
    },
    notifier: () => fleet.notifier,
    takeServed: () => manager.takeServed(),
    onSettled: () => keeper.wake(),
    log,
  });
  store.serveBy(recovery.watch, () => recovery.formatVersion);
  const fleet = assembleFleet({
    config,
    store: store.peers,
    secrets: secrets.tsig,
    log,
    clock,
    gateway,
    onAhead: (zone, view, peer, serial) => recovery.findAhead(zone, view, peer, serial),
  });
  const validity = new ValidityWatch(store.publications, log);
  let nextPrune = 0;
  const housekeeping = async (): Promise<void> => {
    await secrets.look();
    await tsigKeys.reload();
    secrets.tsig.keepOnly(tsigKeys.references);
    if (clock.seconds() < nextPrune) return;
    await validity.look();
    nextPrune = clock.seconds() + PRUNE_SECONDS;
    await secrets.tidy();
    const { retain: keep, retainAge: keepSeconds, journalOctets } = publication;
    await store.prune(gateway, { keep, keepSeconds, journalOctets });
  };
  const keeper: PublicationKeeper = new PublicationKeeper({
    manager,
    databaseTime: () => store.time(),
    refresh: () => housekeeping(),
    clock,
    log,
    pollSeconds: publication.poll,
    patienceSeconds: config.database.connectTimeout,
    skewSeconds: publication.clockSkew,
  });
  const keyWork = new KeyWork({
    config,
    store,
    maker: secrets.maker,
    log,
    clock,
    gateway,
  });
  const handler = new TransferHandler({
    source: manager,
    keys: tsigKeys,
    openRanges: config.open,
    limits: {
      transfers: limits.transfers,
      transfersWaiting: limits.transfersWaiting,
      transferWaitSeconds: limits.transferWait,
      lookupSeconds: limits.lookupTimeout,
      firstMessageSeconds: limits.firstMessageTimeout,
      udpOctets: limits.udpOctets,
    },
    log,
    clock,
  });
  const server = new DnsServer({
    listen: config.listen,
    limits: {
      connections: limits.connections,
      connectionsPerAddress: limits.connectionsPerAddress,
      queriesPerConnection: limits.queriesPerConnection,
      udpQueries: limits.udpQueries,
      idleSeconds: limits.idleTimeout,
      answerSeconds: limits.transferTimeout,
      stallSeconds: limits.stallTimeout,
      messageOctets: limits.messageOctets,
    },
    handler,
    log,
    clock,
  });
  return {
    manager,
    validity,
    frozen: new FrozenCount(store.publications),
    keeper,
    fleet,
    recovery,
    keyWork,
    handler,
    server,
    images,
    signer,
    secrets,
    tsigKeys,
    keyStore,
    store,
  };
}

/** Time between looks for history that nothing names any more. */
const PRUNE_SECONDS = 60;

/** How long an answer of the database about what is served is good for; notices end it sooner. */
const FRESH_SECONDS = 1;

/** Zones and views whose newest publication is kept in mind. */
const REMEMBERED = 200_000;

function tsigRecord({ name, algorithm, secretRef }: TsigKeyEntry): Parameters<TsigSecretRing['key']>[0] {
  const known = parseTsigAlgorithm(algorithm);
  if (known === undefined) {
    throw new ZonesealError('TSIG_KEY_INVALID', `TSIG key ${name}: algorithm ${algorithm} is not supported`);
  }
  return { name: name.toString(), algorithm: known, secretRef };
}
