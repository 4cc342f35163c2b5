import type { MasterCase } from './master-case.js';
import { DIRECTIVE_CASES } from './master-directives.js';

export type { MasterCase } from './master-case.js';

export const PROLOGUE = '$TTL 300\n@ IN SOA ns.x. h.x. 1 2 3 4 5\n@ IN NS ns.x.\n';
export const PROLOGUE_LINES = 3;
export const PROLOGUE_RECORDS = ['example. 300 SOA ns.x. h.x. 1 2 3 4 5', 'example. 300 NS ns.x.'];

const SOA = '@ SOA ns.x. h.x. 1 2 3 4 5\n';

const layout: MasterCase[] = [
  { title: 'owner, TTL, class, type', text: 'a 60 IN A 192.0.2.1\n', records: ['a.example. 60 A 192.0.2.1'] },
  {
    title: 'class before TTL',
    text: 'a IN 60 A 192.0.2.1\n',
    records: ['a.example. 60 A 192.0.2.1'],
    ldns: 'wants the TTL before the class',
  },
  { title: 'neither TTL nor class', text: 'a A 192.0.2.1\n', records: ['a.example. 300 A 192.0.2.1'] },
  { title: 'TTL alone', text: 'a 60 A 192.0.2.1\n', records: ['a.example. 60 A 192.0.2.1'] },
  { title: 'class alone, lower case', text: 'a in a 192.0.2.1\n', records: ['a.example. 300 A 192.0.2.1'] },
  {
    title: 'CLASS1 is IN (RFC 3597 §5)',
    text: 'a CLASS1 60 A 192.0.2.1\nb 60 class1 A 192.0.2.1\n',
    records: ['a.example. 60 A 192.0.2.1', 'b.example. 60 A 192.0.2.1'],
    ldns: 'wants the TTL before the class',
  },
  {
    title: 'a class that is not IN',
    text: 'a CH TXT x\n',
    error: [1, 3, /class CH/],
    ldns: 'reads it as a record of class CH',
  },
  {
    title: 'a generic class that is not IN',
    text: 'a 60 CLASS4 TXT x\n',
    error: [1, 6, /class CLASS4/],
    ldns: 'keeps the class',
  },
  { title: 'two classes', text: 'a IN IN A 192.0.2.1\n', error: [1, 6, /unknown type "IN"/] },
  { title: 'two TTLs', text: 'a 1 IN 1 A 192.0.2.1\n', error: [1, 8, /unknown type "1"/] },
  {
    title: 'blank owner: the one before',
    text: 'a A 192.0.2.1\n A 192.0.2.2\n\t60 A 192.0.2.3\n  IN A 192.0.2.4\n',
    records: [
      'a.example. 300 A 192.0.2.1',
      'a.example. 300 A 192.0.2.2',
      'a.example. 60 A 192.0.2.3',
      'a.example. 300 A 192.0.2.4',
    ],
    named:
      'gives every record of an RRset the TTL of the first; here that is for the zone to judge, not the parser',
    ldns: 'takes the TTL before, though there is a $TTL',
  },
  {
    title: 'blank owner at the very beginning',
    bare: true,
    text: ` ${SOA.slice(2)}`,
    error: [1, 2, /no owner/],
    ldns: 'takes the origin',
  },
  {
    title: 'blank owner means the owner even after $ORIGIN',
    text: 'a A 192.0.2.1\n$ORIGIN b\n A 192.0.2.2\nc A 192.0.2.3\n',
    records: ['a.example. 300 A 192.0.2.1', 'a.example. 300 A 192.0.2.2', 'c.b.example. 300 A 192.0.2.3'],
    ldns: 'takes $ORIGIN as absolute',
  },
  {
    title: 'blank lines, comment lines, lines of spaces',
    text: '\n   \n; comment\n\t; comment\n()\n (\n) ; c\na A 192.0.2.1 ; c "(\n\n\tA 192.0.2.2;c\n',
    records: ['a.example. 300 A 192.0.2.1', 'a.example. 300 A 192.0.2.2'],
  },
  {
    title: 'parentheses join lines (RFC 1035 §5.1)',
    text: 'a MX ( 10\n  b ; comment )\n\n)\n(b\nA\n192.0.2.1)\nc A(192.0.2.2)\nd ((A) (192.0.2.3))\n',
    records: [
      'a.example. 300 MX 10 b.example.',
      'b.example. 300 A 192.0.2.1',
      'c.example. 300 A 192.0.2.2',
      'd.example. 300 A 192.0.2.3',
    ],
    ldns: 'does not nest parentheses and needs a space before one',
  },
  {
    title: 'the line breaks in parentheses before the owner',
    text: '(\n a A 192.0.2.1 )\n(\nb A 192.0.2.1 )\n',
    records: ['a.example. 300 A 192.0.2.1', 'b.example. 300 A 192.0.2.1'],
    ldns: 'does not take an owner inside parentheses',
  },
  {
    title: 'a line that begins with a space and a parenthesis has no owner',
    text: ' ( b A 192.0.2.1 )\n',
    error: [1, 4, /unknown type "b"/],
  },
  {
    title: 'parentheses open at the end',
    text: 'a TXT (\nx\n',
    error: [1, 7, /unbalanced parentheses/],
    ldns: 'closes them itself',
  },
  {
    title: 'a parenthesis closed that is not open',
    text: 'a TXT x )\n',
    error: [1, 9, /unbalanced parentheses/],
    ldns: 'overlooks it',
  },
  {
    title: 'CRLF',
    text: 'a A 192.0.2.1\r\n\tTXT "x" (\r\n"y" ) ; c\r\n',
    records: ['a.example. 300 A 192.0.2.1', 'a.example. 300 TXT "x" "y"'],
  },
  {
    title: 'a carriage return alone',
    text: 'a TXT x\rb TXT y\n',
    error: [1, 8, /carriage return/],
    named: 'ends the line there; a file of such lines is more likely damaged than from an old Macintosh',
    ldns: 'ends the line there',
  },
  { title: 'no newline at the end', text: 'a A 192.0.2.1', records: ['a.example. 300 A 192.0.2.1'] },
  {
    title: 'only a comment at the end',
    text: 'a A 192.0.2.1\n; end',
    records: ['a.example. 300 A 192.0.2.1'],
  },
  { title: 'tabs', text: 'a\t60\tIN\t\tMX\t10\tb\t\n', records: ['a.example. 60 MX 10 b.example.'] },
  { title: 'nothing after the owner', text: 'a\n', error: [1, 2, /type is missing/] },
  { title: 'nothing after the TTL', text: 'a 60\n', error: [1, 5, /type is missing/] },
  { title: 'nothing after the type', text: 'a 60 A\n', error: [1, 6, /A rdata/] },
  { title: 'too much after the rdata', text: 'a A 192.0.2.1 192.0.2.2\n', error: [1, 15, /192\.0\.2\.2/] },
  {
    title: 'an error in the second line of an entry',
    text: 'a MX ( ; c\n  10x\n b )\n',
    error: [2, 3, /10x/],
  },
  {
    title: 'a NUL octet outside quotation marks',
    text: 'a\0b A 192.0.2.1\n',
    error: [1, 2, /NUL/],
    ldns: 'skips it',
  },
];

