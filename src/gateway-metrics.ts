import type { Metric } from './admin/metrics.js';
import type { GuardState } from './barbican/guard.js';
import { type Fleet, fleetMetrics, labelled } from './gateway-fleet.js';
import { type KeyWork, keyMetrics } from './gateway-keys.js';
import type { OpenKeyStore } from './gateway-parts.js';
import { type Recovery, recoveryMetrics } from './gateway-recovery.js';
import type { GatewaySecrets } from './gateway-secrets.js';
import type { OpenStore } from './gateway-store.js';
import type { FrozenCount } from './publication/frozen-count.js';
import type { PublicationKeeper } from './publication/keeper.js';
import type { PublicationManager } from './publication/manager.js';
import type { ValidityWatch } from './publication/validity-watch.js';
import type { DnsServer } from './server/dns-server.js';
import type { WorkerPool } from './signing/worker-pool.js';
import type { TransferHandler } from './transfer/handler.js';
import type { ImageStore } from './transfer/image-store.js';
import type { TsigKeyTable } from './transfer/tsig-key-table.js';

/** The parts that metrics and readiness look at. */
export interface GatewayState {
  readonly manager: PublicationManager;
  readonly validity: ValidityWatch;
  readonly frozen: FrozenCount;
  readonly keeper: PublicationKeeper;
  readonly fleet: Fleet;
  readonly recovery: Recovery;
  readonly keyWork: KeyWork;
  readonly handler: TransferHandler;
  readonly server: DnsServer;
  readonly images: ImageStore;
  readonly signer: WorkerPool;
  readonly secrets: GatewaySecrets;
  readonly tsigKeys: TsigKeyTable;
  readonly keyStore: OpenKeyStore;
  readonly store: OpenStore;
}

