import type { ClaimRoom } from './ports.js';

/** What is asked of peers at the same time. */
export interface PeerLimits {
  /** Messages under way in all. */
  readonly exchanges: number;
  /** Messages under way to one peer. */
  readonly exchangesPerPeer: number;
}

/** Messages without an answer, one after another, from which a peer gets one message at a time. */
const SILENCE = 8;

/** Counts what is under way, so that one peer that does not answer takes nothing from the others. */
export class PeerLoad {
  readonly #limits: PeerLimits;
  readonly #running = new Map<string, number>();
  /** Messages without an answer, of peers that gave none to the last one. */
  readonly #silences = new Map<string, number>();
  #total = 0;

  constructor(limits: PeerLimits) {
    this.#limits = limits;
  }

  /** Messages under way. */
  get running(): number {
    return this.#total;
  }

  /** Peers that get one message at a time. */
  get quiet(): number {
    let count = 0;
    for (const silences of this.#silences.values()) if (silences >= SILENCE) count++;
    return count;
  }

  /** What may be begun now. */
  get room(): ClaimRoom {
    const { exchanges, exchangesPerPeer: perPeer } = this.#limits;
    const exceptions = new Map<string, number>();
    const peers = new Set([...this.#running.keys(), ...this.#silences.keys()]);
    for (const peerId of peers) {
      const limit = (this.#silences.get(peerId) ?? 0) >= SILENCE ? 1 : perPeer;
      const room = Math.max(0, limit - (this.#running.get(peerId) ?? 0));
      if (room !== perPeer) exceptions.set(peerId, room);
    }
    return { total: exchanges - this.#total, perPeer, exceptions };
  }

  begin(peerId: string): void {
    this.#total++;
    this.#running.set(peerId, (this.#running.get(peerId) ?? 0) + 1);
  }

  /** A message is done with. */
  end(peerId: string): void {
    this.#total--;
    const left = (this.#running.get(peerId) ?? 1) - 1;
    if (left === 0) this.#running.delete(peerId);
    else this.#running.set(peerId, left);
  }

  /**
   * The peer gave an answer, or none.
   * @returns whether it is one that gives no answers
   */
  note(peerId: string, isAnswered: boolean): boolean {
    const silences = isAnswered ? 0 : (this.#silences.get(peerId) ?? 0) + 1;
    if (isAnswered) this.#silences.delete(peerId);
    else this.#silences.set(peerId, silences);
    return silences >= SILENCE;
  }
}