const ambiguity: MasterCase[] = [
  { title: 'a type as owner', text: 'MX MX 10 a\n', records: ['MX.example. 300 MX 10 a.example.'] },
  { title: 'a class as owner', text: 'IN IN A 192.0.2.1\n', records: ['IN.example. 300 A 192.0.2.1'] },
  {
    title: 'a TTL as owner',
    text: '1h 1h A 192.0.2.1\n10 A 192.0.2.1\n',
    records: ['1h.example. 3600 A 192.0.2.1', '10.example. 300 A 192.0.2.1'],
  },
  {
    title: 'the first word is the owner, whatever it looks like',
    text: 'A 192.0.2.1\n',
    error: [1, 3, /unknown type "192.0.2.1"/],
  },
  {
    title: 'without an owner the first word may be TTL, class or type',
    text: 'a TXT x\n 1h IN A 192.0.2.1\n',
    records: ['a.example. 300 TXT "x"', 'a.example. 3600 A 192.0.2.1'],
  },
  {
    title: 'TYPEnnn for a known type (RFC 3597 §5)',
    text: 'a TYPE1 192.0.2.1\nb type16 x\n',
    records: ['a.example. 300 A 192.0.2.1', 'b.example. 300 TXT "x"'],
  },
  {
    title: 'TYPEnnn that is too large',
    text: 'a TYPE65536 \\# 0\n',
    error: [1, 3, /unknown type/],
    ldns: 'lets the number overflow',
  },
  {
    title: 'a type that no zone has',
    text: 'a TYPE255 \\# 0\n',
    error: [1, 3, /no zone can hold/],
    ldns: 'keeps it',
  },
  { title: 'ANY is a class to the parser', text: 'a ANY \\# 0\n', error: [1, 3, /class ANY/] },
  { title: 'an unknown type', text: 'a FOO x\n', error: [1, 3, /unknown type "FOO"/] },
  {
    title: '\\# for unknown and known types (RFC 3597 §5)',
    text: 'a TYPE65280 \\# 4 0102 0304\nb A \\# 4 C0000201\nc TYPE65280 \\# 0\nd TYPE65280 ( \\# 1\nff )\n',
    records: [
      'a.example. 300 TYPE65280 \\# 4 01020304',
      'b.example. 300 A 192.0.2.1',
      'c.example. 300 TYPE65280 \\# 0',
      'd.example. 300 TYPE65280 \\# 1 FF',
    ],
  },
  { title: '\\# with a wrong length', text: 'a TYPE65280 \\# 4 010203\n', error: [1, 16, /./] },
  { title: '\\# that its type does not allow', text: 'a A \\# 3 010203\n', error: [1, 5, /./] },
  { title: 'text for a type without text', text: 'a TYPE65280 x\n', error: [1, 13, /TYPE65280/] },
];

