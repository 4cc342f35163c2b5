import type { Name } from '../../dns/name.js';
import { RRType } from '../../dns/types.js';
import { loadRecords, type VerifiableRecord } from './load.js';
import { type DenialCheck, NsecCheck } from './nsec-check.js';
import { Nsec3Check } from './nsec3-check.js';
import { type Nsec3Parameters, readParameters } from './nsec3-record.js';
import { ownerKey } from './owner-key.js';
import type { RecordTable } from './record-table.js';
import { FaultList, type VerifyFault } from './report.js';
import { SignatureCheck } from './signatures.js';
import { firstRdata, OwnerClassifier, type VerifiedNode } from './verified-node.js';
import { VerifyPool } from './verify-pool.js';
import { isKnownAlgorithm, isOutdatedAlgorithm, readZoneKey, type ZoneKey } from './zone-keys.js';
import { checkOwner, checkUnsigned } from './zone-rules.js';
import { ZonemdCheck } from './zonemd-check.js';

const DEFAULT_MAX_FAULTS = 100_000;
const PROGRESS_STEP = 1024;
/** More than the validators of today count (RFC 9276 §3.2); a bound on what a hostile zone can cost. */
const MAX_ITERATIONS = 500;

/** How far the verifier is: records read, of a number not known before, then owners verified. */
export interface VerifyProgress {
  readonly phase: 'read' | 'verify';
  readonly done: number;
  readonly total?: number;
}

export interface VerifyOptions {
  readonly apex: Name;
  /** The time that signatures are judged at, in seconds since 1970. */
  readonly now: number;
  /** Seconds that every signature has to stay valid for; 0 where it is left out. */
  readonly margin?: number;
  /** Whether a zone without ZONEMD is a fault; `if-present` where it is left out. */
  readonly zonemd?: 'required' | 'if-present';
  /** Whether every algorithm of the DNSKEY RRset has to sign every RRset (RFC 4035 §2.2); true where it is left out. */
  readonly requireAllAlgorithms?: boolean;
  /** Whether the zone is to be signed, true where it is left out; else records of a signed zone are faults. */
  readonly signed?: boolean;
  /** How many faults are listed; all are counted. */
  readonly maxFaults?: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/** What the verifier found. */
export interface VerifyReport {
  /** Whether there is no error; warnings may be there. */
  readonly ok: boolean;
  /** In canonical order of their owners, those of single records first. */
  readonly faults: readonly VerifyFault[];
  readonly counts: {
    readonly records: number;
    readonly owners: number;
    /** RRsets that the zone signs. */
    readonly signedSets: number;
    /** Signatures checked against a published key. */
    readonly signatures: number;
    readonly errors: number;
    readonly warnings: number;
  };
  readonly denial: 'nsec' | 'nsec3' | 'none';
  /** The SOA serial, where there is an SOA. */
  readonly serial: number | undefined;
  /** When the first signature expires, in seconds since 1970; undefined without signatures. */
  readonly firstExpiration: number | undefined;
}

/**
 * Verifies a signed zone whole, or one that is to be unsigned: signatures, denial of existence, zone cuts, ZONEMD, and the rules of DNS that these rest on.
 * Shares no code with what signs. The records may come in any order, from a file or a transfer; they are kept packed in
 * memory, a 100,000-name zone in some 50 MB. Signatures are checked on the threads of Node's pool.
 * @throws what the source of the records throws; faults of the zone are in the report
 */
export async function verifyZone(
  records: AsyncIterable<VerifiableRecord> | Iterable<VerifiableRecord>,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const faults = new FaultList(options.maxFaults ?? DEFAULT_MAX_FAULTS);
  const table = await loadRecords(records, options.apex, faults, (done) => {
    if (done % PROGRESS_STEP === 0) options.onProgress?.({ phase: 'read', done });
  });
  return new ZoneVerifier(table, faults, options).run();
}

const UNSIGNED: { denial: VerifyReport['denial']; check?: DenialCheck } = { denial: 'none' };

class ZoneVerifier {
  readonly #table: RecordTable;
  readonly #faults: FaultList;
  readonly #options: VerifyOptions;
  readonly #apex: VerifiedNode;
  readonly #pool = new VerifyPool();

