import fc, { type Arbitrary } from 'fast-check';
import { RRType } from '../../../src/dns/types.js';

/** Wire octets made of parts. */
type Part = Arbitrary<Uint8Array>;

const join = (...parts: readonly Part[]): Part =>
  fc.tuple(...parts).map((octets) => Uint8Array.from(octets.flatMap((part) => [...part])));

const many = (part: Part, minLength: number, maxLength: number): Part =>
  fc
    .array(part, { minLength, maxLength })
    .map((octets) => Uint8Array.from(octets.flatMap((each) => [...each])));

const octets = (minLength: number, maxLength = minLength): Part => fc.uint8Array({ minLength, maxLength });
const fixed = (...values: number[]): Part => fc.constant(Uint8Array.from(values));
const u8 = octets(1);
const u16 = octets(2);
const u32 = octets(4);

/** A length octet and as many octets. */
const counted = (minLength: number, maxLength: number): Part =>
  octets(minLength, maxLength).map((value) => Uint8Array.from([value.length, ...value]));

const string = fc.oneof(counted(0, 12), counted(0, 255));
const name = join(many(counted(1, 12), 0, 4), fixed(0));

/** Flags and algorithm of a key whose form no rule prescribes. */
const keyHead = join(
  fc.constantFrom(0, 1, 0x80).map((high) => Uint8Array.of(high, 1)),
  u8,
  fc.constant(Uint8Array.of(8)),
);

const size = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 9 }))
  .map(([digit, exponent]) => Uint8Array.of(digit * 16 + exponent));

const angle = (degrees: number): Part =>
  fc.integer({ min: -degrees * 3_600_000, max: degrees * 3_600_000 }).map((value) => {
    const out = new Uint8Array(4);
    new DataView(out.buffer).setUint32(0, 2 ** 31 + value);
    return out;
  });

const bitmap = (min: number): Part =>
  fc.uniqueArray(fc.integer({ min: 1, max: 0xffff }), { minLength: min, maxLength: 12 }).map((types) => {
    const windows = new Map<number, number[]>();
    for (const type of types) {
      const bits = windows.get(type >> 8) ?? [];
      windows.set(type >> 8, bits);
      const at = (type & 0xff) >> 3;
      while (bits.length <= at) bits.push(0);
      bits[at] = (bits[at] as number) | (0x80 >> (type & 7));
    }
    const ascending = [...windows].sort(([a], [b]) => a - b);
    return Uint8Array.from(ascending.flatMap(([window, bits]) => [window, bits.length, ...bits]));
  });

const prefix = fc.oneof(
  fc.tuple(fc.constant(1), fc.integer({ min: 0, max: 32 }), octets(0, 4)),
  fc.tuple(fc.constant(2), fc.integer({ min: 0, max: 128 }), octets(0, 16)),
  fc.tuple(fc.constant(9), fc.integer({ min: 0, max: 255 }), octets(0, 127)),
);

const apl: Part = fc.array(fc.tuple(prefix, fc.boolean()), { maxLength: 4 }).map((items) =>
  Uint8Array.from(
    items.flatMap(([[family, bits, address], negated]) => {
      const trimmed = [...address];
      while (trimmed.at(-1) === 0) trimmed.pop();
      return [0, family, bits, trimmed.length + (negated ? 128 : 0), ...trimmed];
    }),
  ),
);

const gateway = fc.oneof(
  join(fixed(0), fixed(2)),
  join(fixed(1), fixed(2), octets(4)),
  join(fixed(2), fixed(2), octets(16)),
  join(fixed(3), fixed(2), name),
);

const hip: Part = fc
  .tuple(octets(1, 30), u8, octets(1, 300), many(name, 0, 3))
  .map(([tag, algorithm, key, servers]) =>
    Uint8Array.from([
      tag.length,
      ...algorithm,
      key.length >> 8,
      key.length & 255,
      ...tag,
      ...key,
      ...servers,
    ]),
  );

/** Values by service key; a key without one here takes any octets. */
const serviceValue = (key: number): Part => {
  if (key === 1) return many(counted(1, 8), 1, 4);
  if (key === 2 || key === 8) return fixed();
  if (key === 3) return u16;
  if (key === 4) return many(octets(4), 1, 3);
  if (key === 5) return octets(1, 40);
  if (key === 6) return many(octets(16), 1, 3);
  if (key === 7) return fc.constant(Uint8Array.from(Buffer.from('/é"\\,{?dns}')));
  if (key === 9) return fixed(0, 29, 0, 23);
  return octets(0, 20);
};

const parameters: Part = fc
  .uniqueArray(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 65_534 })), {
    maxLength: 6,
  })
  .map((keys) => (keys.includes(2) && !keys.includes(1) ? [...keys, 1] : keys).sort((a, b) => a - b))
  .chain((keys) => fc.tuple(fc.constant(keys), fc.boolean(), ...keys.map(serviceValue)))
  .map(([keys, mandatory, ...values]) => {
    const listed = keys.flatMap((key) => [key >> 8, key & 255]);
    const first = mandatory && keys.length > 0 ? [0, 0, 0, listed.length, ...listed] : [];
    const rest = keys.flatMap((key, i) => {
      const value = values[i] as Uint8Array;
      return [key >> 8, key & 255, value.length >> 8, value.length & 255, ...value];
    });
    return Uint8Array.from([...first, ...rest]);
  });

