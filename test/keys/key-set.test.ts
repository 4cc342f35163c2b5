import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { formatRdata } from '../../src/dns/rdata/index.js';
import type { RRset } from '../../src/dns/record.js';
import { RRType, typeToText } from '../../src/dns/types.js';
import { dnskeyRdata, keyTag } from '../../src/dnssec/dnskey.js';
import {
  dnskeyRrset,
  flagsOfRole,
  type KeyRole,
  keysForType,
  signingKeys,
  type ZoneKey,
} from '../../src/keys/key-set.js';
import { checkKeySet } from '../../src/keys/key-set-check.js';
import { isUnsigned, keySetRrsets } from '../../src/keys/key-set-records.js';
import { parsePolicy } from '../../src/keys/policy.js';

const zone = Name.parse('example.');

function key(id: string, role: KeyRole, fields: Partial<ZoneKey> = {}): ZoneKey {
  const publicKey = Buffer.from(id.padEnd(64, '.').slice(0, 64));
  const algorithm = fields.algorithm ?? 13;
  const flags = fields.flags ?? flagsOfRole(role);
  return {
    id,
    zone: 'example.',
    role,
    algorithm,
    keyTag: keyTag(dnskeyRdata({ flags, algorithm, publicKey })),
    flags,
    publicKey,
    secretRef: `http://127.0.0.1/v1/secrets/${id}`,
    view: null,
    signs: true,
    published: true,
    ...fields,
  };
}

const ids = (keys: readonly ZoneKey[]): string[] => keys.map((it) => it.id).sort();
const rules = (keys: readonly ZoneKey[], views: string[] = ['internal', 'external']): string[] =>
  checkKeySet(keys, views).map((problem) => `${problem.severity} ${problem.rule} ${problem.view ?? '*'}`);

describe('which keys sign what', () => {
  it('KSKs sign DNSKEY, CDS and CDNSKEY, ZSKs the rest', () => {
    const set = signingKeys([key('ksk', 'KSK'), key('zsk', 'ZSK')], 'internal');
    for (const type of [RRType.DNSKEY, RRType.CDS, RRType.CDNSKEY])
      expect(ids(keysForType(set, type))).toEqual(['ksk']);
    for (const type of [RRType.SOA, RRType.NSEC, RRType.DS, RRType.ZONEMD]) {
      expect(ids(keysForType(set, type))).toEqual(['zsk']);
    }
  });

  it('a CSK signs both', () => {
    const set = signingKeys([key('csk', 'CSK')], null);
    expect([ids(set.keySigning), ids(set.zoneSigning)]).toEqual([['csk'], ['csk']]);
  });

  it('a key that does not sign does not, published or not', () => {
    const set = signingKeys([key('a', 'CSK', { signs: false }), key('b', 'CSK', { published: false })], null);
    expect(ids(set.zoneSigning)).toEqual(['b']);
  });

  it("a view's own ZSK takes the place of the general ones of its algorithm, in that view alone", () => {
    const keys = [
      key('ksk', 'KSK'),
      key('zsk', 'ZSK'),
      key('zsk-internal', 'ZSK', { view: 'internal' }),
      key('csk15', 'CSK', { algorithm: 15 }),
    ];
    expect(ids(signingKeys(keys, 'internal').zoneSigning)).toEqual(['csk15', 'zsk-internal']);
    expect(ids(signingKeys(keys, 'external').zoneSigning)).toEqual(['csk15', 'zsk']);
    expect(ids(signingKeys(keys, null).zoneSigning)).toEqual(['csk15', 'zsk']);
    expect(ids(signingKeys(keys, 'internal').keySigning)).toEqual(['csk15', 'ksk']);
  });

  it("a view's own ZSK also takes the place of a CSK, which goes on signing the key sets", () => {
    const keys = [key('csk', 'CSK'), key('own', 'ZSK', { view: 'internal' })];
    expect(ids(signingKeys(keys, 'internal').zoneSigning)).toEqual(['own']);
    expect(ids(signingKeys(keys, 'internal').keySigning)).toEqual(['csk']);
  });

  it("a view's own ZSK that does not sign takes nobody's place", () => {
    const keys = [key('zsk', 'ZSK'), key('own', 'ZSK', { view: 'internal', signs: false })];
    expect(ids(signingKeys(keys, 'internal').zoneSigning)).toEqual(['zsk']);
  });
});

