import type { KeySet } from '../keys/key-set.js';
import type { Policy } from '../keys/policy.js';
import type { PackedPage } from '../signing/page-codec.js';
import type { RowContent, ZoneRow } from '../zone/row.js';

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
  /** Seconds since 1970: signatures that begin before are not used, an operator wanted all made anew; 0: none did. */
  readonly notBefore: number;
}

/** When what is not signed is to be signed anew, and expires: the last second of the year 9999, which every clock and column can hold. */
export const NEVER = 253_402_300_799;

export type PublicationState = 'building' | 'ready' | 'failed';

/** Why a publication is made. */
export type Cause =
  /** There was none. */
  | 'first'
  /** Something that the view sees changed. */
  | 'change'
  /** The zone has another policy, or its policy another version. */
  | 'policy'
  /** The key set changed. */
  | 'keys'
  /** Signatures leave their slots. */
  | 'refresh'
  /** An operator asked for it: another serial, or all signatures anew. */
  | 'asked'
  /** This release makes other records from the same input. */
  | 'format'
  /** What is stored of the one before cannot be read any more. */
  | 'pages'
  /** The database was set back, and the serial line has jumped. */
  | 'recovery';

/** An RRset of the apex as one publication serves it: its SOA, from which any gateway can answer, or its ZONEMD. */
export interface PublishedRRset {
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
  readonly cause: Cause;
  readonly error: string | null;
  /** The ready publication that this one is to replace; null: it is the first. */
  readonly previous: string | null;
  /** The publication whose set of pages this one's are among; null until ready. */
  readonly generation: string | null;
  /** When the first signature of it leaves its slot, seconds since 1970, `NEVER` where it is unsigned; null until ready. */
  readonly resignAt: number | null;
  /** When the first signature of it expires, seconds since 1970, `NEVER` where it is unsigned; null until ready. */
  readonly expiresAt: number | null;
  readonly soa: PublishedRRset | null;
  /** Where the policy wants one. */
  readonly zonemd: PublishedRRset | null;
  /** Of all RRsets, or more, seconds; null until ready, as what follows. */
  readonly maxTtl: number | null;
  /** Records, RRSIGs counted, the closing SOA not. */
  readonly records: number | null;
  /** Octets of the records, names not compressed. */
  readonly octets: number | null;
  /** What its journal holds; null where there is none. */
  readonly journal: JournalSize | null;
}

/** What is known of a publication when it has become ready. */
export interface PublicationResult {
  readonly generation: string;
  readonly soa: PublishedRRset;
  readonly zonemd: PublishedRRset | undefined;
  readonly resignAt: number;
  readonly expiresAt: number;
  /** When less validity is left than the SOA's expire and the largest TTL, seconds since 1970. */
  readonly safeUntil: number;
  readonly maxTtl: number;
  /** TTL of the DNSKEY RRset, or of the answer that there is none. */
  readonly dnskeyTtl: number;
  readonly records: number;
  readonly octets: number;
  /** Signatures made, and those that served again. */
  readonly signatures: number;
  readonly reused: number;
  /** What it changed; undefined for the first, and where the difference is larger than the zone. */
  readonly journal: JournalSize | undefined;
}

/** What a journal holds: records without the SOA and its signatures, and their octets. */
export interface JournalSize {
  readonly removed: number;
  readonly added: number;
  readonly octets: number;
}

/** One part of a journal: packed records that were taken away, or put in. */
export interface JournalPart {
  readonly added: boolean;
  readonly part: number;
  readonly content: Uint8Array;
}

/** A page as it is stored. */
export interface StoredPage extends PackedPage {
  /** The publication from which on it is part of the zone. */
  readonly since: string;
  /** Where the next page of its section begins; null: it is the last. */
  readonly nextKey: Uint8Array | null;
}

/** What names a stored page. */
export type PageReference = Pick<StoredPage, 'chain' | 'firstKey' | 'since'>;

/** What replaces some pages of the publication before: everything of an update, written at once. */
export interface PageChanges {
  readonly replaced: readonly PageReference[];
  readonly pages: readonly PackedPage[];
  readonly journal: readonly JournalPart[];
}

/** The owners that changed between two versions of a zone, as one view sees it: their sort keys; or too many to list. */
export type ChangedOwners =
  | { readonly kind: 'owners'; readonly keys: readonly Uint8Array[] }
  | { readonly kind: 'all' };

/** One (zone, view) that is served, and where it stands. */
export interface ServedZone {
  readonly zoneId: string;
  readonly zone: string;
  readonly view: string;
}

/** A line that a nameserver which loses contact may serve until its signatures have expired. */
export interface UnsafeLine extends ServedZone {
  /** Since when, seconds since 1970. */
  readonly since: number;
  /** When its first signature expires. */
  readonly expiresAt: number;
}

/** A (zone, view) as it stands in the database. */
export interface LineState {
  readonly served: ServedZone;
  /** The newest ready publication. */
  readonly publication: Publication | undefined;
  /** The serial last given out. */
  readonly lastSerial: number | undefined;
  /** Whether the database was set back, and the line is not known to be past what nameservers serve: nothing of it is served. */
  readonly isRecovering: boolean;
}

