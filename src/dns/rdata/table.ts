import { RRType } from '../types.js';
import { ipv4, ipv6 } from './address.js';
import { addressPrefixes, hasOtherFamily } from './apl.js';
import { hasUpperCaseTag, longString, propertyTag } from './caa.js';
import { base64Rest, hashedOwner, hexRest, optionalBase64Rest, salt } from './encodings.js';
import { schema, type TypeSchema } from './field.js';
import { eui48, eui64, locator64 } from './hex-groups.js';
import { hostIdentity } from './hip.js';
import { gateway, keyRule } from './ipseckey.js';
import { hasNoKey, KEY_PROTOCOLS, keyFlags, keyPresenceRule, privateKeyRule } from './keys.js';
import { isOtherVersion, location } from './loc.js';
import { CERTIFICATE_TYPES, DIGEST_TYPES, SECURITY_ALGORITHMS } from './mnemonics.js';
import { legacyName, loweredName, plainName, wellKnownName } from './name-field.js';
import { substitution } from './naptr.js';
import { duration, u8, u16, u32 } from './numbers.js';
import { OBSOLETE_SCHEMAS } from './obsolete.js';
import {
  addressDigitsRule,
  digestRule,
  fingerprintRule,
  hasUnevenHash,
  nextHashRule,
  signerLabelsRule,
  zoneDigestRule,
} from './rules.js';
import { hasDifficultProtocol, serviceParameters } from './service-parameters.js';
import { signatureTime } from './signature-time.js';
import { characterString, characterStrings, optionalString } from './strings.js';
import { coveredType, coveredTypeOrNone, optionalTypeBitmap, typeBitmap } from './type-bitmap.js';

const algorithm = u8('algorithm', SECURITY_ALGORITHMS);

const textStrings = schema([characterStrings]);

const key = schema([u16('flags'), u8('protocol'), algorithm, base64Rest('the public key')], {
  rule: privateKeyRule,
});

const signature = [
  algorithm,
  u8('number of labels'),
  u32('original TTL'),
  signatureTime('expiration'),
  signatureTime('inception'),
  u16('key tag'),
];

const delegationSigner = [u16('key tag'), algorithm, u8('digest type', DIGEST_TYPES), hexRest('the digest')];

const certificateAssociation = schema([
  u8('certificate usage'),
  u8('selector'),
  u8('matching type'),
  hexRest('the certificate association data'),
]);

const service = schema([u16('priority'), plainName, serviceParameters], {
  genericOnly: hasDifficultProtocol,
});

/** The description of every type whose rdata is more than octets. */
export const SCHEMAS: ReadonlyMap<number, TypeSchema> = new Map<number, TypeSchema>([
  ...OBSOLETE_SCHEMAS,
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
  [RRType.SIG, schema([coveredTypeOrNone, ...signature, legacyName, base64Rest('the signature')])],
  [
    RRType.RRSIG,
    schema([coveredType, ...signature, loweredName, base64Rest('the signature')], { rule: signerLabelsRule }),
  ],
  [RRType.NSEC, schema([plainName, typeBitmap])],
  [
    RRType.NSEC3,
    schema(
      [
        u8('hash algorithm'),
        u8('flags'),
        u16('iterations'),
        salt('salt'),
        hashedOwner('next hash'),
        optionalTypeBitmap,
      ],
      { rule: nextHashRule, genericOnly: hasUnevenHash },
    ),
  ],
  [RRType.X25, schema([characterString('the PSDN address')], { rule: addressDigitsRule })],
  [RRType.ISDN, schema([characterString('the ISDN address'), optionalString('the subaddress')])],
  [
    RRType.KEY,
    schema([keyFlags, u8('protocol', KEY_PROTOCOLS), algorithm, optionalBase64Rest('the public key')], {
      rule: (rdata) => keyPresenceRule(rdata) ?? privateKeyRule(rdata),
      genericOnly: hasNoKey,
    }),
  ],
  [RRType.LOC, schema([location], { genericOnly: isOtherVersion })],
  [
    RRType.NAPTR,
    schema([
      u16('order'),
      u16('preference'),
      characterString('flags'),
      characterString('services'),
      substitution,
      legacyName,
    ]),
  ],
  [
    RRType.CERT,
    schema([
      u16('certificate type', CERTIFICATE_TYPES),
      u16('key tag'),
      algorithm,
      base64Rest('the certificate'),
    ]),
  ],
  [RRType.APL, schema([addressPrefixes], { genericOnly: hasOtherFamily })],
  [
    RRType.SSHFP,
    schema([u8('algorithm'), u8('fingerprint type'), hexRest('the fingerprint')], { rule: fingerprintRule }),
  ],
  [
    RRType.IPSECKEY,
    schema([u8('precedence'), gateway, optionalBase64Rest('the public key')], { rule: keyRule }),
  ],
  [RRType.DHCID, schema([base64Rest('the identifier')])],
  [RRType.TLSA, certificateAssociation],
  [RRType.SMIMEA, certificateAssociation],
  [RRType.HIP, schema([hostIdentity])],
  [RRType.OPENPGPKEY, schema([base64Rest('the key')])],
  [
    RRType.CSYNC,
    schema([u32('serial'), u16('flags'), optionalTypeBitmap], { genericOnly: (rdata) => rdata.length === 6 }),
  ],
  [
    RRType.ZONEMD,
    schema([u32('serial'), u8('scheme'), u8('hash algorithm'), hexRest('the digest')], {
      rule: zoneDigestRule,
    }),
  ],
  [RRType.SVCB, service],
  [RRType.HTTPS, service],
  [RRType.NID, schema([u16('preference'), locator64])],
  [RRType.L32, schema([u16('preference'), ipv4])],
  [RRType.L64, schema([u16('preference'), locator64])],
  [RRType.LP, schema([u16('preference'), plainName])],
  [RRType.EUI48, schema([eui48])],
  [RRType.EUI64, schema([eui64])],
  [RRType.URI, schema([u16('priority'), u16('weight'), longString('target', false)])],
  [
    RRType.CAA,
    schema([u8('flags'), propertyTag, longString('value', true)], { genericOnly: hasUpperCaseTag }),
  ],
  [RRType.NSEC3PARAM, schema([u8('hash algorithm'), u8('flags'), u16('iterations'), salt('salt')])],
]);
