import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { BoundedLog } from '../transfer/bounded-log.js';
import { SILENT_MESSAGES } from './decision.js';
import type { PeerResult } from './outbox.js';
import type { PeerClaim, PeerUpdate } from './ports.js';

/** Peers remembered; what is forgotten is said again. */
const REMEMBERED = 10_000;

/** How long after a peer has come back its zones may still be found unreachable. */
const SAME_SILENCE_MS = 600_000;

/**
 * Tells of peers when something about them becomes otherwise: of one that does not answer and of one that does again once a peer and not
 * for each of its zones, of what is late or refused once a zone.
 */
export class PeerLog {
  readonly #log: BoundedLog;
  readonly #isSilent = new Map<string, boolean>();
  /** Until when zones that were unreachable say nothing new, by the monotonic clock. */
  readonly #backUntil = new Map<string, number>();

  constructor(log: Log, clock: Clock) {
    this.#log = new BoundedLog(log, clock);
  }

  /** @returns whether the peer answers again after a silence */
  tell({ claim, update, outcome }: PeerResult): boolean {
    const fields = fieldsOf(claim);
    const { problem } = update;
    const isBack = outcome !== 'unable' && this.#tellOfSilence(claim, update);
    if (problem !== undefined && problem !== claim.problem && outcome !== 'silent') {
      const reason = { ...fields, reason: problem };
      if (outcome === 'unable') this.#log.write('warn', reason, 'a peer cannot be told or asked');
      else this.#log.write('warn', reason, 'a peer does not answer as it should');
    }
    if (update.state === 'behind' && claim.state !== 'behind') {
      const { wanted, seen } = claim;
      const serials = { serial: wanted, serialSeen: update.seen ?? seen, reason: problem };
      this.#log.write('warn', { ...fields, ...serials }, 'a peer is behind; it is told again');
    }
    if (update.state === 'current' && claim.state === 'behind') {
      this.#log.write('info', { ...fields, serial: update.seen }, 'a peer that was behind is current');
    }
    return isBack;
  }

  /** A peer that serves what this database never gave out. */
  tellOfAhead(claim: PeerClaim, serial: number): void {
    const { lastSerial } = claim;
    this.#log.write(
      'error',
      { ...fieldsOf(claim), serialSeen: serial, lastSerial },
      'a peer serves a later serial than the database has given out; was the database set back?',
    );
  }

  #tellOfSilence(claim: PeerClaim, { silent, problem }: PeerUpdate): boolean {
    const { peerId } = claim;
    const wasSilent = this.#isSilent.get(peerId);
    if (silent >= SILENT_MESSAGES && wasSilent !== true) {
      this.#remember(peerId, true);
      const { peer, address, port, view } = claim;
      this.#log.write(
        'warn',
        { peer, address, port, view, reason: problem },
        'a peer does not answer; it is tried again',
      );
      return false;
    }
    if (silent > 0) return false;
    this.#remember(peerId, false);
    // another gateway may have found it silent; its zones that are still unreachable afterwards are of the same silence
    const isOther = claim.state === 'unreachable' && performance.now() >= (this.#backUntil.get(peerId) ?? 0);
    if (wasSilent !== true && !isOther) return false;
    this.#backUntil.set(peerId, performance.now() + SAME_SILENCE_MS);
    const { peer, address, port, view } = claim;
    this.#log.write('info', { peer, address, port, view }, 'a peer answers again');
    return true;
  }

  #remember(peerId: string, isSilent: boolean): void {
    this.#isSilent.set(peerId, isSilent);
    if (this.#isSilent.size <= REMEMBERED) return;
    for (const eldest of this.#isSilent.keys()) {
      this.#isSilent.delete(eldest);
      this.#backUntil.delete(eldest);
      return;
    }
  }
}

function fieldsOf({ zone, view, peer, address }: PeerClaim): object {
  return { zone, view, peer, address };
}
