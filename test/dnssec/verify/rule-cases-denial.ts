import { edit, NSEC3, OPT_OUT, octets, type RuleCase, text } from './rule-case.js';

/** Denial of existence and ZONEMD. */
export const DENIAL_CASES: readonly RuleCase[] = [
  { rule: 'denial-missing', title: 'no NSEC', drop: / IN NSEC /, at: 'example.', resign: {} },
  {
    rule: 'denial-mixed',
    title: 'an NSEC3PARAM beside NSEC',
    add: '@ NSEC3PARAM 1 0 0 -',
    resign: { also: ['@/51'] },
    at: 'example.',
    also: ['nsec-bitmap'],
  },
  { rule: 'nsec-missing', title: 'one NSEC left out', drop: /^suba.* IN NSEC /, at: 'suba.example. NSEC' },
  {
    rule: 'nsec-unexpected',
    title: 'an NSEC at an empty non-terminal',
    add: 'ent3 300 NSEC secure.ent3 RRSIG NSEC',
    resign: { also: ['ent3/47'] },
    at: 'ent3.example. NSEC',
  },
  {
    rule: 'nsec-unexpected',
    title: 'an NSEC below a cut',
    add: 'ns.sub 300 NSEC sub-a A RRSIG NSEC',
    resign: { also: ['ns.sub/47'] },
    at: 'ns.sub.example. NSEC',
    also: ['rrsig-unexpected'],
  },
  {
    rule: 'nsec-multiple',
    title: 'two NSECs',
    add: 'suba 300 NSEC TYPE A TYPE65280 RRSIG NSEC',
    at: 'suba.example. NSEC',
  },
  {
    rule: 'nsec-next',
    title: 'an NSEC that leaves an owner out',
    change: text(/^sub-a.* IN NSEC /, 'suba.example.', 'type.example.'),
    at: 'sub-a.example. NSEC',
  },
  {
    rule: 'nsec-next',
    title: 'a chain that is not closed',
    change: text(/ IN NSEC example\. /, 'NSEC example.', 'NSEC ns1.example.'),
    at: '\\200.example. NSEC',
  },
  {
    rule: 'nsec-bitmap',
    title: 'a type too many',
    change: text(/^suba.* IN NSEC /, ' A ', ' A MX '),
    at: 'suba.example. NSEC',
  },
  {
    rule: 'nsec-bitmap',
    title: 'a type too few',
    change: text(/^mail.* IN NSEC /, ' AAAA ', ' '),
    at: 'mail.example. NSEC',
  },
  {
    rule: 'nsec-bitmap',
    title: 'glue in the bitmap of a delegation',
    change: text(/^sub\.ex.* IN NSEC /, 'NS DS', 'A NS DS'),
    at: 'sub.example. NSEC',
  },
  {
    rule: 'denial-ttl',
    title: 'another TTL than RFC 9077 says',
    change: edit(/^suba.* IN NSEC /, (r) => ({ ...r, ttl: 301 })),
    at: 'suba.example. NSEC',
  },
  {
    rule: 'denial-ttl',
    title: 'the same with NSEC3',
    vector: NSEC3,
    change: edit(/^3msev.* IN NSEC3 /i, (r) => ({ ...r, ttl: 301 })),
    at: '3msev9usmd4br9s97v51r2tdvmr9iqo1.example. NSEC3',
  },
  {
    rule: 'nsec3param-missing',
    title: 'no NSEC3PARAM',
    vector: NSEC3,
    drop: / IN NSEC3PARAM /,
    at: 'example. NSEC3PARAM',
    also: ['nsec3-bitmap'],
  },
  {
    rule: 'nsec3param-multiple',
    title: 'two NSEC3PARAMs',
    vector: NSEC3,
    add: '@ 0 NSEC3PARAM 1 0 1 -',
    at: 'example. NSEC3PARAM',
  },
  {
    rule: 'nsec3param-flags',
    title: 'NSEC3PARAM with a flag',
    vector: NSEC3,
    change: octets(/ IN NSEC3PARAM /, (o) => {
      o[1] = 1;
    }),
    at: 'example. NSEC3PARAM',
  },
  {
    rule: 'nsec3-parameters',
    title: 'another hash algorithm',
    vector: NSEC3,
    change: octets(/ IN NSEC3PARAM /, (o) => {
      o[0] = 2;
    }),
    at: 'example. NSEC3PARAM',
  },
  {
    rule: 'nsec3-parameters',
    title: 'one record of another chain',
    vector: NSEC3,
    change: octets(/^1ocur.* IN NSEC3 /i, (o) => {
      o[3] = 1;
    }),
    at: '1ocurhhekmgijb12o4fl1rfb1he35098.example. NSEC3',
    also: ['nsec3-missing', 'nsec3-next'],
  },
  {
    rule: 'nsec3-iterations',
    title: 'additional iterations beyond any bound',
    vector: NSEC3,
    change: octets(/ IN NSEC3PARAM /, (o) => {
      o[2] = 8;
    }),
    at: 'example. NSEC3PARAM',
  },
  {
    rule: 'nsec3-iterations',
    title: 'additional iterations',
    vector: NSEC3,
    change: octets(/ IN NSEC3(PARAM)? /, (o) => {
      o[3] = 1;
    }),
    at: 'example. NSEC3PARAM',
    severity: 'warning',
    also: ['nsec3-missing', 'nsec3-unexpected', 'nsec3-opt-out'],
  },
  {
    rule: 'nsec3-flags',
    title: 'an unknown flag',
    vector: NSEC3,
    change: octets(/^1ocur.* IN NSEC3 /i, (o) => {
      o[1] = 2;
    }),
    at: '1ocurhhekmgijb12o4fl1rfb1he35098.example. NSEC3',
  },
  {
    rule: 'nsec3-owner',
    title: 'an owner that is no hash',
    vector: NSEC3,
    change: text(/^1ocur.* IN NSEC3 /i, /^1/, 'z'),
    resign: { also: ['zocurhhekmgijb12o4fl1rfb1he35098/50'] },
    at: 'zocurhhekmgijb12o4fl1rfb1he35098.example. NSEC3',
    also: ['nsec3-missing', 'nsec3-next'],
  },
  {
    rule: 'nsec3-multiple',
    title: 'two NSEC3 records of one hash',
    vector: NSEC3,
    add: '1ocurhhekmgijb12o4fl1rfb1he35098 300 NSEC3 1 0 0 - 402FRDSIKSBKAK82GEK4STNSM8L78KE6 NS',
    at: '1ocurhhekmgijb12o4fl1rfb1he35098.example. NSEC3',
  },
  {
    rule: 'nsec3-missing',
    title: 'one record left out',
    vector: NSEC3,
    drop: /^302frdsi.* IN NSEC3 /i,
    at: '\\200.example. NSEC3',
    also: ['nsec3-next'],
    change: (z) => z,
  },
  {
    rule: 'nsec3-missing',
    title: 'a new name',
    vector: NSEC3,
    add: 'b.new A 192.0.2.1',
    resign: { also: ['b.new/1'] },
    at: 'b.new.example. NSEC3',
  },
  {
    rule: 'nsec3-missing',
    title: 'a delegation that became secure under opt-out',
    vector: OPT_OUT,
    add: 'insecure.ent1 DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    resign: { also: ['insecure.ent1/43'] },
    at: 'insecure.ent1.example. NSEC3',
  },
  {
    rule: 'nsec3-unexpected',
    title: 'the record of a name that is gone',
    vector: NSEC3,
    drop: /^suba\./,
    at: 'NSEC3',
  },
  {
    rule: 'nsec3-opt-out',
    title: 'delegations left out without the flag',
    vector: OPT_OUT,
    change: octets(/ IN NSEC3 /, (o) => {
      o[1] = 0;
    }),
    at: 'insecure.ent1.example. NSEC3',
  },
  {
    rule: 'nsec3-next',
    title: 'a hash that is not the next',
    vector: NSEC3,
    change: octets(/^1ocur.* IN NSEC3 /i, (o) => {
      o[20] = (o[20] ?? 0) ^ 1;
    }),
    at: '1ocurhhekmgijb12o4fl1rfb1he35098.example. NSEC3',
  },
  {
    rule: 'nsec3-bitmap',
    title: 'a type too many, with NSEC3',
    vector: NSEC3,
    change: text(/^1ocur.* IN NSEC3 /i, ' NS DS', ' A NS DS'),
    at: '1ocurhhekmgijb12o4fl1rfb1he35098.example. NSEC3',
  },
  {
    rule: 'zonemd-missing',
    title: 'none where one is required',
    options: { zonemd: 'required' },
    at: 'example. ZONEMD',
  },
  {
    rule: 'zonemd-malformed',
    title: 'two of one kind',
    vector: 'knot-nsec-13',
    add: `@ ZONEMD 1 1 1 ${'00'.repeat(48)}`,
    resign: false,
    at: 'example. ZONEMD',
    also: ['zonemd-digest'],
  },
  {
    rule: 'zonemd-serial',
    title: 'another serial',
    vector: 'knot-nsec-13',
    change: octets(/ IN ZONEMD /, (o) => {
      o[3] = (o[3] ?? 0) + 1;
    }),
    at: 'example. ZONEMD',
    also: ['zonemd-digest'],
  },
  {
    rule: 'zonemd-digest',
    title: 'glue that is gone',
    vector: 'knot-nsec-13',
    drop: /^ns\.sub.* IN A /,
    resign: false,
    at: 'example. ZONEMD',
  },
  {
    rule: 'zonemd-unsupported',
    title: 'an unknown scheme',
    add: `@ ZONEMD 1 240 1 ${'00'.repeat(48)}`,
    resign: { also: ['@/63'] },
    at: 'example. ZONEMD',
    severity: 'warning',
    also: ['nsec-bitmap'],
  },
];
