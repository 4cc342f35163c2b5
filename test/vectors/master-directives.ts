import type { MasterCase } from './master-case.js';

const SOA = '@ SOA ns.x. h.x. 1 2 3 4 5\n';

const ttls: MasterCase[] = [
  {
    title: 'TTL units',
    text: 'a 1h30m A 192.0.2.1\nb 1W2D3H4M5S A 192.0.2.1\nc 0h30 A 192.0.2.1\nd 0 A 192.0.2.1\n'.replace(
      '0h30',
      '30s',
    ),
    records: [
      'a.example. 5400 A 192.0.2.1',
      'b.example. 788645 A 192.0.2.1',
      'c.example. 30 A 192.0.2.1',
      'd.example. 0 A 192.0.2.1',
    ],
  },
  {
    title: 'a number without its unit',
    text: 'a 1h30 A 192.0.2.1\n',
    error: [1, 3, /unknown type "1h30"/],
    ldns: 'adds 30',
  },
  { title: 'a unit without its number', text: 'a h A 192.0.2.1\n', error: [1, 3, /unknown type "h"/] },
  {
    title: 'units in the SOA',
    bare: true,
    text: '$TTL 1d\n@ SOA ns.x. h.x. 1 1h 15m 1w1d 1h30m\n@ NS ns.x.\n',
    records: ['example. 86400 SOA ns.x. h.x. 1 3600 900 691200 5400', 'example. 86400 NS ns.x.'],
  },
  {
    title: 'the largest TTL',
    text: 'a 2147483647 A 192.0.2.1\n',
    records: ['a.example. 2147483647 A 192.0.2.1'],
  },
  {
    title: 'a TTL beyond 2^31-1 (RFC 2181 §8)',
    text: 'a 2147483648 A 192.0.2.1\n',
    error: [1, 3, /2147483647/],
    named: 'warns and takes 0; a TTL that nobody wrote is worse than an error',
    ldns: 'keeps it',
  },
  {
    title: 'a TTL beyond 32 bits',
    text: 'a 4294967296 A 192.0.2.1\n',
    error: [1, 3, /unknown type/],
    ldns: 'cuts it',
  },
  {
    title: '$TTL holds until the next one (RFC 2308 §4)',
    bare: true,
    text: `$TTL 1h\n${SOA}@ NS ns.x.\na 60 A 192.0.2.1\nb A 192.0.2.1\n$ttl 2h\nc A 192.0.2.1\n`,
    records: [
      'example. 3600 SOA ns.x. h.x. 1 2 3 4 5',
      'example. 3600 NS ns.x.',
      'a.example. 60 A 192.0.2.1',
      'b.example. 3600 A 192.0.2.1',
      'c.example. 7200 A 192.0.2.1',
    ],
    ldns: 'knows directives in upper case only',
  },
  {
    title: 'without $TTL: the TTL before (RFC 1035 §5.1)',
    bare: true,
    text: '@ 77 SOA ns.x. h.x. 1 2 3 4 5\n@ NS ns.x.\na 60 A 192.0.2.1\nb A 192.0.2.1\n',
    records: [
      'example. 77 SOA ns.x. h.x. 1 2 3 4 5',
      'example. 77 NS ns.x.',
      'a.example. 60 A 192.0.2.1',
      'b.example. 60 A 192.0.2.1',
    ],
  },
  {
    title: 'without any: the minimum of the SOA, and that from then on (RFC 2308 §4)',
    bare: true,
    text: `${SOA}@ 60 NS ns.x.\na A 192.0.2.1\n`,
    records: ['example. 5 SOA ns.x. h.x. 1 2 3 4 5', 'example. 60 NS ns.x.', 'a.example. 5 A 192.0.2.1'],
    ldns: 'takes 3600',
  },
  {
    title: 'without any and no SOA',
    bare: true,
    text: `a A 192.0.2.1\nb A 192.0.2.1\n${SOA}`,
    error: [1, 3, /no TTL/],
    ldns: 'takes 3600',
  },
  { title: '$TTL without one', text: '$TTL\n', error: [1, 5, /TTL is missing/] },
  { title: '$TTL with something else', text: '$TTL soon\n', error: [1, 6, /not a TTL/], ldns: 'takes 3600' },
  { title: '$TTL with more', text: '$TTL 1h extra\n', error: [1, 9, /extra/], ldns: 'ignores it' },
  { title: '$TTL quoted', text: '$TTL "1h"\n', error: [1, 6, /not a TTL/], ldns: 'takes 3600' },
];