const names: MasterCase[] = [
  { title: '@ is the origin', text: '@ MX 10 @\n', records: ['example. 300 MX 10 example.'] },
  {
    title: '\\@ is a label',
    text: '\\@ MX 10 \\@\n',
    records: ['\\@.example. 300 MX 10 \\@.example.'],
    ldns: 'takes it for the origin',
  },
  {
    title: 'a dot at the end makes a name absolute',
    text: 'a.example. MX 10 b.\n',
    records: ['a.example. 300 MX 10 b.'],
  },
  { title: 'the root as a target', text: '@ MX 0 .\n', records: ['example. 300 MX 0 .'] },
  {
    title: 'escapes in names (RFC 1035 §5.1)',
    text: 'a\\.b A 192.0.2.1\n\\097b\\;c A 192.0.2.1\nd\\ e A 192.0.2.1\n\\000\\255 A 192.0.2.1\n\\"f\\(g\\) A 192.0.2.1\n\\$TTL A 192.0.2.1\nh\\\\ A 192.0.2.1\n',
    records: [
      'a\\.b.example. 300 A 192.0.2.1',
      'ab\\;c.example. 300 A 192.0.2.1',
      'd\\032e.example. 300 A 192.0.2.1',
      '\\000\\255.example. 300 A 192.0.2.1',
      '\\"f\\(g\\).example. 300 A 192.0.2.1',
      '\\$TTL.example. 300 A 192.0.2.1',
      'h\\\\.example. 300 A 192.0.2.1',
    ],
    ldns: 'writes a quotation mark bare, which is no name again',
  },
  { title: '\\DDD of two digits', text: 'a\\09 A 192.0.2.1\n', error: [1, 1, /DDD/] },
  { title: '\\DDD beyond 255', text: 'a\\256 A 192.0.2.1\n', error: [1, 1, /DDD/] },
  { title: 'a backslash at the end of a line', text: 'a TXT x\\\n', error: [1, 8, /backslash/] },
  {
    title: 'raw octets in names and strings',
    text: 'a\xe9\x01\x7f TXT \xe9\x01 "\x7f\xff\t" \\\xe9\n',
    records: ['a\\233\\001\\127.example. 300 TXT "\\233\\001" "\\127\\255\\009" "\\233"'],
  },
  {
    title: 'a label of 63 octets',
    text: `${'a'.repeat(63)} A 192.0.2.1\n`,
    records: [`${'a'.repeat(63)}.example. 300 A 192.0.2.1`],
  },
  { title: 'a label of 64 octets', text: `${'a'.repeat(64)} A 192.0.2.1\n`, error: [1, 1, /63 octets/] },
  {
    title: 'a name of 255 octets',
    text: `${'a.'.repeat(123)} A 192.0.2.1\n`.replace('. A', ' A'),
    records: [`${'a.'.repeat(123)}example. 300 A 192.0.2.1`],
  },
  {
    title: 'a name of 256 octets',
    text: `${'a.'.repeat(122)}bb A 192.0.2.1\n`,
    error: [1, 1, /255 octets/],
    ldns: 'drops the record and says so in a comment',
  },
  { title: 'an empty label', text: 'a..b A 192.0.2.1\n', error: [1, 1, /label is empty/] },
  { title: 'a name that begins with a dot', text: '.a A 192.0.2.1\n', error: [1, 1, /label is empty/] },
  { title: 'case is kept', text: 'WwW CNAME FtP\n', records: ['WwW.example. 300 CNAME FtP.example.'] },
  {
    title: 'a quoted owner',
    text: '"b" A 192.0.2.1\n"c d" A 192.0.2.1\n',
    records: ['b.example. 300 A 192.0.2.1', 'c\\032d.example. 300 A 192.0.2.1'],
    ldns: 'keeps the quotation marks',
  },
  {
    title: 'an empty quoted owner',
    text: '"" A 192.0.2.1\n',
    error: [1, 1, /empty/],
    ldns: 'keeps the quotation marks',
  },
  {
    title: 'a wildcard and underscores',
    text: '* A 192.0.2.1\n_a._tcp.*.b A 192.0.2.1\n',
    records: ['*.example. 300 A 192.0.2.1', '_a._tcp.*.b.example. 300 A 192.0.2.1'],
  },
];

