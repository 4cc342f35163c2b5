/** Copies of a signed zone with one bit changed, or one record missing, each in another place. */
import { formatRecord } from '../../src/dns/master-writer.js';
import { Name } from '../../src/dns/name.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType, typeToText } from '../../src/dns/types.js';
import type { ValidatorName } from '../lib/validators.js';
import type { Edition } from './lab.js';

/** A changed copy as a master file. */
export interface AlteredCopy {
  readonly kind: AlterationName;
  readonly text: string;
  /** What was changed. */
  readonly what: string;
  /** The validators that do not look at what was changed. */
  readonly blind: readonly ValidatorName[];
}

type Zone = readonly ResourceRecord[];
type Random = (below: number) => number;
interface Change {
  readonly records: Zone;
  readonly what: string;
}

interface Alteration {
  readonly make: (zone: Zone, random: Random) => Change | undefined;
  /** Validators that accept it, and why that is so. */
  readonly blind?: { readonly validators: readonly ValidatorName[]; readonly reason: string };
}

const SIGNER_OFFSET = 18;

const covered = ({ rdata }: ResourceRecord): number => Buffer.from(rdata).readUInt16BE(0);
const rrsetKey = (owner: Name, type: number): string => `${type} ${owner.key}`;
const isNsec = ({ type }: ResourceRecord): boolean => type === RRType.NSEC || type === RRType.NSEC3;
const show = ({ owner, type, rdata }: ResourceRecord): string =>
  `${owner} ${typeToText(type)}${type === RRType.RRSIG ? ` of ${typeToText(Buffer.from(rdata).readUInt16BE(0))}` : ''}`;

/** The RRsets that have signatures. */
function signedSets(zone: Zone): ReadonlySet<string> {
  return new Set(
    zone.filter(({ type }) => type === RRType.RRSIG).map((it) => rrsetKey(it.owner, covered(it))),
  );
}

function pick<T>(items: readonly T[], random: Random): T | undefined {
  return items[random(items.length)];
}

function replace(zone: Zone, record: ResourceRecord, other: ResourceRecord, what: string): Change {
  return { records: zone.map((it) => (it === record ? other : it)), what };
}

function without(zone: Zone, gone: (record: ResourceRecord) => boolean, what: string): Change {
  return { records: zone.filter((it) => !gone(it)), what };
}

/** Flips one bit of a record's rdata, `bit` counted from the octet at `offset`. */
function flip(zone: Zone, record: ResourceRecord, offset: number, bit: number): Change {
  const rdata = record.rdata.slice();
  const at = offset + (bit >> 3);
  rdata[at] = (rdata[at] as number) ^ (1 << (bit & 7));
  return replace(zone, record, { ...record, rdata }, `${show(record)}: bit ${bit & 7} of octet ${at}`);
}

function ofTypes(zone: Zone, ...types: readonly number[]): ResourceRecord[] {
  const signed = signedSets(zone);
  return zone.filter(({ owner, type }) => types.includes(type) && signed.has(rrsetKey(owner, type)));
}

const signatures = (zone: Zone): ResourceRecord[] => zone.filter(({ type }) => type === RRType.RRSIG);

/** Where the bits of signed data are, so that what comes out can still be read. */
const DATA_OFFSETS: ReadonlyMap<number, number> = new Map([
  [RRType.A, 0],
  [RRType.AAAA, 0],
  [RRType.DS, 4],
]);

function bitmapOffset({ type, rdata }: ResourceRecord): number {
  if (type === RRType.NSEC) return Name.wireLength(rdata, 0);
  return nextHashOffset(rdata) + (rdata[nextHashOffset(rdata) - 1] as number);
}

function nextHashOffset(rdata: Uint8Array): number {
  return 5 + (rdata[4] as number) + 1;
}

function isEntNsec3(record: ResourceRecord): boolean {
  return record.type === RRType.NSEC3 && bitmapOffset(record) === record.rdata.length;
}

/** Takes away the denial record at an owner with its signatures. */
function withoutDenial(zone: Zone, record: ResourceRecord, what: string): Change {
  const isIt = ({ owner }: ResourceRecord): boolean => owner.equals(record.owner);
  return without(
    zone,
    (it) => isIt(it) && (it === record || (it.type === RRType.RRSIG && covered(it) === record.type)),
    what,
  );
}