describe('a CSK that signs the key sets alone', () => {
  it('leaves the rest of the zone to other keys', () => {
    const keys = [key('csk', 'CSK', { keySetsOnly: true }), key('next', 'CSK')];
    expect(ids(signingKeys(keys, null).zoneSigning)).toEqual(['next']);
    expect(ids(signingKeys(keys, null).keySigning)).toEqual(['csk', 'next']);
    expect(rules(keys)).toEqual([]);
    expect(rules(keys.slice(0, 1))).toEqual([
      'error no-zone-signing-key internal',
      'error no-zone-signing-key external',
    ]);
  });
});

describe('CDS and CDNSKEY', () => {
  const policy = parsePolicy('default', { cdsDigests: [4, 2], dnskeyTtl: 600 });
  const shown = (rrsets: readonly RRset[]): string[] =>
    rrsets.flatMap(({ type, ttl, rdata }) =>
      rdata.map(
        (it) =>
          `${typeToText(type)} ${ttl} ${formatRdata(type, it).replace(/^(\S+ \S+ \S+) .{5,}$/, '$1 …')}`,
      ),
    );
  const made = (keys: readonly ZoneKey[], deleteSentinel = false, more = policy): string[] =>
    shown(keySetRrsets({ keys, deleteSentinel }, zone, more).slice(1));

  it('name every key that the parent is to have, published or not, with each digest (RFC 7344 §3)', () => {
    const keys = [
      key('a', 'CSK', { parent: true }),
      key('b', 'KSK', { parent: true, published: false, signs: false }),
      key('c', 'KSK'),
    ];
    const [a, b] = [keys[0]?.keyTag as number, keys[1]?.keyTag as number].sort((x, y) => x - y);
    expect(made(keys)).toEqual([
      ...[a, b].flatMap((tag) => [2, 4].map((digest) => `CDS 600 ${tag} 13 ${digest} …`)),
      'CDNSKEY 600 257 3 13 …',
      'CDNSKEY 600 257 3 13 …',
    ]);
    expect(made(keys, false, { ...policy, cdnskey: false })).toHaveLength(4);
    expect(made(keys, false, { ...policy, cdsDigests: [] })).toEqual([]);
    expect(made([key('c', 'CSK')])).toEqual([]);
  });

  it('are the delete sentinel alone when all DS are to go (RFC 8078 §4)', () => {
    expect(made([key('a', 'CSK', { parent: true })], true)).toEqual([
      'CDS 600 0 0 0 00',
      'CDNSKEY 600 0 3 0 AA==',
    ]);
  });

  it('are not there where nothing is published', () => {
    const keys = [key('a', 'CSK', { parent: true, published: false })];
    expect(keySetRrsets({ keys, deleteSentinel: false }, zone, policy)).toEqual([]);
  });

  it('do not name a ZSK', () => {
    expect(rules([key('a', 'CSK'), key('z', 'ZSK', { parent: true })])).toEqual(['error zsk-at-parent *']);
  });
});

describe('a zone without signatures', () => {
  const isSo = (keys: readonly ZoneKey[], signed: boolean): boolean =>
    isUnsigned({ keys, deleteSentinel: false }, { signed });

  it('is one whose policy wants none, once its keys are out', () => {
    expect(isSo([], false)).toBe(true);
    expect(isSo([key('a', 'CSK', { signs: false, published: false })], false)).toBe(true);
    expect(isSo([key('a', 'CSK', { signs: false })], false)).toBe(false);
    expect(isSo([key('a', 'CSK', { published: false })], false)).toBe(false);
    expect(isSo([], true)).toBe(false);
  });
});