const signature = (covered: Part, head: Part = octets(2)): Part =>
  join(covered, head, octets(14), name, octets(1, 80));
const covered = fc
  .constantFrom(...Object.values(RRType).filter((type) => type < 200 && type !== RRType.OPT), 65_280)
  .map((type) => Uint8Array.of(type >> 8, type & 255));
const digest = fc.oneof(
  join(u16, u8, fixed(2), octets(32)),
  join(u16, u8, fixed(4), octets(48)),
  join(u16, u8, fixed(200), octets(1, 60)),
);
const key = join(keyHead, octets(1, 100));
const association = join(octets(3), octets(1, 80));
const service = join(u16, name, parameters);
const text = many(string, 1, 4);
const tag = fc
  .stringMatching(/^[A-Za-z0-9]{1,20}$/)
  .map((value) => Uint8Array.from([value.length, ...Buffer.from(value)]));
const digits = fc
  .stringMatching(/^[0-9]{4,20}$/)
  .map((value) => Uint8Array.from([value.length, ...Buffer.from(value)]));

/** Well-formed wire rdata of every type that has a text of its own. */
export const RDATA_ARBITRARIES: ReadonlyMap<number, Part> = new Map([
  [RRType.A, octets(4)],
  [RRType.NS, name],
  [RRType.CNAME, name],
  [RRType.SOA, join(name, name, octets(20))],
  [RRType.PTR, name],
  [RRType.HINFO, join(string, string)],
  [RRType.MX, join(u16, name)],
  [RRType.TXT, text],
  [RRType.RP, join(name, name)],
  [RRType.AFSDB, join(u16, name)],
  [RRType.X25, digits],
  [RRType.ISDN, many(string, 1, 2)],
  [RRType.RT, join(u16, name)],
  [RRType.SIG, signature(covered)],
  [RRType.KEY, fc.oneof(key, join(fixed(0xc0, 0, 3, 0)))],
  [RRType.AAAA, fc.oneof(octets(16), many(fc.oneof(fixed(0, 0), u16), 8, 8))],
  [RRType.LOC, join(fixed(0), size, size, fc.oneof(size, fixed(0)), angle(90), angle(180), u32)],
  [RRType.SRV, join(octets(6), name)],
  [RRType.NAPTR, join(u32, string, string, fc.oneof(fixed(0), fixed(5, 0x21, 0x61, 0x21, 0x62, 0x21)), name)],
  [RRType.KX, join(u16, name)],
  [RRType.CERT, join(octets(5), octets(1, 60))],
  [RRType.DNAME, name],
  [RRType.APL, apl],
  [RRType.DS, digest],
  [
    RRType.SSHFP,
    fc.oneof(
      join(u8, fixed(1), octets(20)),
      join(u8, fixed(2), octets(32)),
      join(u8, fixed(7), octets(1, 9)),
    ),
  ],
  [RRType.IPSECKEY, join(u8, gateway, octets(1, 60))],
  [RRType.RRSIG, signature(covered, fixed(13, 127))],
  [RRType.NSEC, join(name, bitmap(1))],
  [RRType.DNSKEY, key],
  [RRType.DHCID, octets(1, 60)],
  [
    RRType.NSEC3,
    fc.oneof(
      join(fixed(1), u8, u16, counted(0, 255), counted(20, 20), bitmap(0)),
      join(fixed(7), u8, u16, counted(0, 255), counted(1, 155), bitmap(0)),
    ),
  ],
  [RRType.NSEC3PARAM, join(u32, counted(0, 255))],
  [RRType.TLSA, association],
  [RRType.SMIMEA, association],
  [RRType.HIP, hip],
  [RRType.CDS, digest],
  [RRType.CDNSKEY, key],
  [RRType.OPENPGPKEY, octets(1, 200)],
  [RRType.CSYNC, join(octets(6), bitmap(0))],
  [
    RRType.ZONEMD,
    fc.oneof(
      join(octets(5), fixed(1), octets(48)),
      join(octets(5), fixed(2), octets(64)),
      join(octets(5), fixed(240), octets(12, 40)),
    ),
  ],
  [RRType.SVCB, service],
  [RRType.HTTPS, service],
  [RRType.SPF, text],
  [RRType.NID, octets(10)],
  [RRType.L32, octets(6)],
  [RRType.L64, octets(10)],
  [RRType.LP, join(u16, name)],
  [RRType.EUI48, octets(6)],
  [RRType.EUI64, octets(8)],
  [RRType.URI, join(u32, octets(1, 300))],
  [RRType.CAA, join(u8, tag, octets(0, 300))],
  [RRType.AVC, text],
]);
