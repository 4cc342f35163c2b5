import type { ZoneKey } from '../keys/key-set.js';
import type { Policy } from '../keys/policy.js';
import type { SignaturePage } from '../signing/recorded.js';
import type { ZoneRow } from '../zone/row.js';

/** What a publication is made from and nothing else (invariant "frozen"). */
export interface PublicationTuple {
  /** Database id of the zone, decimal. */
  readonly zoneId: string;
  /** Absolute presentation format, lower case. */
  readonly zone: string;
  readonly view: string;
  readonly zoneVersion: number;
  readonly policyName: string;
  readonly policyVersion: number;
  readonly keySetVersion: number;
  /** Seconds since 1970 by the database's clock. */
  readonly time: number;
  /** Version of the rules by which output is made; grows when a release makes other records from the same input. */
  readonly formatVersion: number;
}

export type PublicationState = 'building' | 'ready' | 'failed';

/** The SOA RRset as one publication serves it, so that any gateway can answer SOA without building the image. */
export interface PublishedSoa {
  readonly ttl: number;
  /** Plain wire rdata, the publication's serial in it. */
  readonly rdata: Uint8Array;
  /** RRSIG rdatas over it. */
  readonly signatures: readonly Uint8Array[];
}

export interface Publication extends PublicationTuple {
  /** Database id, decimal. */
  readonly id: string;
  readonly serial: number;
  readonly state: PublicationState;
  readonly error: string | null;
  /** When the first signature of it leaves its slot, seconds since 1970; null until ready. */
  readonly resignAt: number | null;
  readonly soa: PublishedSoa | null;
}

/** One (zone, view) that is served, and where it stands. */
export interface ServedZone {
  readonly zoneId: string;
  readonly zone: string;
  readonly view: string;
}

/** What serial allocation looks at; pure data, read under the serial line's lock. */
export interface SerialInput {
  /** The serial last given out on this line (building and failed ones count); null on a new line. */
  readonly last: number | null;
  /** The serial in the zone's stored SOA row as this view sees it, or null when there is none to be read. */
  readonly stored: number | null;
  /** Seconds since 1970 by the database's clock. */
  readonly now: number;
  readonly policy: Policy;
}

export type Allocation =
  /** A new publication in state building, leased to this gateway. */
  | { readonly kind: 'allocated'; readonly publication: Publication }
  /** Another gateway is building one for the same (zone, view), and its lease has not run out. */
  | { readonly kind: 'building-elsewhere'; readonly publication: Publication }
  /** The newest ready one still says what the view should see. */
  | { readonly kind: 'current'; readonly publication: Publication }
  /** The newest attempt failed on the same inputs, and its retry is not due. */
  | { readonly kind: 'failed'; readonly publication: Publication }
  /** The zone is not held, or not assigned to the view. */
  | { readonly kind: 'not-served' };

/** What publications need of the database. Every call is one short transaction. */
export interface PublicationStore {
  /** Whether a zone (lower-case absolute text) is held and assigned to the view. */
  findServed(zone: string, view: string): Promise<ServedZone | undefined>;
  /**
   * (zone, view) pairs that need a new publication: none is ready; something the view sees, the policy or the key set changed
   * since the newest ready one; or its resign_at has passed. Leaves out those another gateway is building and
   * failed ones whose retry is not due. By the database's clock.
   */
  listDue(limit: number): Promise<ServedZone[]>;
  /** The newest ready publication. */
  newestReady(zoneId: string, view: string): Promise<Publication | undefined>;
  /**
   * Under the serial line's row lock: decides whether a new publication is due, and if so freezes the tuple, asks
   * `nextSerial` (pure, synchronous) and inserts it as building, leased to `gateway` for `leaseSeconds`. A building one whose
   * lease ran out is marked failed first; its serial stays burned.
   */
  allocate(
    served: ServedZone,
    request: {
      readonly gateway: string;
      readonly leaseSeconds: number;
      readonly formatVersion: number;
      readonly nextSerial: (input: SerialInput) => number;
      /** Make a new one even when nothing changed (an operator asked for it). */
      readonly force?: boolean;
    },
  ): Promise<Allocation>;
  /** Prolongs the lease of a building publication; false when it is no longer this gateway's. */
  renewLease(id: string, gateway: string, leaseSeconds: number): Promise<boolean>;
  /** Marks it ready; false when it is no longer this gateway's (lease lost), in which case it must not be served. */
  markReady(
    id: string,
    gateway: string,
    result: { readonly soa: PublishedSoa; readonly resignAt: number; readonly records: number },
  ): Promise<boolean>;
  /** Marks it failed with what an operator should read, and when to try again on the same inputs (seconds from now; null: only when they change). */
  markFailed(id: string, gateway: string, error: string, retrySeconds: number | null): Promise<void>;
  /**
   * Stores signatures of a building publication for good; in any order of pages.
   * @throws ZonesealError PUBLICATION_LOST when it is no longer this gateway's
   */
  saveSignatures(id: string, gateway: string, pages: readonly SignaturePage[]): Promise<void>;
  /** The stored signatures of a publication, by ascending page, from 0; none when they are not kept any more. */
  readSignatures(id: string): AsyncIterable<SignaturePage>;
  /** Rows of the zone at a version, in canonical order, in batches; one snapshot; views not filtered. */
  readRows(zoneId: string, zoneVersion: number): AsyncIterable<readonly ZoneRow[]>;
  /** The policy at a version. @throws ZonesealError POLICY_INVALID when the stored one does not parse */
  readPolicy(name: string, version: number): Promise<Policy>;
  /** The zone's key set at a version. */
  readKeySet(zoneId: string, version: number): Promise<readonly ZoneKey[]>;
}
