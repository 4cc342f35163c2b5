import type { Name } from '../../dns/name.js';
import { RRType, typeToText } from '../../dns/types.js';
import type { RecordSet } from './record-table.js';
import type { FaultList } from './report.js';
import { readSignature, type Signature, signedOctets } from './signature.js';
import { isSigned, type VerifiedNode } from './verified-node.js';
import type { VerifyPool } from './verify-pool.js';
import type { ZoneKey } from './zone-keys.js';

/** What the signatures of a zone are judged by. */
export interface SignatureRules {
  readonly apex: Name;
  readonly keys: readonly ZoneKey[];
  /** The algorithms that have to sign every RRset. */
  readonly algorithms: readonly number[];
  /** One signature is enough where false. */
  readonly requireAllAlgorithms: boolean;
  /** Seconds since 1970. */
  readonly now: number;
  /** Seconds that signatures have to stay valid for. */
  readonly margin: number;
}

/** Judges the signatures of one owner after the other. */
export class SignatureCheck {
  /** How many RRsets the zone signs, and how many signatures were checked against a key. */
  signedSets = 0;
  checked = 0;
  /** The latest time at which every signature is valid; undefined before the first. */
  firstExpiration: number | undefined;

  readonly #faults: FaultList;
  readonly #rules: SignatureRules;
  readonly #pool: VerifyPool;

  constructor(faults: FaultList, rules: SignatureRules, pool: VerifyPool) {
    this.#faults = faults;
    this.#rules = rules;
    this.#pool = pool;
  }