/** What serial allocation looks at; pure data, read under the serial line's lock. */
export interface SerialInput {
  /** The serial last given out on this line (building and failed ones count); null on a new line. */
  readonly last: number | null;
  /** The serial that is served; the last one may have been moved far past it by an operator. Null: none is. */
  readonly served?: number | null;
  /**
   * Whether the last one is that of an attempt that nobody can have seen, so that it may be given out again: it failed, and it was
   * not the first. Only a first publication is streamed, or its SOA answered, before it is ready. False where left out.
   */
  readonly isUnseen?: boolean;
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

/** A small zone, read whole: what one publication of it is made from. */
export interface SmallZoneContent {
  readonly publication: Publication;
  /** At the publication's zone version, in canonical order. */
  readonly rows: readonly ZoneRow[];
  readonly policy: Policy;
  readonly keySet: KeySet;
  /** The newest ready publications of its views, with all their pages in order. */
  readonly ready: readonly { readonly publication: Publication; readonly pages: readonly StoredPage[] }[];
  /** Owners that changed for the view since the one before. */
  readonly changes: ChangedOwners;
}

/** A publication that was made, and what is to be stored of it. */
export interface FinishedPublication {
  readonly publication: Pick<Publication, 'id'>;
  readonly result: PublicationResult;
  /** Of an update: what it replaces; of a whole: all pages, nothing replaced. */
  readonly changes: PageChanges;
}

/** What publications need of the database. Every call is one short transaction. */
export interface PublicationStore {
  /** Whether a zone (lower-case absolute text) is held and assigned to the view. */
  findServed(zone: string, view: string): Promise<ServedZone | undefined>;
  /**
   * A (zone, view) and where it stands; undefined as for `findServed`.
   * @throws ZonesealError DATABASE_SET_BACK when the database is not the one that is trusted
   */
  findLine(zone: string, view: string): Promise<LineState | undefined>;
  /**
   * (zone, view) pairs that need a new publication: none is ready; something the view sees, the policy or the key set changed
   * since the newest ready one; or its resign_at has passed. Leaves out those another gateway is building and
   * failed ones whose retry is not due. By the database's clock.
   */
  listDue(limit: number): Promise<ServedZone[]>;
  /** Lines of which what is ready has less validity left than it should, the worst first; and how many there are. */
  listUnsafe(limit: number): Promise<{ readonly count: number; readonly lines: readonly UnsafeLine[] }>;
  /** Zones that operators hold at a version. */
  countFrozen(): Promise<number>;
  /** The newest ready publication that may be served. @throws ZonesealError DATABASE_SET_BACK */
  newestReady(zoneId: string, view: string): Promise<Publication | undefined>;
  /**
   * Under the serial line's row lock: decides whether a new publication is due, and if so freezes the tuple, asks
   * `nextSerial` (pure, synchronous) and inserts it as building, leased to `gateway` for `leaseSeconds`. A building one whose
   * lease ran out is marked failed first. The serial of a failed first publication stays burned, it may have been seen; that of
   * another one is given out again. One publication of a zone is built at a time, so that its views share signatures.
   * @throws ZonesealError DATABASE_SET_BACK while it is not known that the line is past what nameservers serve; DATA_REFUSED
   * where no serial comes after the last one and the one that is served
   */
  allocate(
    served: ServedZone,
    request: {
      readonly gateway: string;
      readonly leaseSeconds: number;
      readonly formatVersion: number;
      readonly nextSerial: (input: SerialInput) => number;
      /** Make a new one even when nothing changed, for this cause. */
      readonly force?: Cause;
    },
  ): Promise<Allocation>;
  /**
   * Allocates publications of many zones at once, one a zone, as `allocate` does, without waiting for anyone: lines that others
   * are at, and those that are no plain case, are left for `allocate`.
   */
  allocateMany(
    served: readonly ServedZone[],
    request: Omit<Parameters<PublicationStore['allocate']>[1], 'force'>,
  ): Promise<Publication[]>;
  /** Everything that publications of small zones are made from, with a few questions for all; zones that are not small are left out. */
  readSmallZones(publications: readonly Publication[]): Promise<SmallZoneContent[]>;
  /** Marks many ready as `markReady` does, with one commit; returns the ids of those that were. */
  markManyReady(gateway: string, finished: readonly FinishedPublication[]): Promise<ReadonlySet<string>>;
  /** Prolongs the lease of a building publication; false when it is no longer this gateway's. */
  renewLease(id: string, gateway: string, leaseSeconds: number): Promise<boolean>;
  /**
   * Marks it ready and, with the same commit, stores what an update changes; false when it is no longer this gateway's
   * (lease lost), in which case it must not be served, and nothing was stored.
   */
  markReady(id: string, gateway: string, result: PublicationResult, changes?: PageChanges): Promise<boolean>;
  /**
   * The same input as before in other words (a policy that says the same, say): drops the publication, and notes that the
   * ready one says what its tuple says. False as for `markReady`.
   */
  markUnchanged(id: string, gateway: string): Promise<boolean>;
  /** Marks it failed with what an operator should read, and when to try again on the same inputs (seconds from now; null: only when they change). */
  markFailed(id: string, gateway: string, error: string, retrySeconds: number | null): Promise<void>;
  /** The newest ready publications of a zone in all its views; one whose pages are all gone without its generation. */
  listReady(zoneId: string): Promise<Publication[]>;
  /**
   * Generations of a zone, in any view, of publications that died while they were made, newer than the ready one: of each what was
   * stored, a beginning in order, which `readPagesAfter` and `findPages` read.
   */
  listAbandoned(zoneId: string): Promise<readonly string[]>;
  /**
   * The ready publications of the line of a publication, from the one of a serial up to it, the oldest first. None where the serial
   * is not known, a journal in between is not kept or not all there, or the journals are together larger than the publication.
   */
  readLine(upTo: Publication, fromSerial: number): Promise<Publication[]>;
  /** The parts of one side of the journal of a publication in order. */
  readJournal(id: string, added: boolean): AsyncIterable<Uint8Array>;
  /**
   * Stores pages of a generation that is being written, parts of its journal, and with the first pages of a first one the SOA.
   * @throws ZonesealError PUBLICATION_LOST when it is no longer this gateway's
   */
  savePages(
    id: string,
    gateway: string,
    pages: readonly PackedPage[],
    journal: readonly JournalPart[],
    soa?: PublishedRRset,
  ): Promise<void>;
  /** A publication as it stands now: one that is being made has its SOA as soon as pages of it are stored. */
  findPublication(id: string): Promise<Publication | undefined>;
  /** The pages of one section of a generation that is being written which are stored by now, after a key. */
  readPagesAfter(
    generation: string,
    chain: boolean,
    after: Uint8Array | null,
  ): AsyncIterable<readonly StoredPage[]>;
  /** Removes what was stored of a building publication's journal. */
  dropJournal(id: string): Promise<void>;
  /** The pages of one section of a publication in order, in batches; none when they are not kept any more. */
  readPages(
    of: { readonly id: string; readonly generation: string },
    chain: boolean,
  ): AsyncIterable<readonly StoredPage[]>;
  /**
   * All pages of a ready publication that has few, its names and then its NSEC3 records in order; those of several that are asked
   * for at the same time are read together. Undefined where `readPages` has to be asked.
   */
  readFewPages(of: Publication): Promise<readonly StoredPage[] | undefined>;
  /** The present pages of a generation that hold these keys, or would: each once, in order. */
  findPages(generation: string, chain: boolean, keys: readonly Uint8Array[]): Promise<StoredPage[]>;
  /** The last present page that begins before a key (null: of all) and has a node of the denial chain. */
  pageBefore(generation: string, chain: boolean, key: Uint8Array | null): Promise<StoredPage | undefined>;
  /** The first present page that begins at a key or after it and has a node of the denial chain. */
  pageAfter(generation: string, chain: boolean, key: Uint8Array): Promise<StoredPage | undefined>;
  /** Present pages of a generation with a signature that expires at an instant or before, the earliest first. */
  expiringPages(generation: string, until: number, limit: number): Promise<StoredPage[]>;
  /** When the first signature of the present pages expires, those left out that are about to be replaced. */
  firstExpiry(generation: string, except: readonly PageReference[]): Promise<number | undefined>;
  /** Owners whose data changed for a view after one version and up to another. */
  readChanges(
    zoneId: string,
    view: string,
    after: number,
    upTo: number,
    limit: number,
  ): Promise<ChangedOwners>;
  /** Rows at a version of these owners, by sort key; in canonical order. */
  readRowsAt(zoneId: string, zoneVersion: number, keys: readonly Uint8Array[]): Promise<readonly ZoneRow[]>;
  /** Rows at a version of the names below these ones, in canonical order; undefined when there are more than `limit`. */
  readRowsBelow(
    zoneId: string,
    zoneVersion: number,
    keys: readonly Uint8Array[],
    limit: number,
  ): Promise<readonly ZoneRow[] | undefined>;
  /** Rows of the zone at a version, in canonical order, in batches; one snapshot; views not filtered. */
  readRows(zoneId: string, zoneVersion: number): AsyncIterable<readonly RowContent[]>;
  /**
   * Rows of the zone at a version, of owners other than the apex of which some row is, or was at another version, not for all views; owners in
   * canonical order, their rows by type; in batches; views not filtered.
   */
  readTaggedRows(zoneId: string, zoneVersion: number): AsyncIterable<readonly RowContent[]>;
  /** The policy at a version. @throws ZonesealError POLICY_INVALID when the stored one does not parse */
  readPolicy(name: string, version: number): Promise<Policy>;
  /** The zone's key set at a version. */
  readKeySet(zoneId: string, version: number): Promise<KeySet>;
}