const origins: MasterCase[] = [
  {
    title: '$ORIGIN, relative and absolute',
    text: '$ORIGIN b\na A 192.0.2.1\n$origin c\na CNAME d\n$ORIGIN example.\na A 192.0.2.1\n$ORIGIN .\nexample TXT x\n',
    records: [
      'a.b.example. 300 A 192.0.2.1',
      'a.c.b.example. 300 CNAME d.c.b.example.',
      'a.example. 300 A 192.0.2.1',
      'example. 300 TXT "x"',
    ],
    ldns: 'takes $ORIGIN as absolute',
  },
  {
    title: '$ORIGIN changes what the same word means',
    text: 'a A 192.0.2.1\n$ORIGIN b\na A 192.0.2.2\n',
    records: ['a.example. 300 A 192.0.2.1', 'a.b.example. 300 A 192.0.2.2'],
    ldns: 'takes $ORIGIN as absolute',
  },
  { title: '$ORIGIN without a name', text: '$ORIGIN\n', error: [1, 8, /origin is missing/] },
  { title: '$ORIGIN with more', text: '$ORIGIN a b\n', error: [1, 11, /"b"/], ldns: 'ignores it' },
  { title: '$ORIGIN with a bad name', text: '$ORIGIN a..b\n', error: [1, 9, /label is empty/] },
  {
    title: 'an unknown directive',
    text: '$FOO x\n',
    error: [1, 1, /unknown directive/],
    ldns: 'takes it for an owner',
  },
  { title: 'a directive behind a space is no directive', text: ' $TTL 5\n', error: [1, 2, /unknown type/] },
];

const includes: MasterCase[] = [
  {
    title: '$INCLUDE: origin and owner come back after it (RFC 1035 §5.1), $TTL does not',
    text: 'b A 192.0.2.1\n$INCLUDE inc.db\n TXT after\nc TXT after\n',
    files: { 'inc.db': ' TXT first\n@ TXT inc\nx TXT inc\n$TTL 9\n$ORIGIN foo\ny TXT inc' },
    records: [
      'b.example. 300 A 192.0.2.1',
      'b.example. 300 TXT "first"',
      'example. 300 TXT "inc"',
      'x.example. 300 TXT "inc"',
      'y.foo.example. 9 TXT "inc"',
      'b.example. 9 TXT "after"',
      'c.example. 9 TXT "after"',
    ],
    named: 'gives every record of an RRset the TTL of the first',
    ldns: 'does not know $INCLUDE',
  },
  {
    title: '$INCLUDE with an origin',
    text: '$INCLUDE inc.db sub\na TXT x\n$INCLUDE "inc.db" example.\n',
    files: { 'inc.db': 'x TXT y\n' },
    records: ['x.sub.example. 300 TXT "y"', 'a.example. 300 TXT "x"', 'x.example. 300 TXT "y"'],
    ldns: 'does not know $INCLUDE',
  },
  {
    title: '$INCLUDE in included files, relative to the folder',
    text: '$INCLUDE d/one.db a\nz TXT z\n',
    files: { 'd/one.db': '@ TXT one\n$INCLUDE d/two.db b\n@ TXT three', 'd/two.db': '@ TXT two\n' },
    records: [
      'a.example. 300 TXT "one"',
      'b.a.example. 300 TXT "two"',
      'a.example. 300 TXT "three"',
      'z.example. 300 TXT "z"',
    ],
    ldns: 'does not know $INCLUDE',
  },
  { title: '$INCLUDE of what is not there', text: '$INCLUDE nothing.db\n', error: [1, 10, /ENOENT/] },
  { title: '$INCLUDE without a name', text: '$INCLUDE\n', error: [1, 9, /missing/] },
  {
    title: '$INCLUDE with more',
    text: '$INCLUDE inc.db a b\n',
    files: { 'inc.db': '' },
    error: [1, 19, /"b"/],
  },
  {
    title: '$INCLUDE that climbs',
    text: '$INCLUDE d/../inc.db\n',
    files: { 'inc.db': '', 'd/x': '' },
    error: [1, 10, /\.\./],
    named: 'has no such confines',
  },
  {
    title: '$INCLUDE of itself',
    text: '$INCLUDE loop.db\n',
    files: { 'loop.db': '$INCLUDE loop.db\n' },
    error: [1, 10, /deeper/],
  },
];

