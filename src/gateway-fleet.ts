import type { LabelledValue, Metric } from './admin/metrics.js';
import { type Clock, systemClock } from './clock.js';
import type { Config } from './config.js';
import { Notifier } from './fleet/notifier.js';
import { ParentClient } from './fleet/parent-client.js';
import { PeerClient } from './fleet/peer-client.js';
import { type LateState, PEER_STATES, type PeerStateStore } from './fleet/ports.js';
import type { TsigSecretRing } from './keys/tsig-secret-ring.js';
import type { Log } from './log.js';

/** What tells nameservers of changes. */
export interface Fleet {
  readonly notifier: Notifier;
  readonly client: PeerClient;
}

export interface FleetOptions {
  readonly config: Config;
  readonly store: PeerStateStore;
  readonly secrets: Pick<TsigSecretRing, 'key'>;
  readonly log: Log;
  readonly clock: Clock;
  /** Names this process in claims. */
  readonly gateway: string;
  /** A peer serves a serial that comes after the one last given out on its line: the database was set back. */
  readonly onAhead?: (zone: string, view: string, peer: string, serial: number) => void;
}

/** Time beyond that of messages for which a claim is good: to be recorded in. */
const CLAIM_MARGIN_SECONDS = 10;

/** Puts together what tells nameservers of changes; nothing is begun. */
export function assembleFleet(options: FleetOptions): Fleet {
  const { config, store, secrets, log, clock, gateway, onAhead } = options;
  const { arrival, retryCap, recheck, answerTimeout, exchanges, exchangesPerPeer } = config.fleet;
  const secretSeconds = config.limits.lookupTimeout;
  const client = new PeerClient({
    keys: secrets,
    clock,
    answerSeconds: answerTimeout,
    secretSeconds,
    sourceIpv4: config.fleet.sourceIpv4,
    sourceIpv6: config.fleet.sourceIpv6,
  });
  const notifier = new Notifier({
    store,
    client,
    times: { arrival, retryCap, recheck },
    limits: { exchanges, exchangesPerPeer },
    gateway,
    // the secret of the key, an answer over UDP, one over TCP; and again with the secret before
    claimSeconds: 2 * (secretSeconds + 2 * answerTimeout) + CLAIM_MARGIN_SECONDS,
    pollSeconds: config.publication.poll,
    log,
    clock,
    ...(onAhead === undefined ? {} : { onAhead }),
  });
  return { notifier, client };
}

/** What asks nameservers of parent zones. */
export function makeParentClient({ fleet }: Config, clock: Clock = systemClock): ParentClient {
  const { answerTimeout: answerSeconds, sourceIpv4, sourceIpv6 } = fleet;
  return new ParentClient({ clock, answerSeconds, sourceIpv4, sourceIpv6 });
}

/** Values by one label. */
export function labelled(label: string, values: Readonly<Record<string, number>>): LabelledValue[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

/** The metrics of what tells nameservers of changes. */
export function fleetMetrics(fleet: () => Fleet): Metric[] {
  const late = (value: (state: LateState) => number | undefined): LabelledValue[] =>
    (fleet().notifier.states?.late ?? []).flatMap((state) => {
      const { zone, view, peer } = state;
      const measured = value(state);
      return measured === undefined
        ? []
        : { labels: { zone, view, peer, state: state.state }, value: measured };
    });
  const lateLabels = ['zone', 'view', 'peer', 'state'];
  const notifies = (): PeerClient['counts']['notifies'] => fleet().client.counts.notifies;
  return [
    {
      name: 'peer_states',
      help: 'zones and views of peers by state, of the whole database; counted anew every 15 seconds at the most',
      kind: 'gauge',
      labels: ['state'],
      read: () => labelled('state', { ...fleet().notifier.states?.states }),
    },
    {
      name: 'peer_oldest_pending_seconds',
      help: 'how long the peer that waits longest has served nothing newer; 0 when all are current',
      kind: 'gauge',
      read: () => fleet().notifier.states?.oldestSeconds ?? 0,
    },
    {
      name: 'peer_zones',
      help: 'zones of one peer by state; of the 200 peers that wait longest',
      kind: 'gauge',
      labels: ['peer', 'view', 'state'],
      read: () =>
        (fleet().notifier.states?.peers ?? []).flatMap(({ peer, view, states }) =>
          PEER_STATES.map((state) => ({ labels: { peer, view, state }, value: states[state] })),
        ),
    },
    {
      name: 'peer_pending_seconds',
      help: 'how long the zone that waits longest for one peer has; 0 when all are current',
      kind: 'gauge',
      labels: ['peer', 'view'],
      read: () =>
        (fleet().notifier.states?.peers ?? []).map(({ peer, view, oldestSeconds }) => ({
          labels: { peer, view },
          value: oldestSeconds,
        })),
    },
    {
      name: 'peer_late_seconds',
      help: 'since when a peer serves nothing newer of a zone; of the 100 that are late for longest',
      kind: 'gauge',
      labels: lateLabels,
      read: () => late(({ lateSeconds }) => lateSeconds),
    },
    {
      name: 'peer_late_serial_published',
      help: 'the serial that is published of these zones',
      kind: 'gauge',
      labels: lateLabels,
      read: () => late(({ published }) => published),
    },
    {
      name: 'peer_late_serial_seen',
      help: 'the serial that the peer was last seen serving of these zones; missing: none',
      kind: 'gauge',
      labels: lateLabels,
      read: () => late(({ seen }) => seen),
    },
    {
      name: 'peer_late_seen_seconds',
      help: 'since it was seen serving that serial',
      kind: 'gauge',
      labels: lateLabels,
      read: () => late(({ seenSeconds }) => seenSeconds),
    },
    {
      name: 'peer_exchanges',
      help: 'messages to peers under way (fleet.exchanges)',
      kind: 'gauge',
      read: () => fleet().notifier.usage.running,
    },
    {
      name: 'peers_quiet',
      help: 'peers that gave no answers to the last messages of this gateway, and get one at a time',
      kind: 'gauge',
      read: () => fleet().notifier.usage.quiet,
    },
    {
      name: 'notifies_sent_total',
      help: 'NOTIFYs sent',
      kind: 'counter',
      read: () => notifies().accepted + notifies().refused + notifies().silent,
    },
    {
      name: 'notifies_answered_total',
      help: 'NOTIFYs that a peer accepted',
      kind: 'counter',
      read: () => notifies().accepted,
    },
    {
      name: 'notifies_failed_total',
      help: 'NOTIFYs that a peer refused, that got no answer, and that could not be sent',
      kind: 'counter',
      labels: ['reason'],
      read: () => {
        const { refused, silent, unable } = notifies();
        return labelled('reason', { refused, silent, unable });
      },
    },
    {
      name: 'peer_polls_total',
      help: 'SOA queries to peers by what came of them',
      kind: 'counter',
      labels: ['outcome'],
      read: () => labelled('outcome', { ...fleet().client.counts.polls }),
    },
  ];
}