const strings: MasterCase[] = [
  {
    title: 'quoted and bare strings',
    text: 'a TXT x "y z" "" ";(" \n',
    records: ['a.example. 300 TXT "x" "y z" "" ";("'],
  },
  {
    title: 'escapes in strings',
    text: 'a TXT "\\"q\\" \\\\ \\065" \\" x\\;y x\\ y\n',
    records: ['a.example. 300 TXT "\\"q\\" \\\\ A" "\\"" "x;y" "x y"'],
  },
  {
    title: 'strings side by side',
    text: 'a TXT "x""y"\n',
    records: ['a.example. 300 TXT "x" "y"'],
  },
  {
    title: 'a word right after a quoted string',
    text: 'a TXT "x"y\n',
    error: [1, 10, /without a space/],
    named: 'makes two strings of it; it is more likely a mistake',
    ldns: 'differs',
  },
  {
    title: 'a quotation mark inside a word',
    text: 'a TXT foo"bar"\n',
    error: [1, 10, /inside a word/],
    named: 'makes two strings of it; it is more likely a mistake',
    ldns: 'keeps the quotation marks',
  },
  {
    title: 'a quoted value outside of service parameters',
    text: 'a TXT v="spf1"\n',
    error: [1, 7, /quotation mark/],
    named: 'makes two strings of it',
    ldns: 'keeps the quotation marks',
  },
  {
    title: 'a quoted value of a service parameter (RFC 9460 §2.1)',
    text: 'a HTTPS 1 . alpn="h2,h3" port=53\n',
    records: ['a.example. 300 HTTPS 1 . alpn="h2,h3" port="53"'],
  },
  {
    title: 'a string not closed on its line',
    text: 'a TXT "x\ny"\n',
    error: [1, 7, /not closed/],
  },
  {
    title: 'a string not closed in the file',
    text: 'a TXT "x',
    error: [1, 7, /not closed/],
    ldns: 'closes it itself',
  },
  {
    title: 'a string closed by nothing but an escaped mark',
    text: 'a TXT "x\\"\n',
    error: [1, 7, /not closed/],
    ldns: 'closes it itself',
  },
  {
    title: 'a string of 255 octets',
    text: `a TXT ${'x'.repeat(255)}\n`,
    records: [`a.example. 300 TXT "${'x'.repeat(255)}"`],
  },
  { title: 'a string of 256 octets', text: `a TXT ${'x'.repeat(256)}\n`, error: [1, 7, /255/] },
  { title: 'a quoted type', text: 'a "A" 192.0.2.1\n', error: [1, 3, /unknown type/] },
  { title: 'a quoted TTL', text: 'a "60" A 192.0.2.1\n', error: [1, 3, /unknown type/] },
  {
    title: 'a quoted name in rdata',
    text: 'a MX 10 "b"\n',
    error: [1, 9, /quoted/],
    ldns: 'keeps the quotation marks',
  },
  {
    title: 'a NUL octet inside quotation marks',
    text: 'a TXT "x\0y"\n',
    records: ['a.example. 300 TXT "x\\000y"'],
    ldns: 'skips it',
  },
];

export const MASTER_CASES: readonly MasterCase[] = [
  ...layout,
  ...ambiguity,
  ...names,
  ...strings,
  ...DIRECTIVE_CASES,
];