  /** Judges an owner; cryptographic checks go on after the return. */
  add(node: VerifiedNode): void {
    const byType = new Map<number, Signature[]>();
    for (const { rdata, ttl } of node.sets.get(RRType.RRSIG)?.records ?? []) {
      const signature = readSignature(rdata, ttl);
      const list = byType.get(signature.typeCovered);
      if (list === undefined) byType.set(signature.typeCovered, [signature]);
      else list.push(signature);
    }
    for (const set of node.sets.values()) {
      if (set.type === RRType.RRSIG) continue;
      const signatures = byType.get(set.type) ?? [];
      byType.delete(set.type);
      if (isSigned(node, set.type)) this.#checkSet(node, set, signatures);
      else if (signatures.length > 0) this.#unexpected(node, set.type);
    }
    for (const type of byType.keys()) {
      this.#faults.error(
        'rrsig-covers-nothing',
        node,
        type,
        `a signature covers ${typeToText(type)}, which is not there`,
      );
    }
  }

  #unexpected(node: VerifiedNode, type: number): void {
    const what =
      node.kind === 'occluded' ? 'data that is occluded' : 'what is not authoritative at a delegation';
    this.#faults.error('rrsig-unexpected', node, type, `a signature is over ${what}`);
  }

  #checkSet(node: VerifiedNode, set: RecordSet, signatures: readonly Signature[]): void {
    this.signedSets++;
    const signing = new Set<ZoneKey>();
    for (const signature of signatures) {
      const keys = this.#keysOf(node, set, signature);
      for (const key of keys) signing.add(key);
      if (keys.length > 0) this.#checkSignature(node, set, signature, keys);
    }
    this.#checkAlgorithms(node, set, signing);
    if (set.type === RRType.DNSKEY) this.#checkEntryPoints(node, signing);
  }

  /** The keys that may have made a signature; none where it does not count. */
  #keysOf(node: VerifiedNode, set: RecordSet, signature: Signature): ZoneKey[] {
    const { algorithm, keyTag, signer } = signature;
    if (!signer.equals(this.#rules.apex)) {
      this.#faults.error('rrsig-signer', node, set.type, `the signer is ${signer.toString()}`);
      return [];
    }
    const named = this.#rules.keys.filter((key) => key.algorithm === algorithm && key.tag === keyTag);
    const usable = named.filter((key) => key.isZoneKey && (!key.isRevoked || set.type === RRType.DNSKEY));
    if (usable.length > 0) return usable;
    const by = `key ${keyTag} of algorithm ${algorithm}`;
    if (named.some((key) => key.isRevoked)) {
      this.#faults.error('rrsig-revoked-key', node, set.type, `a signature is by ${by}, which is revoked`);
    } else if (named.length > 0) {
      this.#faults.error(
        'rrsig-unknown-key',
        node,
        set.type,
        `a signature is by ${by}, which is no zone key`,
      );
    } else {
      this.#faults.warning(
        'rrsig-unknown-key',
        node,
        set.type,
        `a signature is by ${by}, which is not published`,
      );
    }
    return [];
  }

  #checkSignature(node: VerifiedNode, set: RecordSet, signature: Signature, keys: readonly ZoneKey[]): void {
    const faults = this.#faults;
    const { type } = set;
    const labels = node.owner.labelCount - (node.owner.isWildcard ? 1 : 0);
    if (signature.labels !== labels) {
      faults.error(
        'rrsig-labels',
        node,
        type,
        `a signature says ${signature.labels} labels instead of ${labels}`,
      );
    }
    const ttl = set.records[0]?.ttl ?? 0;
    if (signature.originalTtl !== ttl) {
      faults.error(
        'rrsig-original-ttl',
        node,
        type,
        `a signature says TTL ${signature.originalTtl} instead of ${ttl}`,
      );
    }
    if (signature.ttl !== ttl) {
      faults.error('rrsig-ttl', node, type, `a signature has TTL ${signature.ttl} instead of ${ttl}`);
    }
    this.#checkTimes(node, type, signature);
    if (keys.every((key) => key.publicKey === undefined)) return; // the key itself is reported
    this.checked++;
    this.#pool.submit(keys, signedOctets(signature, node.owner, set), signature.signature, (right) => {
      if (right) return;
      const by = `key ${signature.keyTag} of algorithm ${signature.algorithm}`;
      faults.error('rrsig-bogus', node, type, `the signature by ${by} is wrong`);
    });
  }

  #checkTimes(node: VerifiedNode, type: number, { inception, expiration }: Signature): void {
    const { now, margin } = this.#rules;
    const faults = this.#faults;
    const left = serialDifference(expiration, now);
    const expires = now + left;
    if (this.firstExpiration === undefined || expires < this.firstExpiration) this.firstExpiration = expires;
    if (serialDifference(expiration, inception) <= 0) {
      faults.error('rrsig-period', node, type, 'a signature expires before its inception');
    } else if (left < 0) {
      faults.error('rrsig-expired', node, type, `a signature expired at ${formatTime(expires)}`);
    } else if (left < margin) {
      faults.error(
        'rrsig-expires-soon',
        node,
        type,
        `a signature expires at ${formatTime(expires)}, in ${left} seconds`,
      );
    }
    const until = serialDifference(inception, now);
    if (until > 0) {
      faults.error(
        'rrsig-not-yet-valid',
        node,
        type,
        `a signature is not valid before ${formatTime(now + until)}`,
      );
    }
  }

  #checkAlgorithms(node: VerifiedNode, set: RecordSet, signing: ReadonlySet<ZoneKey>): void {
    const { algorithms, requireAllAlgorithms } = this.#rules;
    const present = new Set([...signing].filter((key) => !key.isRevoked).map((key) => key.algorithm));
    const missing = algorithms.filter((algorithm) => !present.has(algorithm));
    if (missing.length === 0) return;
    if (missing.length === algorithms.length) {
      this.#faults.error('rrsig-missing', node, set.type, 'there is no signature by a published key');
    } else if (requireAllAlgorithms) {
      const message = `there is no signature of algorithm ${missing.join(', ')}`;
      this.#faults.error('rrsig-missing-algorithm', node, set.type, message);
    }
  }

  /** RFC 4035 §2.1: where an algorithm has secure entry points, one of them signs the DNSKEY RRset. */
  #checkEntryPoints(node: VerifiedNode, signing: ReadonlySet<ZoneKey>): void {
    const { keys, algorithms } = this.#rules;
    const active = keys.filter((key) => key.isZoneKey && !key.isRevoked);
    for (const algorithm of algorithms) {
      const entryPoints = active.filter((key) => key.algorithm === algorithm && key.isSecureEntryPoint);
      const signs = [...signing].some((key) => key.algorithm === algorithm);
      if (signs && entryPoints.length > 0 && !entryPoints.some((key) => signing.has(key))) {
        const message = `no secure entry point of algorithm ${algorithm} signs the DNSKEY RRset`;
        this.#faults.error('dnskey-not-signed-by-sep', node, RRType.DNSKEY, message);
      }
    }
    for (const key of keys) {
      if (!key.isRevoked || signing.has(key)) continue;
      const message = `key ${key.tag} is revoked and does not sign the DNSKEY RRset`;
      this.#faults.error('dnskey-revoked', node, RRType.DNSKEY, message);
    }
  }
}

/** How far a 32-bit serial number is ahead of another (RFC 1982, RFC 4034 §3.1.5). */
function serialDifference(serial: number, other: number): number {
  return (serial - other) | 0;
}

function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
