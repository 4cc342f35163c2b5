import { formatRecord } from '../dns/master-writer.js';
import { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { DS_DIGESTS_MADE, DsDigest, dnskeyRdata, dsRdata, parseDs } from '../dnssec/dnskey.js';
import { ZonesealError } from '../errors.js';
import { keySetRrsets } from '../keys/key-set-records.js';
import { currentFacts, signsKeys, wantedDs } from '../keys/rollover/facts.js';
import type { ManagedKey, RolloverState } from '../keys/rollover/model.js';
import { withDatabase } from './database.js';
import type { GlobalOptions } from './global-options.js';
import { managedKeyJson } from './key-text.js';
import { loadKeys } from './loaded-keys.js';
import { hint } from './stored-zone.js';
import { printJson, printLines } from './terminal.js';

export interface DsOptions extends GlobalOptions {
  readonly format: 'all' | 'ds' | 'cds' | 'dnskey' | 'trust-anchors' | 'json';
}

const DS_TTL = 3600;

/** Prints what the parent of a zone is to have. @throws ZonesealError NOT_HELD, and KEY_SET_INVALID where no key could have a DS */
export async function printDs(zone: Name, { format, ...options }: DsOptions): Promise<void> {
  const { state } = await withDatabase(options, (parts) => loadKeys(parts, zone));
  const owner = Name.parse(state.zone);
  const { keys, note } = keysAtParent(state);
  const signers = signersOf(state);
  const dnskeys = keys.map((key) => dnskeyRdata(key));
  const dsLines = dsOf(owner, keys).map((rdata) => formatRecord(owner, DS_TTL, RRType.DS, rdata));
  const dnskeyLines = dnskeys.map((rdata) => formatRecord(owner, DS_TTL, RRType.DNSKEY, rdata));
  const cdsLines = cdsOf(owner, state);
  const anchorLines = trustAnchors(owner, dsOf(owner, signers));
  const say = (): void => {
    if (note !== null) hint(options, `zone ${owner}: ${note}`);
  };
  switch (format) {
    case 'ds':
      say();
      return printLines(dsLines);
    case 'cds':
      if (cdsLines.length === 0) {
        const why =
          state.policy.cdsDigests.length === 0
            ? 'its policy has no cdsDigests'
            : 'nothing is asked of the parent';
        hint(options, `zone ${owner}: no CDS is published: ${why}`);
      }
      return printLines(cdsLines);
    case 'dnskey':
      say();
      return printLines(dnskeyLines);
    case 'trust-anchors':
      return printLines(anchorLines);
    case 'json':
      return printJson({
        zone: owner,
        ds: dsLines,
        dnskey: dnskeyLines,
        cds: cdsLines,
        note,
        keys: keys.map(managedKeyJson),
      });
    default:
      return printLines([
        ...(note === null ? [] : [`; ${note}`]),
        ...(keys.length === 0 ? [] : ['; DS records, for the parent zone']),
        ...dsLines,
        ...(keys.length === 0 ? [] : ['; the DNSKEY records they stand for']),
        ...dnskeyLines.map((line) => `; ${line}`),
        ...(signers.length === 0 ? [] : ['; a trust anchor for delv -a and named']),
        ...(signers.length === 0 ? [] : anchorLines.map((line) => `; ${line}`)),
      ]);
  }
}

/** The keys that the parent is to have a DS of; where it is asked for none yet, those that it will be asked for. */
function keysAtParent(state: RolloverState): {
  readonly keys: readonly ManagedKey[];
  readonly note: string | null;
} {
  const wanted = wantedDs(currentFacts(state));
  if (wanted !== undefined) {
    const note = wanted.length === 0 ? 'no DS is wanted: all that the parent has are to be removed' : null;
    return { keys: state.keys.filter(({ id }) => wanted.includes(id)), note };
  }
  const keys = signersOf(state);
  if (keys.length > 0) {
    const note = `nothing is asked of the parent yet; see when with: zoneseal keys plan ${state.zone}`;
    return { keys, note };
  }
  throw new ZonesealError(
    'KEY_SET_INVALID',
    `zone ${state.zone}: no published KSK or CSK that a DS could stand for; make one with: zoneseal keys generate ${state.zone}`,
    { zone: state.zone },
  );
}

/** The keys by which the zone validates now. */
function signersOf(state: RolloverState): ManagedKey[] {
  return state.keys.filter((key) => key.removedAt === null && key.published && signsKeys(key));
}

function dsOf(owner: Name, keys: readonly ManagedKey[]): Uint8Array[] {
  return keys.flatMap((key) => DS_DIGESTS_MADE.map((digest) => dsRdata(owner, dnskeyRdata(key), digest)));
}

/** What publications have of CDS and CDNSKEY. */
function cdsOf(owner: Name, { keys, deleteSentinel, policy }: RolloverState): string[] {
  const kept = keys.filter((key) => key.removedAt === null);
  return keySetRrsets({ keys: kept, deleteSentinel }, owner, policy)
    .filter(({ type }) => type === RRType.CDS || type === RRType.CDNSKEY)
    .flatMap(({ type, ttl, rdata }) => rdata.map((octets) => formatRecord(owner, ttl, type, octets)));
}

function trustAnchors(zone: Name, ds: readonly Uint8Array[]): string[] {
  const anchors = ds
    .map((rdata) => parseDs(rdata))
    .filter(({ digestType }) => digestType === DsDigest.SHA256)
    .map(({ keyTag, algorithm, digestType, digest }) => {
      const text = Buffer.from(digest).toString('hex').toUpperCase();
      return `\t"${zone}" static-ds ${keyTag} ${algorithm} ${digestType} "${text}";`;
    });
  return ['trust-anchors {', ...anchors, '};'];
}