export const ALTERATIONS = {
  signature: {
    make: (zone, random) => {
      const record = pick(signatures(zone), random);
      if (record === undefined) return undefined;
      const start = SIGNER_OFFSET + Name.wireLength(record.rdata, SIGNER_OFFSET);
      return flip(zone, record, start, random((record.rdata.length - start) * 8));
    },
  },
  'signature header': {
    make: (zone, random) => {
      const record = pick(signatures(zone), random);
      if (record === undefined) return undefined;
      // a bit of: labels, the original TTL, expiration, inception, key tag
      const [offset, bits] = pick(
        [
          [3, 8],
          [7, 8],
          [10, 16],
          [14, 16],
          [16, 16],
        ] as const,
        random,
      ) ?? [16, 16];
      return flip(zone, record, offset, random(bits));
    },
  },
  data: {
    make: (zone, random) => {
      const record = pick(ofTypes(zone, ...DATA_OFFSETS.keys()), random);
      if (record === undefined) return undefined;
      const start = DATA_OFFSETS.get(record.type) ?? 0;
      return flip(zone, record, start, random((record.rdata.length - start) * 8));
    },
  },
  serial: {
    make: (zone, random) => {
      const record = zone.find(({ type }) => type === RRType.SOA);
      return record && flip(zone, record, record.rdata.length - 20, random(32));
    },
  },
  key: {
    make: (zone, random) => {
      const record = pick(ofTypes(zone, RRType.DNSKEY), random);
      // not the first octets of an RSA key, which say how it is to be read
      return record && flip(zone, record, 10, random((record.rdata.length - 10) * 8));
    },
  },
  owner: {
    make: (zone, random) => {
      const names = new Set(zone.map(({ owner }) => owner.key));
      const movable = ofTypes(zone, RRType.A, RRType.AAAA, RRType.DS, RRType.PTR, RRType.TXT).flatMap(
        (record) => {
          const wire = record.owner.wire.slice();
          const octet = wire[1];
          // a letter or a digit that stays one
          if (octet === undefined || !/^[b-y2-9]$/i.test(String.fromCharCode(octet))) return [];
          wire[1] = octet ^ 1;
          const owner = Name.fromWire(wire);
          return names.has(owner.key) ? [] : [{ record, owner }];
        },
      );
      const moved = pick(movable, random);
      if (moved === undefined) return undefined;
      const { record, owner } = moved;
      return replace(zone, record, { ...record, owner }, `${show(record)}: the owner became ${owner}`);
    },
  },
  bitmap: {
    make: (zone, random) => {
      const record = pick(
        zone.filter((it) => isNsec(it) && bitmapOffset(it) < it.rdata.length),
        random,
      );
      // A, CNAME or SOA; NS stays, which may be the only one
      return record && flip(zone, record, bitmapOffset(record) + 2, pick([1, 2, 6], random) ?? 6);
    },
  },
  next: {
    make: (zone, random) => {
      const record = pick(
        zone.filter((it) => isNsec(it) && (it.type === RRType.NSEC3 || (it.rdata[0] ?? 0) > 0)),
        random,
      );
      if (record === undefined) return undefined;
      if (record.type === RRType.NSEC) return flip(zone, record, 1, 0);
      return flip(zone, record, nextHashOffset(record.rdata), random(160));
    },
  },
  'opt-out flag': {
    make: (zone, random) => {
      const record = pick(
        zone.filter(({ type }) => type === RRType.NSEC3),
        random,
      );
      return record && flip(zone, record, 1, 0);
    },
  },
  ttl: {
    make: (zone, random) => {
      const single = ofTypes(zone, RRType.A, RRType.AAAA, RRType.DS, RRType.SOA).filter(
        (record) =>
          zone.filter(({ owner, type }) => type === record.type && owner.equals(record.owner)).length === 1,
      );
      const record = pick(single, random);
      return (
        record &&
        replace(zone, record, { ...record, ttl: record.ttl ^ 1 }, `${show(record)}: bit 0 of the TTL`)
      );
    },
    blind: {
      validators: ['ldns-verify-zone'],
      reason: 'signatures hold the original TTL, and ldns does not compare the two',
    },
  },
  'missing denial': {
    make: (zone, random) => {
      const record = pick(zone.filter(isNsec), random);
      return record && withoutDenial(zone, record, `${show(record)} is missing, with its signature`);
    },
  },
  'missing denial of an empty non-terminal': {
    make: (zone, random) => {
      const record = pick(zone.filter(isEntNsec3), random);
      return record && withoutDenial(zone, record, `${show(record)} is missing, with its signature`);
    },
  },
  'missing signature': {
    make: (zone, random) => {
      const record = pick(signatures(zone), random);
      return record && without(zone, (it) => it === record, `${show(record)} is missing`);
    },
    blind: {
      validators: ['validns'],
      reason: 'validns looks at the signatures that are there',
    },
  },
  'missing record': {
    make: (zone, random) => {
      const several = ofTypes(zone, RRType.NS, RRType.MX, RRType.DS, RRType.A, RRType.TXT).filter(
        (record) =>
          zone.filter(({ owner, type }) => type === record.type && owner.equals(record.owner)).length > 1,
      );
      const record = pick(several, random);
      return record && without(zone, (it) => it === record, `one record of ${show(record)} is missing`);
    },
  },
  digest: {
    make: (zone, random) => {
      const atApex = ofTypes(zone, RRType.ZONEMD).filter(({ owner }) => owner.equals(apexOf(zone)));
      const record = pick(atApex, random);
      return record && flip(zone, record, 6, random((record.rdata.length - 6) * 8));
    },
  },
  glue: {
    make: (zone, random) => {
      const digested = zone.some(({ owner, type }) => type === RRType.ZONEMD && owner.equals(apexOf(zone)));
      const signed = signedSets(zone);
      const record = pick(
        zone.filter(
          ({ owner, type }) =>
            (type === RRType.A || type === RRType.AAAA) && !signed.has(rrsetKey(owner, type)),
        ),
        random,
      );
      return digested && record !== undefined
        ? flip(zone, record, 0, random(record.rdata.length * 8))
        : undefined;
    },
    blind: {
      validators: ['dnssec-verify', 'kzonecheck', 'kzonesign'],
      reason: 'glue has no signature, and these do not compute the digest of ZONEMD',
    },
  },
} as const satisfies Readonly<Record<string, Alteration>>;

