import type { ZoneKey } from '../key-set.js';
import type { Policy } from '../policy.js';
import type { SecretFate } from '../secret-keeper.js';

/** What a key is to become: in use, or gone. */
export type KeyGoal = 'in' | 'out';

/** A key of a zone with what is wanted of it. Times are seconds since 1970. */
export interface ManagedKey extends ZoneKey {
  readonly goal: KeyGoal;
  /** Whether CDS and CDNSKEY name it: the parent is to have its DS. */
  readonly parent: boolean;
  /** Of a CSK: it signs the key sets, and not the rest of the zone. */
  readonly keySetsOnly: boolean;
  readonly createdAt: number;
  /** The key that it is to replace, by id. */
  readonly replaces: string | null;
  /** When it first did what its role does (ZSK: signs; KSK: the parent has its DS; CSK: both); null: not yet. */
  readonly activeAt: number | null;
  /** When it was taken out of the key set altogether; null: it is part of it. */
  readonly removedAt: number | null;
}

/** What one key-set version publishes and signs with, as caches see it. */
export interface KeySetFacts {
  readonly version: number;
  /** In the DNSKEY RRset; none: the zone is unsigned. */
  readonly published: readonly string[];
  /** Sign the DNSKEY RRset. */
  readonly keySigners: readonly string[];
  /** Sign the rest, by view; a view that is not named has none. */
  readonly zoneSigners: Readonly<Record<string, readonly string[]>>;
  /** The keys that CDS and CDNSKEY name, or whose DS an operator is asked to set: what the parent may take. */
  readonly parent: readonly string[];
  /** CDS and CDNSKEY ask for no DS at all (RFC 8078 §4); `parent` has no keys then. */
  readonly deleteSentinel: boolean;
}

/** When a view served a key-set version. */
export interface KeySetUse {
  readonly view: string;
  readonly facts: KeySetFacts;
  /** When its first publication was ready. */
  readonly since: number;
  /** When all nameservers of the view were without it: the next version was ready, and every peer seen with it. Null: not yet. */
  readonly until: number | null;
  /** When the next version was ready; null: it is what is served. */
  readonly replacedAt: number | null;
  /** Peers of the view that may serve it still though it was replaced, the first few by name; left out: none, or not known. */
  readonly behind?: readonly string[];
  /** Largest TTL of anything served under it, negative answers included, seconds. */
  readonly maxTtl: number;
  /** TTL of its DNSKEY RRset, or of the answer that there is none. */
  readonly dnskeyTtl: number;
}

/** A DS set that the parent served or may have served. */
export interface DsUse {
  /** Ids of the zone's keys it has a DS for; a DS of no key that we know counts as `unknown:` and its key tag. */
  readonly keys: readonly string[];
  readonly algorithms: readonly number[];
  /** When it was first allowed to the parent, or seen there. */
  readonly since: number;
  /** When one of the parent's nameservers was first seen with it; null: it was only allowed (`allowDs`). */
  readonly seenAt: number | null;
  /** When the last of the parent's nameservers was seen without it and could not take it any more (`observeDs`); null: not yet. */
  readonly until: number | null;
  /** TTL of the DS RRset, or of the answer that there is none, as seen; null: as the policy says. */
  readonly ttl: number | null;
}

/** A nameserver of the parent by whose silence it is not known what all of them have. */
export interface SilentServer {
  /** Its address, and its port behind a space. */
  readonly server: string;
  /** When it answered last; null: it never did. */
  readonly answeredAt: number | null;
  /** When it was first asked; where it has answered, that with what it said last. */
  readonly askedAt: number;
}

/** Delays that were so until an operator said otherwise. */
export interface FormerPolicy {
  /** When that ended, seconds since 1970. */
  readonly until: number;
  readonly delays: Pick<
    Policy,
    'propagationDelay' | 'publishSafety' | 'parentPropagationDelay' | 'parentDsTtl'
  >;
}

/** Everything that a decision looks at. */
export interface RolloverState {
  readonly zone: string;
  /** The views in which the zone is served. */
  readonly views: readonly string[];
  readonly policy: Policy;
  /** What the policy said before, or another that the zone had, as far as caches may hold anything of that time. */
  readonly formerly: readonly FormerPolicy[];
  readonly keySetVersion: number;
  /** All keys, those that were removed and not destroyed yet included. */
  readonly keys: readonly ManagedKey[];
  /**
   * What may still be alive, and what is served; a version that no view has made ready yet has no use. Uses that
   * `isUseAlive` denies can be left out.
   */
  readonly uses: readonly KeySetUse[];
  /** What the parent serves, served or may take; none that was seen: nothing is known of it. */
  readonly ds: readonly DsUse[];
  /** Which of the parent's nameservers are waited for. Left out: nobody has said where its nameservers are. */
  readonly silent?: readonly SilentServer[];
  /** Whether an operator holds all rolls as they are. */
  readonly isHeld: boolean;
  /** Rolls that an operator asked for: keys by id. An entry stays until its key is removed. */
  readonly asked: readonly string[];
  /** CDS and CDNSKEY say that all DS are to go (RFC 8078 §4). */
  readonly deleteSentinel: boolean;
}

/** A change to a key set. Each can be carried out again without harm. */
export type Step =
  /** A new key is made in the key store; it neither signs nor is published. */
  | {
      readonly kind: 'create';
      readonly role: ZoneKey['role'];
      readonly algorithm: number;
      readonly view: string | null;
      readonly replaces: string | null;
      readonly reason: string;
    }
  /** Another key set; what is not named stays. One step may change several keys. */
  | {
      readonly kind: 'change';
      readonly keys: readonly KeyChange[];
      readonly deleteSentinel?: boolean;
      readonly reason: string;
    }
  /** The private key is deleted for good, unless that of an operator or of other keys; `secret` is what became of it, once it is known. */
  | {
      readonly kind: 'destroy';
      readonly key: string;
      readonly reason: string;
      readonly secret?: SecretFate;
    };

/** What becomes of one key in a step. */
export interface KeyChange {
  readonly id: string;
  readonly signs?: boolean;
  readonly published?: boolean;
  readonly keySetsOnly?: boolean;
  readonly parent?: boolean;
  readonly goal?: KeyGoal;
  readonly activeAt?: number;
  readonly removedAt?: number;
}

/** Two things that a cache may hold at the same time and that do not validate together. */
export interface Conflict {
  readonly kind: 'ds-dnskey' | 'dnskey-signature';
  readonly algorithm: number;
  /** Says which DS set, DNSKEY RRset or signatures, for an operator. */
  readonly message: string;
  /** When the first of both has left all caches; null: something has to happen first. */
  readonly until: number | null;
}

/** A step that is due and may not be taken yet. */
export interface Wait {
  readonly step: Step;
  readonly conflicts: readonly Conflict[];
  /** When to look again; null: when something has happened (a publication, a DS seen, a peer). */
  readonly until: number | null;
  /** Why it waits, in words, without the step: what comes behind "waits". */
  readonly why: string;
  /** The step and why it waits, in words. */
  readonly message: string;
}

/** What is to be done now, and what is to come. */
export interface Decision {
  readonly steps: readonly Step[];
  readonly waits: readonly Wait[];
  /** When time alone brings the next step; null: nothing that time alone brings. */
  readonly nextAt: number | null;
}
