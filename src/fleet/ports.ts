import type { TsigAlgorithm, TsigKey } from '../dns/tsig-key.js';

/** What a peer is seen to do with one zone; `unreachable` is one that gives no answer at all. */
export const PEER_STATES = ['pending', 'current', 'behind', 'unreachable'] as const;

export type PeerState = (typeof PEER_STATES)[number];

/** Where a TSIG key's secret is. */
export interface PeerKey {
  /** Database id, decimal. */
  readonly id: string;
  /** Absolute presentation format. */
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secretRef: string;
  /** The secret before, while the key changes: a peer may have that one still. */
  readonly previousSecretRef?: string;
}

/** One nameserver as messages are sent to it. */
export interface PeerTarget {
  /** Database id, decimal. */
  readonly peerId: string;
  readonly peer: string;
  /** IPv4 or IPv6, without brackets. */
  readonly address: string;
  readonly port: number;
  /** Undefined: messages are not signed. */
  readonly key: PeerKey | undefined;
}

/** What is known of a peer and one zone; times are spans by the database's clock. */
export interface PeerSituation {
  readonly state: PeerState;
  /** The serial of the newest ready publication; undefined while there is none. */
  readonly wanted: number | undefined;
  /** The serial that the peer was last seen serving. */
  readonly seen: number | undefined;
  /** NOTIFYs sent for this publication. */
  readonly attempts: number;
  /** Of them the last ones that got no answer. */
  readonly unanswered: number;
  /** SOA queries since the last NOTIFY. */
  readonly polls: number;
  /** Messages of either kind without any answer since there was one. */
  readonly silent: number;
  /** Since the peer served nothing newer, where it does not serve what is wanted. */
  readonly lateSeconds: number;
  /** Since a NOTIFY was last answered; undefined when none was. */
  readonly notifiedSeconds: number | undefined;
  /** What was wrong with the last answer. */
  readonly problem: string | undefined;
}

/** One (zone, view, peer) that this gateway looks after for a while, and everything that is needed for it. */
export interface PeerClaim extends PeerTarget, PeerSituation {
  readonly zoneId: string;
  /** Absolute presentation format, lower case. */
  readonly zone: string;
  readonly view: string;
  /** The SOA of the newest ready publication; undefined where it is not at hand. */
  readonly soa: { readonly ttl: number; readonly rdata: Uint8Array } | undefined;
  /** The serial last given out on the line, burned ones included. */
  readonly lastSerial: number | undefined;
  readonly generation: number;
  readonly claim: number;
}

/** What is known after one message, and when to look again. */
export interface PeerUpdate {
  readonly state: PeerState;
  readonly attempts: number;
  readonly unanswered: number;
  readonly polls: number;
  readonly silent: number;
  /** What was wrong; undefined: nothing. Of our own words alone. */
  readonly problem: string | undefined;
  /** The serial that the peer was seen serving now. */
  readonly seen?: number;
  /** The peer answered a NOTIFY now; with the serial where it accepted it. */
  readonly notified?: { readonly serial: number | undefined };
  /** The peer serves something newer than before. */
  readonly progress?: boolean;
  /** Seconds until it is looked at again; undefined: when there is another publication. */
  readonly dueSeconds: number | undefined;
}

/** How many may be claimed: in all, of one peer, and of peers that have others already or do not answer. */
export interface ClaimRoom {
  readonly total: number;
  readonly perPeer: number;
  readonly exceptions: ReadonlyMap<string, number>;
}

/** One peer, counted. */
export interface PeerCounts {
  readonly peer: string;
  readonly view: string;
  readonly states: Readonly<Record<PeerState, number>>;
  /** Seconds that the zone which waits longest has waited; 0 when all are current. */
  readonly oldestSeconds: number;
}

/** A zone that a peer does not serve as it is published. */
export interface LateState {
  readonly zone: string;
  readonly view: string;
  readonly peer: string;
  readonly state: PeerState;
  /** The serial that is published; undefined: nothing is ready. */
  readonly published: number | undefined;
  /** The serial that the peer was last seen serving, and how long ago; undefined: never. */
  readonly seen: number | undefined;
  readonly seenSeconds: number | undefined;
  /** Seconds since it served nothing newer. */
  readonly lateSeconds: number;
}

/** States by what they are, and how long the one that waits longest has. */
export interface PeerStateCounts {
  readonly states: Readonly<Record<PeerState, number>>;
  /** Seconds; 0 when every peer is current. */
  readonly oldestSeconds: number;
  /** Peers one by one, those that wait longest first; a bounded number of them. */
  readonly peers: readonly PeerCounts[];
  /** What is not current, the longest late first; a bounded number of them. */
  readonly late: readonly LateState[];
}

/** One (zone, view), by the database id of the zone. */
export interface PeerLine {
  readonly zoneId: string;
  readonly view: string;
}

/** A peer of one line. */
export interface LinePeer extends PeerTarget {
  readonly zoneId: string;
  /** Absolute presentation format, lower case. */
  readonly zone: string;
  readonly view: string;
}

/** What the fleet needs of the database. Every call is one short statement. */
export interface PeerStateStore {
  /**
   * Claims what is due and what nobody else has claimed, the longest due first. A claim runs out by the database's clock when its gateway
   * does not record anything.
   */
  claim(gateway: string, claimSeconds: number, room: ClaimRoom): Promise<readonly PeerClaim[]>;
  /** Seconds until something is due, 0 when something is that nobody has claimed; undefined: nothing ever is. */
  nextDueSeconds(): Promise<number | undefined>;
  /**
   * Records what came of claims and lets go of them. Where there is a newer publication meanwhile, only what was seen is taken over.
   * @returns how many were superseded in that way, and so are due already
   */
  record(results: readonly { readonly claim: PeerClaim; readonly update: PeerUpdate }[]): Promise<number>;
  /** The serial last given out on a line, as it stands now. */
  lastSerial(line: PeerLine): Promise<number | undefined>;
  /** A peer answers again: what waits for it longest, a bounded number, is due now. */
  makeDue(peerId: string): Promise<void>;
  /**
   * A peer has given no answers for some time: what is due for it, a bounded number, is unreachable as well without being tried, and
   * put off by up to so many seconds.
   * @param silent messages without an answer that this counts for, at the least
   * @param problem what is said of those of which nothing is known to be wrong
   */
  postpone(peerId: string, silent: number, seconds: number, problem: string): Promise<void>;
  counts(): Promise<PeerStateCounts>;
  /** The peers of a line. */
  peersOf(line: PeerLine): Promise<readonly LinePeer[]>;
  /** Records a serial that a peer was seen serving, outside of any claim. */
  recordSeen(peerId: string, zoneId: string, serial: number): Promise<void>;
}

/** Where secrets of TSIG keys come from. */
export interface PeerKeySource {
  /** @throws ZonesealError when the key store cannot be reached and the secret is not held */
  key(key: PeerKey): Promise<TsigKey>;
}
