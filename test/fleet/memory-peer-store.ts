import type {
  ClaimRoom,
  LinePeer,
  PeerClaim,
  PeerLine,
  PeerState,
  PeerStateCounts,
  PeerStateStore,
  PeerTarget,
  PeerUpdate,
} from '../../src/fleet/ports.js';

interface Row {
  claim: PeerClaim;
  dueAt: number;
  claimedUntil: number;
  since: number;
  notifiedAt: number | undefined;
}

/** Peers and their states in memory, for tests of what stands above the database; what the database itself does has suites of its own. */
export class MemoryPeerStore implements PeerStateStore {
  readonly rows: Row[] = [];
  readonly records: PeerUpdate[] = [];
  last: number | undefined;
  /** Thrown by every call, as when the database is away. */
  fault: Error | undefined;
  /** Recording fails, as when the gateway is killed before. */
  forgets = false;
  made = 0;

  add(
    target: Omit<PeerTarget, 'peer' | 'key'> & Partial<PeerTarget>,
    zone: string,
    wanted: number | undefined,
  ): Row {
    const claim: PeerClaim = {
      peer: `ns${target.peerId}`,
      key: undefined,
      ...target,
      zoneId: zone,
      zone,
      view: 'external',
      state: 'pending',
      wanted,
      soa: undefined,
      seen: undefined,
      attempts: 0,
      unanswered: 0,
      polls: 0,
      silent: 0,
      lateSeconds: 0,
      notifiedSeconds: undefined,
      problem: undefined,
      lastSerial: wanted,
      generation: 0,
      claim: 0,
    };
    const row = { claim, dueAt: 0, claimedUntil: 0, since: performance.now(), notifiedAt: undefined };
    this.rows.push(row);
    return row;
  }

  /** Another publication. */
  publish(row: Row, wanted: number): void {
    const { state, generation } = row.claim;
    if (state === 'current') row.since = performance.now();
    const next = state === 'unreachable' ? state : 'pending';
    row.claim = {
      ...row.claim,
      wanted,
      lastSerial: wanted,
      generation: generation + 1,
      attempts: 0,
      unanswered: 0,
      polls: 0,
      state: next,
    };
    row.dueAt = 0;
  }

  claim(_gateway: string, claimSeconds: number, room: ClaimRoom): Promise<readonly PeerClaim[]> {
    return this.#answer(() => {
      const now = performance.now();
      const claims: PeerClaim[] = [];
      const taken = new Map<string, number>();
      for (const row of this.rows) {
        const { peerId } = row.claim;
        const limit = room.exceptions.get(peerId) ?? room.perPeer;
        const count = taken.get(peerId) ?? 0;
        if (Math.max(row.dueAt, row.claimedUntil) > now || claims.length >= room.total || count >= limit)
          continue;
        taken.set(peerId, count + 1);
        row.claimedUntil = now + claimSeconds * 1000;
        const notifiedSeconds = row.notifiedAt === undefined ? undefined : (now - row.notifiedAt) / 1000;
        const lateSeconds = (now - row.since) / 1000;
        row.claim = { ...row.claim, claim: row.claim.claim + 1, lateSeconds, notifiedSeconds };
        claims.push(row.claim);
      }
      return claims;
    });
  }

  nextDueSeconds(): Promise<number | undefined> {
    return this.#answer(() => {
      const soonest = Math.min(...this.rows.map(({ dueAt, claimedUntil }) => Math.max(dueAt, claimedUntil)));
      return Number.isFinite(soonest) ? Math.max(0, (soonest - performance.now()) / 1000) : undefined;
    });
  }

  record(results: readonly { readonly claim: PeerClaim; readonly update: PeerUpdate }[]): Promise<number> {
    return this.#answer(() => {
      let superseded = 0;
      for (const { claim, update } of results) {
        const row = this.rows.find((it) => it.claim.zone === claim.zone && it.claim.peerId === claim.peerId);
        if (row === undefined || row.claim.claim !== claim.claim || this.forgets) continue;
        this.records.push(update);
        row.claimedUntil = 0;
        const { dueSeconds, seen, progress, notified, ...rest } = update;
        if (progress === true) row.since = performance.now();
        if (notified !== undefined) row.notifiedAt = performance.now();
        row.claim = {
          ...row.claim,
          seen: seen ?? row.claim.seen,
          silent: rest.silent,
          problem: rest.problem,
        };
        if (row.claim.generation !== claim.generation) {
          superseded++;
          continue;
        }
        row.claim = { ...row.claim, ...rest };
        row.dueAt =
          dueSeconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + dueSeconds * 1000;
      }
      return superseded;
    });
  }

  lastSerial(): Promise<number | undefined> {
    return this.#answer(() => this.last);
  }

  makeDue(peerId: string): Promise<void> {
    return this.#answer(() => {
      this.made++;
      for (const row of this.rows) {
        if (row.claim.peerId === peerId && row.claim.state === 'unreachable') row.dueAt = 0;
      }
    });
  }

  postpone(peerId: string, silent: number, seconds: number): Promise<void> {
    return this.#answer(() => {
      const now = performance.now();
      for (const row of this.rows) {
        if (row.claim.peerId !== peerId || Math.max(row.dueAt, row.claimedUntil) > now) continue;
        row.claim = { ...row.claim, state: 'unreachable', silent };
        row.dueAt = now + seconds * 1000;
      }
    });
  }

  counts(): Promise<PeerStateCounts> {
    return this.#answer(() => {
      const states: Record<PeerState, number> = { pending: 0, current: 0, behind: 0, unreachable: 0 };
      for (const { claim } of this.rows) states[claim.state]++;
      return { states, oldestSeconds: 0, peers: [], late: [] };
    });
  }

  peersOf({ zoneId, view }: PeerLine): Promise<readonly LinePeer[]> {
    return this.#answer(() =>
      this.rows
        .filter(({ claim }) => claim.zoneId === zoneId && claim.view === view)
        .map(({ claim }) => claim),
    );
  }

  recordSeen(peerId: string, zoneId: string, serial: number): Promise<void> {
    return this.#answer(() => {
      for (const row of this.rows) {
        if (row.claim.peerId === peerId && row.claim.zoneId === zoneId)
          row.claim = { ...row.claim, seen: serial };
      }
    });
  }

  async #answer<T>(work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.fault !== undefined) throw this.fault;
    return work();
  }
}
