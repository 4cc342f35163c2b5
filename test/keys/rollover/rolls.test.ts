import { describe, expect, it } from 'vitest';
import type { RolloverState } from '../../../src/keys/rollover/model.js';
import { key, policy, timetable, zone } from './lab.js';

/*
 * Publications take 7 s and the parent 3 s in these timetables. The intervals are summed here by hand:
 *   Dprp 100 + TTLkey 1000 + safety 10            = 1110   a DNSKEY RRset leaves the caches
 *   Dprp 100 + TTLsig 5000 + safety 10            = 5110   signatures leave the caches
 *   DprpP 200 + TTLds 20000 + safety 10           = 20210  a DS set leaves the caches
 *   1110 + DprpP 200                              = 1310   no nameserver of the parent gets what an older CDS asked for
 */
const ksk = key('k', 'KSK');
const zsk = key('z', 'ZSK');
const csk = key('c', 'CSK');

type Case = [name: string, state: RolloverState, steps: string[]];

const KINDS: Case[] = [
  [
    'ZSK pre-publication (RFC 7583 §3.2.1)',
    zone([ksk, zsk], { asked: ['z'] }),
    [
      '0 create ZSK',
      '0 new1 +published',
      '1117 new1 +signs, z -signs', // 0 + 7 + 1110
      '6234 z -published -signs', // 1117 + 7 + 5110
      '7351 z removed', // 6234 + 7 + 1110
      '507351 destroy z', // + keyRetention 500000
    ],
  ],
  [
    'KSK double-signature (RFC 7583 §3.3.1)',
    zone([ksk, zsk], { asked: ['k'] }),
    [
      '0 create KSK',
      '0 new1 +published +signs',
      '1117 new1 +parent, k -parent', // 0 + 7 + 1110
      '22644 k -published -signs', // 1117 + 7 + 1310 + 20210
      '23761 k removed', // 22644 + 7 + 1110
      '523761 destroy k',
    ],
  ],
  [
    'KSK double-DS (RFC 7583 §3.3.2)',
    zone([ksk, zsk], { asked: ['k'], policy: policy({ kskRoll: 'double-ds' }) }),
    [
      '0 create KSK',
      '0 new1 +parent',
      '21527 new1 +published +signs, k -published -signs', // 0 + 7 + 1310 + 20210
      '22644 new1 +parent, k -parent', // 21527 + 7 + 1110
      '44171 k removed', // 22644 + 7 + 1310 + 20210
      '544171 destroy k',
    ],
  ],
  [
    'CSK (RFC 6781 §4.1.3, both sign)',
    zone([csk], { asked: ['c'], policy: policy({ keys: 'csk' }) }),
    [
      '0 create CSK',
      '0 new1 +published +signs -keySetsOnly',
      '1117 new1 +parent, c -parent', // 0 + 7 + 1110
      '22644 c -published -signs', // 1117 + 7 + max(5110, 1310 + 20210)
      '27761 c removed',
      '527761 destroy c',
    ],
  ],
  [
    'another algorithm: signatures, DNSKEYs, DS, and back in that order (RFC 6781 §4.1.4)',
    zone([ksk, zsk], { policy: policy({ algorithm: 15 }) }),
    [
      '0 create KSK',
      '0 create ZSK',
      '0 new2 +signs',
      '5117 new1 +published +signs, new2 +published +signs', // 0 + 7 + 5110
      '6234 new1 +parent, k -parent', // 5117 + 7 + 1110
      '27761 k -published -signs, z -published', // 6234 + 7 + 1310 + 20210
      '28878 z -published -signs, k removed', // 27761 + 7 + 1110
      '33995 z removed', // 28878 + 7 + 5110
      '528878 destroy k',
      '533995 destroy z',
    ],
  ],
  [
    'KSK and ZSK to CSK',
    zone([ksk, zsk], { policy: policy({ keys: 'csk' }) }),
    [
      '0 create CSK',
      '0 new1 +published +signs +keySetsOnly',
      '7 new1 +signs -keySetsOnly',
      '1117 new1 +parent, k -parent',
      '5124 z -published -signs', // 7 + 7 + 5110
      '10241 z removed',
      '22644 k -published -signs', // 1117 + 7 + 1310 + 20210
      '23761 k removed',
      '510241 destroy z',
      '523761 destroy k',
    ],
  ],
  [
    'CSK to KSK and ZSK',
    zone([csk]),
    [
      '0 create KSK',
      '0 create ZSK',
      '0 new1 +published +signs, new2 +published',
      '1117 new2 +signs, c +keySetsOnly -parent, new1 +parent',
      '22644 c -published -signs',
      '23761 c removed',
      '523761 destroy c',
    ],
  ],
  [
    'going insecure (RFC 8078 §4)',
    zone([ksk, zsk], { policy: policy({ signed: false }) }),
    [
      '0 +deleteSentinel',
      '21527 k -published -signs -parent, z -published -signs -parent, -deleteSentinel', // 0 + 7 + 1310 + 20210
      '22644 k removed', // 21527 + 7 + 1110
      '26644 z removed', // 21527 + 7 + 5110
      '522644 destroy k',
      '526644 destroy z',
    ],
  ],
  [
    'a zone that was served unsigned',
    zone([]),
    [
      '0 create KSK',
      '0 create ZSK',
      '0 new1 +published +signs, new2 +published +signs',
      '5117 new1 +parent', // 0 + 7 + max(1110, 5110)
    ],
  ],
  ['a zone that was never served gets its first keys by hand', zone([], { uses: [], ds: [] }), []],
  [
    'a view gets a ZSK of its own',
    zone([ksk, zsk], { views: ['a', 'b'], policy: policy({ viewZsks: ['a'] }) }),
    ['0 create ZSK a', '0 new1 +published', '1117 new1 +signs'],
  ],
  [
    'a view gives up its own ZSK',
    zone([ksk, zsk, key('y', 'ZSK', { view: 'a' })], { views: ['a', 'b'] }),
    ['0 y -signs', '5117 y -published -signs', '6234 y removed', '506234 destroy y'],
  ],
  [
    'all views get ZSKs of their own',
    zone([ksk, zsk], { policy: policy({ viewZsks: ['all'] }) }),
    [
      '0 create ZSK all',
      '0 new1 +published',
      '1117 new1 +signs, z -signs',
      '6234 z -published -signs', // 1117 + 7 + 5110
      '7351 z removed',
      '507351 destroy z',
    ],
  ],
  [
    'no CDS: by hand',
    zone([ksk, zsk], { asked: ['k'], policy: policy({ cdsDigests: [] }) }),
    [
      '0 create KSK',
      '0 new1 +published +signs',
      '1117 new1 +parent, k -parent',
      '21330 k -published -signs', // 1117 + 3 + 20210
      '22447 k removed',
      '522447 destroy k',
    ],
  ],
  [
    'a parent that nobody has looked at',
    zone([ksk, zsk], { asked: ['k'], ds: [] }),
    [
      '3 create KSK',
      '3 new1 +published +signs',
      '1120 new1 +parent, k -parent',
      '22647 k -published -signs',
      '23764 k removed',
      '523764 destroy k',
    ],
  ],
];

