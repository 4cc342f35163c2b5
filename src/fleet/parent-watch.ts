import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import type { DsSighting, ParentClient, ParentServer, ParentZone } from './parent-client.js';

/** A zone whose parent is to be asked now. */
export interface ParentClaim {
  readonly zoneId: string;
  readonly zone: string;
  /** Whether a key roll waits for the parent. */
  readonly awaits: boolean;
  /** The DS set that its CDS ask for; null: they ask for none. */
  readonly wanted: string | null;
  /** Seconds until nameservers have these CDS, none once they do; null: not all views are published with them. */
  readonly tellSeconds: number | null;
  /** Seconds since the parent was told of these CDS; null: it was not. */
  readonly toldSeconds: number | null;
  /** Seconds since a roll began to wait for the parent, or since none does. */
  readonly waitedSeconds: number;
  /** Another one once something of this has changed. */
  readonly revision: number;
  /** What is wrong with the DS that the parent has, so that the zone is bogus; null: nothing. */
  readonly fault: string | null;
  /** Seconds since that was told of; null: it was not. */
  readonly faultToldSeconds: number | null;
}

/** What a nameserver of a parent was seen with. */
export interface SeenDs {
  /** Its address and port. */
  readonly server: string;
  readonly ds: readonly Uint8Array[];
  readonly ttl: number;
  /** Whether the TTL is valid by a trust anchor. */
  readonly isTtlProved: boolean;
}

/** The port to where it is kept what parents have. */
export interface ParentWatchStore {
  /** Puts off zones that are due and of which no parent is known; returns how many, `limit` at the most. */
  putOffUnknown(limit: number, seconds: number): Promise<number>;
  /** Takes zones that are due, for as long as asking may take. */
  claim(limit: number, claimSeconds: number): Promise<ParentClaim[]>;
  /** The nearest parent above a zone that is known, and who is told of changed CDS. */
  findAbove(zone: string): Promise<(ParentZone & { readonly notify: readonly ParentServer[] }) | undefined>;
  /** Notes what was seen; servers that are not among those seen have what they had. */
  record(zone: string, servers: readonly string[], seen: readonly SeenDs[]): Promise<void>;
  /** Notes when to ask again, at once where something has changed since the claim, and whether the parent was told of the CDS that it names. */
  noteAsked(claim: ParentClaim, nextSeconds: number, isTold: boolean): Promise<void>;
  /** Notes that the fault of a claim was told of. */
  noteFaultTold(claim: ParentClaim): Promise<void>;
  /** Zones that the DS at their parents makes bogus. */
  countFaults(): Promise<number>;
}

export interface ParentWatchOptions {
  readonly store: ParentWatchStore;
  readonly client: Pick<ParentClient, 'findDs' | 'notifyCds'>;
  readonly log: Log;
  /** Seconds between questions while a key roll waits for the parent. */
  readonly pollSeconds: number;
  /** Seconds between questions otherwise. */
  readonly recheckSeconds: number;
  /** Seconds that asking a parent may take at the most. */
  readonly claimSeconds: number;
}

/** Counts since the start, for metrics. */
export interface ParentWatchCounts {
  readonly seen: number;
  readonly unknown: number;
  readonly told: number;
  /** Zones that the DS at their parents makes bogus, when it was last looked. */
  readonly bogus: number;
}

/** Zones asked for at the same time; all questions of one are sent at once. */
const AT_ONCE = 16;
/** Zones put off with one statement. */
const PUT_OFF = 500;
/** A parent that was waited for is asked again after that part of the time. */
const PATIENCE = 20;
/** A parent that does not follow its CDS is told again after so long. */
const TELL_AGAIN_SECONDS = 3600;
/** A zone that the DS at its parent makes bogus is told of again after so long. */
const FAULT_AGAIN_SECONDS = 3600;
const REMEMBERED_PROBLEMS = 10_000;

/** Asks parents what DS sets zones have, more often while a key roll waits for it, and tells them of changed CDS. */
export class ParentWatch {
  readonly #options: ParentWatchOptions;
  readonly #end = new AbortController();
  readonly #problems = new Map<string, string>();
  readonly #counts = { seen: 0, unknown: 0, told: 0, bogus: 0 };

  constructor(options: ParentWatchOptions) {
    this.#options = options;
  }

  get counts(): ParentWatchCounts {
    return this.#counts;
  }