/** The metrics of one gateway; every limit of the configuration has one beside it. */
export function gatewayMetrics(state: GatewayState): Metric[] {
  const { manager, validity, keeper, handler, server, images, signer, secrets, tsigKeys, store, keyStore } =
    state;
  const services = (): [string, GuardState][] => Object.entries(keyStore.client.state);
  const gauge = (name: string, help: string, read: Metric['read'], labels?: readonly string[]): Metric => ({
    name,
    help,
    kind: 'gauge',
    read,
    ...(labels === undefined ? {} : { labels }),
  });
  const counter = (name: string, help: string, read: Metric['read'], labels?: readonly string[]): Metric => ({
    ...gauge(name, help, read, labels),
    kind: 'counter',
  });
  return [
    gauge('productions', 'images being made (signing.productions)', () => manager.counters.productions),
    gauge('productions_waiting', 'productions that wait for a place', () => manager.counters.waiting),
    counter(
      'publications_total',
      'publications made here, by how they ended',
      () => {
        const { ready, unchanged, failed } = manager.counters;
        return labelled('outcome', { ready, unchanged, failed });
      },
      ['outcome'],
    ),
    counter(
      'signatures_total',
      'signatures of publications that became ready here: made, or used again',
      () => labelled('origin', { made: manager.counters.signatures, reused: manager.counters.reused }),
      ['origin'],
    ),
    gauge(
      'publications_failing',
      'zones and views whose last publication made here failed',
      () => manager.counters.failing,
    ),
    gauge(
      'publications_unrecorded',
      'failures that the database could not be told of yet',
      () => manager.counters.unrecorded,
    ),
    gauge(
      'unsafe_lines',
      "zones and views with less validity left than the SOA's expire and the largest TTL, in the whole database",
      () => validity.count,
    ),
    gauge(
      'frozen_zones',
      'zones held at a version, of the whole database; counted anew every 15 seconds at the most',
      () => state.frozen.count,
    ),
    gauge('remembered_lines', 'zones and views kept in mind', () => manager.counters.remembered),
    gauge('held_images', 'finished images held for the next transfer', () => manager.counters.heldImages),
    gauge('held_images_bytes', 'their octets (limits.heldOctets)', () => manager.counters.heldOctets),
    gauge('images', 'images, those being made or sent included', () => images.usage.images),
    gauge(
      'image_memory_bytes',
      'octets of images in memory (limits.memoryOctets)',
      () => images.usage.memoryOctets,
    ),
    gauge(
      'image_spool_bytes',
      'octets of images in the spool (limits.spoolOctets)',
      () => images.usage.spoolOctets,
    ),
    gauge('signing_queue_blocks', 'blocks that wait for a signing thread', () => signer.queued),
    gauge('private_keys', 'private keys in memory (limits.privateKeys)', () => secrets.keyRing.state.cached),
    counter(
      'private_key_fetches_total',
      'private keys fetched from the key store',
      () => secrets.keyRing.state.fetched,
    ),
    counter(
      'private_key_failures_total',
      'private keys that could not be had',
      () => secrets.keyRing.state.failed,
    ),
    gauge(
      'keystore_open',
      '1 while calls to a service of the key store are held back after failures',
      () =>
        services().map(([service, { breaker }]) => ({
          labels: { service },
          value: breaker === 'closed' ? 0 : 1,
        })),
      ['service'],
    ),
    counter(
      'keystore_retries_total',
      'calls to the key store that were repeated',
      () => services().map(([service, { retries }]) => ({ labels: { service }, value: retries })),
      ['service'],
    ),
    counter(
      'keystore_operations_total',
      'operations on the key store by outcome',
      () =>
        services().flatMap(([service, { outcomes }]) =>
          [...outcomes].flatMap(([operation, byOutcome]) =>
            [...byOutcome].map(([outcome, value]) => ({ labels: { service, operation, outcome }, value })),
          ),
        ),
      ['service', 'operation', 'outcome'],
    ),
    gauge('tsig_secrets', 'secrets of TSIG keys in memory', () => secrets.tsig.state.cached),
    gauge('tsig_keys', 'TSIG keys known', () => tsigKeys.size),
    gauge('database_reachable', '1 when the last round reached the database', () =>
      keeper.fault === undefined ? 1 : 0,
    ),
    gauge('database_clock_skew_seconds', 'database clock less local clock', () => keeper.skewSeconds),
    gauge('database_connections', 'connections to the database', () => store.statistics.connections),
    gauge('database_waiting', 'calls that wait for a connection', () => store.statistics.waiting),
    gauge(
      'database_lookups_waiting',
      'questions of queries that wait to be asked together (limits.lookupsWaiting)',
      () => store.lookupsWaiting,
    ),
    gauge(
      'database_stored_bytes',
      'octets that tables take with their indexes, by what they hold (journals: publication.journalOctets; those and publications, pages, history: publication.retain and retainAge)',
      () => labelled('what', store.stored),
      ['what'],
    ),
    counter(
      'database_bulk_reads_total',
      'pages, journals and rows read from the replica, or from the primary as the replica was behind, away, or cancelled the query',
      () => labelled('replica', { ...store.replicaCounts }),
      ['replica'],
    ),
    counter('requests_total', 'requests that reached the transfer protocol', () => handler.counts.requests),
    counter('silences_total', 'requests that got no answer', () => handler.counts.silences),
    counter('answers_total', 'answers by RCODE', () => labelled('rcode', handler.counts.answers), ['rcode']),
    counter(
      'tsig_failures_total',
      'requests whose TSIG was not accepted',
      () => labelled('error', handler.counts.tsigFailures),
      ['error'],
    ),
    counter(
      'transfers_total',
      'transfers by outcome',
      () => labelled('outcome', { ...handler.counts.transfers }),
      ['outcome'],
    ),
    counter('transfer_bytes_total', 'octets sent by transfers', () => handler.counts.transferOctets),
    gauge('transfers_running', 'transfers that run (limits.transfers)', () => handler.load.running),
    gauge('transfers_waiting', 'transfers that wait (limits.transfersWaiting)', () => handler.load.waiting),
    ...fleetMetrics(() => state.fleet),
    ...keyMetrics(() => state.keyWork),
    ...recoveryMetrics(() => state.recovery),
    ...Object.entries(server.counts).flatMap(([transport, counts]) => [
      gauge(
        transport,
        `what the ${transport.toUpperCase()} sockets have done and hold`,
        () => labelled('what', { ...(counts as Readonly<Record<string, number>>) }),
        ['what'],
      ),
    ]),
  ];
}
