import { RRType } from '../types.js';
import { ipv4, ipv6 } from './address.js';
import { base64Rest, hashedOwner, hexRest, salt } from './encodings.js';
import { schema, type TypeSchema } from './field.js';
import { DIGEST_TYPES, SECURITY_ALGORITHMS } from './mnemonics.js';
import { legacyName, loweredName, plainName, wellKnownName } from './name-field.js';
import { duration, u8, u16, u32 } from './numbers.js';
import { signatureTime } from './signature-time.js';
import { characterString, characterStrings } from './strings.js';
import { coveredType, optionalTypeBitmap, typeBitmap } from './type-bitmap.js';

const algorithm = u8('algorithm', SECURITY_ALGORITHMS);

const textStrings = schema([characterStrings]);

const key = schema([u16('flags'), u8('protocol'), algorithm, base64Rest('the public key')]);

const signature = [
  coveredType,
  algorithm,
  u8('number of labels'),
  u32('original TTL'),
  signatureTime('expiration'),
  signatureTime('inception'),
  u16('key tag'),
];

const DIGEST_OCTETS: Readonly<Record<number, number>> = { 1: 20, 2: 32, 3: 32, 4: 48 };

const delegationSigner = [u16('key tag'), algorithm, u8('digest type', DIGEST_TYPES), hexRest('the digest')];

function digestRule(rdata: Uint8Array): string | undefined {
  const expected = DIGEST_OCTETS[rdata[3] as number];
  const found = rdata.length - 4;
  if (expected === undefined || found === expected) return undefined;
  return `a digest of type ${rdata[3]} has ${expected} octets, not ${found}`;
}

/** The description of every type whose rdata is more than octets. */
export const SCHEMAS: ReadonlyMap<number, TypeSchema> = new Map<number, TypeSchema>([
  [RRType.A, schema([ipv4])],
  [RRType.NS, schema([wellKnownName])],
  [RRType.CNAME, schema([wellKnownName])],
  [
    RRType.SOA,
    schema([
      wellKnownName,
      wellKnownName,
      u32('serial'),
      duration('refresh'),
      duration('retry'),
      duration('expire'),
      duration('minimum'),
    ]),
  ],
  [RRType.PTR, schema([wellKnownName])],
  [RRType.HINFO, schema([characterString('the CPU'), characterString('the operating system')])],
  [RRType.MX, schema([u16('preference'), wellKnownName])],
  [RRType.TXT, textStrings],
  [RRType.SPF, textStrings],
  [RRType.AVC, textStrings],
  [RRType.RP, schema([legacyName, legacyName])],
  [RRType.AFSDB, schema([u16('subtype'), legacyName])],
  [RRType.RT, schema([u16('preference'), legacyName])],
  [RRType.AAAA, schema([ipv6])],
  [RRType.SRV, schema([u16('priority'), u16('weight'), u16('port'), legacyName])],
  [RRType.KX, schema([u16('preference'), loweredName])],
  [RRType.DNAME, schema([loweredName])],
  [RRType.DS, schema(delegationSigner, { rule: digestRule })],
  [RRType.CDS, schema(delegationSigner, { rule: digestRule })],
  [RRType.DNSKEY, key],
  [RRType.CDNSKEY, key],
  [RRType.SIG, schema([...signature, legacyName, base64Rest('the signature')])],
  [RRType.RRSIG, schema([...signature, loweredName, base64Rest('the signature')])],
  [RRType.NSEC, schema([plainName, typeBitmap])],
  [
    RRType.NSEC3,
    schema([
      u8('hash algorithm'),
      u8('flags'),
      u16('iterations'),
      salt('salt'),
      hashedOwner('next hash'),
      optionalTypeBitmap,
    ]),
  ],
  [RRType.NSEC3PARAM, schema([u8('hash algorithm'), u8('flags'), u16('iterations'), salt('salt')])],
]);
