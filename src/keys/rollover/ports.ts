import type { ZoneKey } from '../key-set.js';
import type { DsUse, RolloverState, Step } from './model.js';

/** A key that was made and proved, and is in the key store; it neither signs nor is published. */
export type MadeKey = Omit<ZoneKey, 'id' | 'zone'>;

/** What is looked at when a zone's keys are decided on, to be handed back afterwards. */
export interface Look {
  readonly zoneId: string;
  readonly policyVersion: number;
  /** Of which version the policy was when the zone was looked at before. */
  readonly policyVersionBefore: number;
  /** When time was to bring the next step, as the look before has it, microseconds since 1970; null: it brings none. */
  readonly dueAt: number | null;
  /** What happened to the zone since the look before; what happens after this one is looked at another time. */
  readonly events: readonly number[];
}

/** What a step is taken on: the state that was looked at, its DS sets as they are stored. */
export interface Looked extends Pick<RolloverState, 'zone' | 'keySetVersion' | 'isHeld' | 'ds'> {
  /** It does not wait until it is known what caches hold (`unknownUntil`): an operator who was told has it done. Left out: it does. */
  readonly isUrgent?: boolean;
}

/** A DS set that nameservers of the parent have now. */
export interface PresentDs {
  /** Ids of the zone's keys; `unknown:` and the key tag for others. None: there is no DS. */
  readonly keys: readonly string[];
  readonly algorithms: readonly number[];
  /** TTL of the DS RRset, or of the answer that there is none, in seconds; null: not known. */
  readonly ttl: number | null;
}

/** What the parent's nameservers have, as each was last seen. */
export interface ParentNow {
  /** A DS RRset whose digest types are not the same for all its keys counts as two: as it is, and what the strongest digests are of. */
  readonly sets: readonly PresentDs[];
  /** When the last sighting was made that this rests on, seconds since 1970. */
  readonly at: number;
  /** The last moment at which each of them is known to have had that, none having had another set since; null: there was none yet. */
  readonly settledAt: number | null;
}

/** A zone as decisions look at it. */
export interface LoadedRollover {
  readonly state: RolloverState;
  /** Null while one of the parent's nameservers has never answered, or none is known. */
  readonly parent: ParentNow | null;
  /** The views that have peers for the zone. */
  readonly peeredViews: readonly string[];
  /** Until when caches may hold what the database, which was set back, knows nothing of: no step is taken before, but in an emergency. Null: nothing of the kind. */
  readonly unknownUntil: number | null;
  readonly look: Look;
  /** Seconds since 1970 by the database's clock. */
  readonly now: number;
}

/** What one nameserver of the parent has. */
export interface DsSighting {
  /** Its address. */
  readonly server: string;
  /** DS rdata; none: it answers that there is no DS. */
  readonly ds: readonly Uint8Array[];
  readonly ttl: number | null;
  /** Whether the TTL can be relied on: it was signed, or an operator said it. Else caches are taken to keep it for no less than the policy says. */
  readonly isTtlProved: boolean;
}

/** What became of a key, or of a zone's keys. */
export interface KeyEvent {
  /** Seconds since 1970. */
  readonly at: number;
  /** Null: it is of the zone. */
  readonly key: string | null;
  readonly keyTag: number | null;
  readonly what: string;
  readonly why: string;
}

/** `KeyEvent.what` of steps that could not be taken begins with it; `why` begins with the step's reason. */
export const FAILED = 'failed';

/** A zone whose keys are to be looked at. */
export interface DueZone {
  readonly zoneId: string;
  readonly zone: string;
}

/** What carrying out key rolls needs of the database. Every call is one short transaction; time is the database's. */
export interface RolloverStore {
  /**
   * Zones to be looked at: something happened, time has brought the next step, or the policy has another version. None while a gateway
   * runs that knows nothing of rolls.
   */
  listDue(limit: number): Promise<DueZone[]>;
  /** The gateways that run and know nothing of rolls, each with its release. */
  listOlderGateways(): Promise<string[]>;
  /** A zone and everything that decisions on its keys look at, of one moment; undefined: there is no such zone. @throws ZonesealError POLICY_INVALID */
  load(zone: string): Promise<LoadedRollover | undefined>;
  /**
   * Notes that a zone was looked at. Where another gateway has noted a look since the zone was loaded, what that one says stays, for it may
   * have seen more; and the zone is looked at again.
   * @param nextAt when time brings the next step, seconds since 1970; null: time brings none
   */
  noteLooked(look: Look, nextAt: number | null): Promise<void>;
  /** Notes that a zone could not be looked at, and is to be again after so many seconds. */
  postpone(zoneId: string, seconds: number): Promise<void>;
  /**
   * Takes a step, if the key set still has the version that was looked at, the DS sets are those that were, nobody holds or releases it
   * meanwhile, and it is known what caches hold (`unknownUntil`) or it is urgent; false: look again.
   * @param ds the DS sets that the parent has or may take after it (`applyStep`)
   * @param made for a `create`: the key, which is in the key store already
   */
  apply(state: Looked, step: Step, ds: readonly DsUse[], made?: MadeKey): Promise<boolean>;
  /** Stores the DS sets that the parent has or may take, on the same condition as `apply`. */
  storeDs(state: Looked, ds: readonly DsUse[]): Promise<boolean>;
  /**
   * Notes what nameservers of the parent were seen to have. Those that did not answer have what they had.
   * @param servers all of the parent's nameservers
   * @throws ZonesealError NOT_HELD
   */
  recordDs(zone: string, servers: readonly string[], sightings: readonly DsSighting[]): Promise<void>;
  /** Notes what an operator says that all of the parent's nameservers have. @throws ZonesealError NOT_HELD */
  recordDsByHand(zone: string, ds: readonly Uint8Array[], ttl: number | null): Promise<void>;
  /** Keeps the keys of a zone as they are, or lets them roll; false: it was so already. @throws ZonesealError NOT_HELD */
  hold(zone: string, isHeld: boolean, why: string): Promise<boolean>;
  /** Asks for keys to be replaced, by id. @throws ZonesealError NOT_HELD naming the first that the zone has not in use */
  askRoll(zone: string, keys: readonly string[], why: string): Promise<void>;
  /** Notes that a step could not be taken, once for each step and code until another event comes. @param code null: it has none */
  noteFailed(zone: string, step: Step, code: string | null, reason: string): Promise<void>;
  /** The newest events, the newest first. @throws ZonesealError NOT_HELD */
  listEvents(zone: string, limit: number): Promise<KeyEvent[]>;
}