export type AlterationName = keyof typeof ALTERATIONS;

export const ALTERATION_NAMES = Object.keys(ALTERATIONS) as AlterationName[];

/** The validators that do not look at what a change is about. */
export function blindTo(kind: AlterationName): readonly ValidatorName[] {
  const { blind }: Alteration = ALTERATIONS[kind];
  return blind?.validators ?? [];
}

function apexOf(zone: Zone): Name {
  return (zone.find(({ type }) => type === RRType.SOA) as ResourceRecord).owner;
}

/** Mulberry32, the same sequence at each run. */
function randomFrom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return below === 0 ? 0 : ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A record whose rdata need not be well formed any more. */
function formatAnyhow({ owner, ttl, type, rdata }: ResourceRecord): string {
  try {
    return `${formatRecord(owner, ttl, type, rdata)}\n`;
  } catch {
    return `${owner}\t${ttl}\tIN\tTYPE${type}\t\\# ${rdata.length} ${Buffer.from(rdata).toString('hex')}\n`;
  }
}

/** A copy changed in one way; undefined when the zone has nothing that could be changed so. */
export function alterBy(kind: AlterationName, zone: Zone, seed: number): AlteredCopy | undefined {
  const { make }: Alteration = ALTERATIONS[kind];
  const change = make(zone, randomFrom(seed));
  if (change === undefined) return undefined;
  const text = change.records.map(formatAnyhow).join('');
  return { kind, text, what: `${kind}: ${change.what}`, blind: blindTo(kind) };
}

/** A changed copy of an edition; the `turn` says which kind of change comes first, of those that the zone allows. */
export function alter({ records }: Pick<Edition, 'records'>, turn: number): AlteredCopy {
  for (let i = 0; i < ALTERATION_NAMES.length; i++) {
    const kind = ALTERATION_NAMES[(turn + i) % ALTERATION_NAMES.length] as AlterationName;
    const copy = alterBy(kind, records, turn);
    if (copy !== undefined) return copy;
  }
  throw new Error('nothing can be changed');
}