const generated: MasterCase[] = [
  {
    title: '$GENERATE',
    text: '$GENERATE 1-3 a$ A 192.0.2.$\n',
    records: ['a1.example. 300 A 192.0.2.1', 'a2.example. 300 A 192.0.2.2', 'a3.example. 300 A 192.0.2.3'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE with a step',
    text: '$GENERATE 1-6/2 a$ A 192.0.2.$\n',
    records: ['a1.example. 300 A 192.0.2.1', 'a3.example. 300 A 192.0.2.3', 'a5.example. 300 A 192.0.2.5'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE with TTL and class',
    text: '$GENERATE 1-1 a$ 60 IN A 192.0.2.$\n$GENERATE 2-2 a$ IN 60 A 192.0.2.$\n',
    records: ['a1.example. 60 A 192.0.2.1', 'a2.example. 60 A 192.0.2.2'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE with offset, width and base',
    text: '$GENERATE 9-10 a${-9,3,d} TXT ${6,4,x}.${6,4,X}.${0,0,o}.${+1,3}.${1}\n',
    records: ['a000.example. 300 TXT "000f.000F.11.010.10"', 'a001.example. 300 TXT "0010.0010.12.011.11"'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE with nibbles',
    text: '$GENERATE 254-256 ${0,3,n} TXT ${0,8,N}${0,1,n}\n',
    records: [
      'e.f.example. 300 TXT "E.F.0.0.e.f"',
      'f.f.example. 300 TXT "F.F.0.0.f.f"',
      '0.0.1.example. 300 TXT "0.0.1.0.0.0.1"',
    ],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE with literal dollars',
    text: '$GENERATE 1-1 a$$b TXT \\$x$\n',
    records: ['a\\$b.example. 300 TXT "$x1"'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE with quoted rdata',
    text: '$GENERATE 1-1 a$ MX "10 m$"\n$GENERATE 1-1 b$ TXT "\\"a $ b\\" c\\;d ;e"\n',
    records: ['a1.example. 300 MX 10 m1.example.', 'b1.example. 300 TXT "a 1 b" "c;d"'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE with \\#',
    text: '$GENERATE 1-2 a$ TYPE65280 "\\# 1 0$"\n',
    records: ['a1.example. 300 TYPE65280 \\# 1 01', 'a2.example. 300 TYPE65280 \\# 1 02'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE for an RRset',
    text: '$GENERATE 1-2 @ TXT $\n',
    records: ['example. 300 TXT "1"', 'example. 300 TXT "2"'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE leaves the owner alone',
    text: 'b A 192.0.2.1\n$GENERATE 1-1 c$ A 192.0.2.$\n A 192.0.2.2\n',
    records: ['b.example. 300 A 192.0.2.1', 'c1.example. 300 A 192.0.2.1', 'b.example. 300 A 192.0.2.2'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE to the largest number',
    text: '$GENERATE 2147483647-2147483647 a$ TXT x\n',
    records: ['a2147483647.example. 300 TXT "x"'],
    ldns: 'does not know $GENERATE',
  },
  {
    title: '$GENERATE with more than one word of rdata',
    text: '$GENERATE 1-2 a$ MX 10 m$\n',
    error: [1, 24, /"m\$"/],
  },
  { title: '$GENERATE backwards', text: '$GENERATE 3-1 a$ A 192.0.2.$\n', error: [1, 11, /range/] },
  { title: '$GENERATE with step 0', text: '$GENERATE 1-3/0 a$ A 192.0.2.$\n', error: [1, 11, /range/] },
  { title: '$GENERATE without a stop', text: '$GENERATE 1- a$ A 192.0.2.$\n', error: [1, 11, /range/] },
  {
    title: '$GENERATE with letters behind the range',
    text: '$GENERATE 1-2x a$ A 192.0.2.$\n',
    error: [1, 11, /range/],
    named: 'overlooks them',
  },
  {
    title: '$GENERATE beyond 31 bits',
    text: '$GENERATE 1-2147483648 a$ A 192.0.2.$\n',
    error: [1, 11, /range/],
  },
  {
    title: '$GENERATE with an unknown base',
    text: '$GENERATE 1-2 a${1,20,q} TXT x\n',
    error: [1, 15, /base/],
  },
  {
    title: '$GENERATE with a specifier not closed',
    text: '$GENERATE 1-2 a${1 TXT x\n',
    error: [1, 15, /offset/],
  },
  {
    title: '$GENERATE with too wide a number',
    text: '$GENERATE 1-2 a${1,200,d} TXT x\n',
    error: [1, 15, /width/],
  },
  {
    title: '$GENERATE below zero',
    text: '$GENERATE 1-2 a${-2} TXT x\n',
    error: [1, 1, /out of range/],
    named: 'writes a minus sign, or the complement in other bases',
  },
  { title: '$GENERATE without rdata', text: '$GENERATE 1-2 a$ TXT\n', error: [1, 21, /rdata is missing/] },
  {
    title: '$GENERATE with an unknown type',
    text: '$GENERATE 1-2 a$ FOO x\n',
    error: [1, 18, /unknown type/],
  },
  { title: '$GENERATE in another class', text: '$GENERATE 1-2 a$ CH TXT x\n', error: [1, 18, /class CH/] },
  { title: '$GENERATE of bad rdata', text: '$GENERATE 255-256 a$ A 192.0.2.$\n', error: [1, 1, /at 256/] },
  {
    title: '$GENERATE of a bad name',
    text: '$GENERATE 1-2 a..$ A 192.0.2.$\n',
    error: [1, 1, /at 1.*label is empty/],
  },
  {
    title: '$GENERATE of unbalanced rdata',
    text: '$GENERATE 1-2 a$ TXT "("\n',
    error: [1, 1, /parentheses/],
  },
];

/** TTLs and directives; part of MASTER_CASES. */
export const DIRECTIVE_CASES: readonly MasterCase[] = [...ttls, ...origins, ...includes, ...generated];