describe('each kind of roll takes what its intervals come to', () => {
  it.each(KINDS)('%s', (_name, state, steps) => {
    expect(timetable(state)).toEqual(steps);
  });
});

describe('keys that age', () => {
  it('a ZSK signs when the lifetime of the one before ends', () => {
    const state = zone([ksk, zsk], { policy: policy({ zskLifetime: 100_000 }) });
    expect(timetable(state, 101_000)).toEqual([
      '98890 create ZSK', // 100000 - 1110
      '98890 new1 +published',
      '100007 new1 +signs, z -signs',
    ]);
  });

  it('a KSK has its DS alone when the lifetime of the one before ends', () => {
    const state = zone([ksk, zsk], { policy: policy({ kskLifetime: 300_000 }) });
    expect(timetable(state, 301_000)).toEqual([
      '277370 create KSK', // 300000 - 2 × 1110 - 200 - 20210
      '277370 new1 +published +signs',
      '278487 new1 +parent, k -parent',
      '300014 k -published -signs', // 278487 + 7 + 1310 + 20210
    ]);
  });
});

describe('rolls that meet', () => {
  it('a ZSK and a KSK roll share what they can', () => {
    const steps = timetable(zone([ksk, zsk], { asked: ['k', 'z'] }), 30_000);
    expect(steps.slice(2)).toEqual([
      '0 new1 +published +signs, new2 +published',
      '1117 new2 +signs, z -signs, new1 +parent, k -parent',
      '6234 z -published -signs',
      '7351 z removed',
      '22644 k -published -signs',
      '23761 k removed',
    ]);
  });

  it('a key that is rolled while it comes in gives way to the next', () => {
    const second = key('y', 'ZSK', { signs: false, activeAt: null, createdAt: 0 });
    const out = { ...zsk, goal: 'out' as const };
    expect(timetable(zone([ksk, out, second], { asked: ['z', 'y'] }), 10_000)).toEqual([
      '0 create ZSK',
      '0 new1 +published, y -published -signs', // it never signed
      '1117 new1 +signs, z -signs, y removed',
      '6234 z -published -signs',
      '7351 z removed',
    ]);
  });

  it('another algorithm that is not wanted any more goes as it came', () => {
    const other = { algorithm: 15, activeAt: null, createdAt: 0 };
    const state = zone([
      { ...ksk, goal: 'out' },
      { ...zsk, goal: 'out' },
      key('k2', 'KSK', { ...other, parent: false }),
      key('z2', 'ZSK', other),
    ]);
    expect(timetable(state, 20_000)).toEqual([
      '0 k2 -published -signs, z2 -published',
      '1117 z2 -published -signs, k2 removed', // 0 + 7 + 1110
      '6234 z2 removed', // 1117 + 7 + 5110
    ]);
  });

  it('a zone that was to become insecure stays secure', () => {
    const out = [ksk, zsk].map((it) => ({ ...it, goal: 'out' as const }));
    const state = zone(out, { deleteSentinel: true, ds: zone([ksk]).ds });
    expect(timetable(state)).toEqual(['0 -deleteSentinel']);
  });
});