describe('the DNSKEY RRset', () => {
  it('holds every published key of every view once, in canonical order', () => {
    const keys = [
      key('b', 'ZSK'),
      key('a', 'KSK'),
      key('own', 'ZSK', { view: 'internal' }),
      key('hidden', 'ZSK', { published: false }),
      key('b', 'ZSK', { signs: false }),
    ];
    const rrset = dnskeyRrset(keys, zone, 3600);
    expect(rrset).toMatchObject({ owner: zone, type: RRType.DNSKEY, ttl: 3600 });
    expect(
      rrset?.rdata.map((rdata) => Buffer.from(rdata.subarray(4)).toString().replace(/\.+$/, '')),
    ).toEqual(['b', 'own', 'a']);
  });

  it('is absent when nothing is published', () => {
    expect(dnskeyRrset([key('a', 'CSK', { published: false })], zone, 60)).toBeUndefined();
  });
});

describe('what a key set lacks', () => {
  it.each([
    ['KSK and ZSK', [key('ksk', 'KSK'), key('zsk', 'ZSK')]],
    ['CSK', [key('csk', 'CSK')]],
    ['a spare ZSK that is published only', [key('csk', 'CSK'), key('next', 'ZSK', { signs: false })]],
    [
      'two algorithms',
      [key('a', 'CSK'), key('b', 'KSK', { algorithm: 15 }), key('c', 'ZSK', { algorithm: 15 })],
    ],
    [
      'an algorithm that signs before it is published',
      [key('a', 'CSK'), key('b', 'CSK', { algorithm: 15, published: false })],
    ],
    [
      'own ZSKs in every view',
      [key('k', 'KSK'), key('i', 'ZSK', { view: 'internal' }), key('e', 'ZSK', { view: 'external' })],
    ],
  ])('%s: nothing', (_, keys) => {
    expect(rules(keys)).toEqual([]);
  });

  it.each<[string, ZoneKey[], string[]]>([
    ['no keys', [], ['error no-published-key *']],
    [
      'KSK alone',
      [key('k', 'KSK')],
      ['error no-zone-signing-key internal', 'error no-zone-signing-key external'],
    ],
    ['ZSK alone', [key('z', 'ZSK')], ['error no-key-signing-key *']],
    [
      'a second algorithm that only a KSK has',
      [key('c', 'CSK'), key('k', 'KSK', { algorithm: 15 })],
      ['error no-zone-signing-key internal', 'error no-zone-signing-key external'],
    ],
    [
      'a ZSK for one view where the other has none',
      [key('k', 'KSK'), key('z', 'ZSK', { view: 'internal' })],
      ['error no-zone-signing-key external'],
    ],
    [
      'a signing ZSK that is not published',
      [key('k', 'KSK'), key('z', 'ZSK', { published: false })],
      ['error no-zone-signing-key internal', 'error no-zone-signing-key external'],
    ],
    [
      'a KSK for one view',
      [key('c', 'CSK'), key('k', 'KSK', { view: 'internal' })],
      ['error view-of-key-signing-key *'],
    ],
    [
      'a ZSK for a view of another zone',
      [key('c', 'CSK'), key('z', 'ZSK', { view: 'dmz' })],
      ['warning view-unknown dmz'],
    ],
    [
      'a revoked CSK alone',
      [key('c', 'CSK', { flags: 385 })],
      [
        'error no-key-signing-key *',
        'error no-zone-signing-key internal',
        'error no-zone-signing-key external',
      ],
    ],
    ['a KSK without SEP', [key('c', 'CSK'), key('k', 'KSK', { flags: 256 })], ['warning flags-of-role *']],
    ['a key tag that is not its own', [key('c', 'CSK', { keyTag: 1 })], ['error key-tag-wrong *']],
    ['a key twice', [key('c', 'CSK'), key('c', 'CSK')], ['error key-twice *']],
  ])('%s', (_, keys, found) => {
    expect(rules(keys)).toEqual(found);
  });

  it('a missing ZONE flag and an unknown algorithm', () => {
    const odd = key('x', 'ZSK', { flags: 0, algorithm: 5, published: false });
    expect(rules([key('c', 'CSK'), odd])).toEqual([
      'error algorithm-unsupported *',
      'error not-a-zone-key *',
    ]);
  });
});