  constructor(table: RecordTable, faults: FaultList, options: VerifyOptions) {
    this.#table = table;
    this.#faults = faults;
    this.#options = options;
    const key = ownerKey(options.apex);
    const found = table.find(key) ?? { owner: options.apex.toLower(), key, order: 0, sets: new Map() };
    this.#apex = { ...found, kind: 'apex' };
  }

  async run(): Promise<VerifyReport> {
    const soa = this.#readSoa();
    const isSigned = this.#options.signed ?? true;
    const { denial, check } = isSigned ? this.#denialCheck(soa?.denialTtl) : UNSIGNED;
    const signatures = isSigned ? this.#signatureCheck() : undefined;
    const zonemd = new ZonemdCheck(this.#faults, this.#apex, this.#options.zonemd === 'required');
    const classifier = new OwnerClassifier(this.#apex.key);
    const total = this.#table.ownerCount;
    for (const records of this.#table.owners()) {
      const node: VerifiedNode = { ...records, kind: classifier.kindOf(records) };
      checkOwner(this.#faults, node, classifier.belowDname);
      if (signatures === undefined) checkUnsigned(this.#faults, node);
      signatures?.add(node);
      check?.add(node);
      zonemd.add(node);
      if (this.#pool.full) await this.#pool.room();
      if ((node.order + 1) % PROGRESS_STEP === 0) this.#progress(node.order + 1, total);
    }
    check?.finish();
    if (soa !== undefined) zonemd.finish(this.#apex, soa.serial);
    await this.#pool.drain();
    this.#progress(total, total);
    return this.#report(denial, soa?.serial, signatures);
  }

  #progress(done: number, total: number): void {
    this.#options.onProgress?.({ phase: 'verify', done, total });
  }

  #report(
    denial: VerifyReport['denial'],
    serial: number | undefined,
    signatures: SignatureCheck | undefined,
  ): VerifyReport {
    const { errors, warnings } = this.#faults;
    return {
      ok: errors === 0,
      faults: this.#faults.list(),
      counts: {
        records: this.#table.recordCount,
        owners: this.#table.ownerCount,
        signedSets: signatures?.signedSets ?? 0,
        signatures: signatures?.checked ?? 0,
        errors,
        warnings,
      },
      denial,
      serial,
      firstExpiration: signatures?.firstExpiration,
    };
  }

  #readSoa(): { serial: number; denialTtl: number } | undefined {
    const { sets } = this.#apex;
    if (!sets.has(RRType.NS))
      this.#faults.error('ns-missing', this.#apex, RRType.NS, 'the apex has no NS records');
    const soas = sets.get(RRType.SOA)?.records ?? [];
    const soa = soas[0];
    if (soa === undefined) {
      this.#faults.error('soa-missing', this.#apex, RRType.SOA, 'the apex has no SOA');
      return undefined;
    }
    if (soas.length > 1)
      this.#faults.error('soa-multiple', this.#apex, RRType.SOA, `the apex has ${soas.length} SOAs`);
    const view = new DataView(soa.rdata.buffer, soa.rdata.byteOffset, soa.rdata.length);
    const end = soa.rdata.length;
    return { serial: view.getUint32(end - 20), denialTtl: Math.min(soa.ttl, view.getUint32(end - 4)) };
  }

  #denialCheck(ttl: number | undefined): { denial: VerifyReport['denial']; check?: DenialCheck } {
    const faults = this.#faults;
    const apex = this.#apex;
    const nsec3 = this.#table.findType(RRType.NSEC3);
    const hasNsec = this.#table.findType(RRType.NSEC) !== undefined;
    const hasNsec3 = nsec3 !== undefined || apex.sets.has(RRType.NSEC3PARAM);
    if (hasNsec && hasNsec3)
      faults.error('denial-mixed', apex, undefined, 'the zone has both NSEC and NSEC3 records');
    if (hasNsec) return { denial: 'nsec', check: new NsecCheck(faults, ttl) };
    if (!hasNsec3) {
      faults.error('denial-missing', apex, undefined, 'the zone has neither NSEC nor NSEC3 records');
      return { denial: 'none' };
    }
    const parameters = this.#readNsec3Parameters(nsec3);
    if (parameters === undefined) return { denial: 'nsec3' };
    return { denial: 'nsec3', check: new Nsec3Check(faults, ttl, apex.key, parameters) };
  }

  /** The parameters of the chain; where NSEC3PARAM is missing, those of some NSEC3 record. */
  #readNsec3Parameters(nsec3: Uint8Array | undefined): Nsec3Parameters | undefined {
    const faults = this.#faults;
    const apex = this.#apex;
    const type = RRType.NSEC3PARAM;
    const all = apex.sets.get(type)?.records ?? [];
    if (all.length > 1)
      faults.error('nsec3param-multiple', apex, type, `there are ${all.length} NSEC3PARAM records`);
    if (all.length === 0) faults.error('nsec3param-missing', apex, type, 'there is no NSEC3PARAM record');
    const rdata = firstRdata(apex.sets.get(type)) ?? nsec3;
    if (rdata === undefined) return undefined;
    const parameters = readParameters(rdata);
    if (all.length > 0 && parameters.flags !== 0) {
      faults.error('nsec3param-flags', apex, type, `the flags of NSEC3PARAM are ${parameters.flags}`);
    }
    if (parameters.algorithm !== 1) {
      faults.error('nsec3-parameters', apex, type, `hash algorithm ${parameters.algorithm} is unknown`);
      return undefined;
    }
    if (parameters.iterations > MAX_ITERATIONS) {
      const message = `there are ${parameters.iterations} additional iterations; no validator does so many, and they are not checked`;
      faults.error('nsec3-iterations', apex, type, message);
      return undefined;
    }
    if (parameters.iterations > 0) {
      const message = `there are ${parameters.iterations} additional iterations; validators may take the zone for insecure`;
      faults.warning('nsec3-iterations', apex, type, message);
    }
    return parameters;
  }

  #signatureCheck(): SignatureCheck {
    const { apex, now, margin = 0, requireAllAlgorithms = true } = this.#options;
    const keys = (this.#apex.sets.get(RRType.DNSKEY)?.records ?? []).map(({ rdata }) => readZoneKey(rdata));
    for (const key of keys) this.#checkKey(key);
    const signing = keys.filter((key) => key.isZoneKey && !key.isRevoked);
    if (signing.length === 0) {
      this.#faults.error('dnskey-missing', this.#apex, RRType.DNSKEY, 'the apex has no zone key');
    }
    const algorithms = [...new Set(signing.map((key) => key.algorithm))].sort((a, b) => a - b);
    return new SignatureCheck(
      this.#faults,
      { apex, keys, algorithms, requireAllAlgorithms, now, margin },
      this.#pool,
    );
  }

  #checkKey(key: ZoneKey): void {
    const faults = this.#faults;
    const what = `key ${key.tag} of algorithm ${key.algorithm}`;
    const report = (rule: 'dnskey-algorithm' | 'dnskey-malformed' | 'dnskey-flags', message: string) =>
      faults.error(rule, this.#apex, RRType.DNSKEY, message);
    if (!key.isZoneKey) {
      const message = `${what} has flags ${key.flags} and protocol ${key.protocol}, which no zone key has`;
      faults.warning('dnskey-flags', this.#apex, RRType.DNSKEY, message);
    } else if (!isKnownAlgorithm(key.algorithm)) {
      report('dnskey-algorithm', `${what} cannot be checked: its algorithm is unknown`);
    } else if (key.problem !== undefined) {
      report('dnskey-malformed', `${what} cannot be read: ${key.problem}`);
    } else if (isOutdatedAlgorithm(key.algorithm)) {
      faults.warning(
        'dnskey-algorithm',
        this.#apex,
        RRType.DNSKEY,
        `${what} rests on SHA-1; signing with it has to end`,
      );
    }
  }
}