  /** Asks for all zones that are due. @throws ZonesealError of the database */
  async look(): Promise<void> {
    const { store, claimSeconds, recheckSeconds } = this.#options;
    // nobody can be asked of them: a hundred thousand are not to be taken one by one for that
    while (!this.#end.signal.aborted && (await store.putOffUnknown(PUT_OFF, recheckSeconds)) === PUT_OFF);
    for (;;) {
      const claims = await store.claim(AT_ONCE, claimSeconds);
      const asked = await Promise.allSettled(claims.map((claim) => this.#ask(claim)));
      for (const { reason } of asked.filter((it) => it.status === 'rejected')) {
        // a zone that was deleted meanwhile stops no other
        if (!(reason instanceof ZonesealError && reason.code === 'NOT_HELD')) throw reason;
      }
      if (claims.length < AT_ONCE || this.#end.signal.aborted) break;
    }
    this.#counts.bogus = await store.countFaults();
  }

  close(): void {
    this.#end.abort();
  }

  async #ask(claim: ParentClaim): Promise<void> {
    const { store, client, pollSeconds, recheckSeconds } = this.#options;
    const { zone, awaits, waitedSeconds, tellSeconds } = claim;
    await this.#tellFault(claim);
    const parent = await store.findAbove(zone);
    if (parent === undefined) return store.noteAsked(claim, recheckSeconds, false);
    const isTold = await this.#tell(claim, parent.notify);
    const answers = await Promise.all(
      parent.servers.map(async (server) => ({
        server: `${server.address} ${server.port}`,
        sighting: await client.findDs(zone, parent, server, this.#end.signal),
      })),
    );
    if (this.#end.signal.aborted) return;
    for (const { server, sighting } of answers) this.#note(zone, server, sighting);
    const seen = answers.flatMap(({ server, sighting }): SeenDs[] =>
      sighting.kind === 'seen'
        ? [{ server, ds: sighting.ds, ttl: sighting.ttl, isTtlProved: sighting.isProved }]
        : [],
    );
    await store.record(
      zone,
      answers.map(({ server }) => server),
      seen,
    );
    const isSoon = awaits || seen.length < answers.length;
    // a parent that takes days is not asked every minute
    const patient = Math.min(recheckSeconds, Math.max(pollSeconds, waitedSeconds / PATIENCE));
    const next = isSoon ? patient : recheckSeconds;
    const isComing = awaits && parent.notify.length > 0 && tellSeconds !== null && tellSeconds > 0;
    await store.noteAsked(claim, isComing ? Math.min(next, tellSeconds) : next, isTold);
  }

  /**
   * NOTIFY(CDS) where a roll waits for the parent and nameservers have the CDS, and from time to time again (RFC 9859 §4). Whether somebody
   * has acknowledged it: where nobody has, it is tried again when the parent is asked next.
   */
  async #tell(
    { zone, awaits, tellSeconds, toldSeconds }: ParentClaim,
    targets: readonly ParentServer[],
  ): Promise<boolean> {
    if (!awaits || tellSeconds === null || tellSeconds > 0) return false;
    if (toldSeconds !== null && toldSeconds < TELL_AGAIN_SECONDS) return false;
    const problems = await Promise.all(
      targets.map(async (target) => {
        const problem = await this.#options.client
          .notifyCds(zone, target, this.#end.signal)
          .catch(errorMessage);
        this.#noteTold(zone, target, problem);
        return problem;
      }),
    );
    return problems.includes(undefined);
  }

  #noteTold(zone: string, { address, port }: ParentServer, problem: string | undefined): void {
    const place = `notify ${zone} ${address} ${port}`;
    if (problem === undefined) this.#counts.told++;
    // what the end of the gateway broke off says nothing of the parent
    if (this.#end.signal.aborted || !this.#isNews(place, problem)) return;
    this.#options.log.warn(
      { zone, address, port, reason: problem },
      'a parent was not told of changed CDS; it is tried again when it is asked for the DS next',
    );
  }

  /** That a zone is bogus is told of when it comes to be, and from time to time while it is. */
  async #tellFault(claim: ParentClaim): Promise<void> {
    const { zone, fault, faultToldSeconds } = claim;
    if (fault === null || (faultToldSeconds !== null && faultToldSeconds < FAULT_AGAIN_SECONDS)) return;
    this.#options.log.warn({ zone, reason: fault }, 'the DS at the parent makes a zone bogus');
    await this.#options.store.noteFaultTold(claim);
  }

  #note(zone: string, server: string, sighting: DsSighting): void {
    this.#counts[sighting.kind]++;
    const problem = sighting.kind === 'seen' ? undefined : sighting.problem;
    if (!this.#isNews(`${zone} ${server}`, problem)) return;
    this.#options.log.warn(
      { zone, server, reason: problem },
      "a nameserver of the parent does not tell the zone's DS; key rolls that need it wait",
    );
  }

  /** Whether a problem is to be told of: once, until it is another, or was gone. @param problem undefined: there is none */
  #isNews(place: string, problem: string | undefined): boolean {
    if (problem === undefined) {
      this.#problems.delete(place);
      return false;
    }
    if (this.#problems.get(place) === problem) return false;
    if (this.#problems.size > REMEMBERED_PROBLEMS) this.#problems.clear();
    this.#problems.set(place, problem);
    return true;
  }
}
