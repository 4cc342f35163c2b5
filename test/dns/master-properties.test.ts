import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MasterRecord, type MasterSource, parseMasterBatches } from '../../src/dns/master-file.js';
import { formatMasterFile, formatRecord, type WritableRecord } from '../../src/dns/master-writer.js';
import { Name } from '../../src/dns/name.js';
import { RRType } from '../../src/dns/types.js';
import { ZonesealError } from '../../src/errors.js';

const origin = Name.parse('example.');

async function read(source: MasterSource): Promise<{ records: MasterRecord[]; errors: string[] }> {
  const records: MasterRecord[] = [];
  const errors: string[] = [];
  const onError = (error: ZonesealError) => {
    expect(error.code).toBe('MASTER_FILE_INVALID');
    errors.push(error.message);
  };
  for await (const batch of parseMasterBatches(source, { origin, file: 'f', onError }))
    records.push(...batch);
  return { records, errors };
}

const show = (record: WritableRecord) =>
  `${Buffer.from(record.owner.wire).toString('hex')} ${record.ttl} ${record.type} ${Buffer.from(record.rdata).toString('hex')}`;

const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
const name = fc.array(label, { maxLength: 6 }).map((labels) => Name.fromLabels(labels));
const strings = fc
  .array(fc.uint8Array({ maxLength: 255 }), { minLength: 1, maxLength: 4 })
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [part.length, ...part])));
const rdata = fc.oneof(
  fc.record({ type: fc.constant<number>(RRType.A), rdata: fc.uint8Array({ minLength: 4, maxLength: 4 }) }),
  fc.record({
    type: fc.constant<number>(RRType.AAAA),
    rdata: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  }),
  fc.record({ type: fc.constant<number>(RRType.TXT), rdata: strings }),
  fc.record({
    type: fc.constant<number>(RRType.MX),
    rdata: name.map((target) => Uint8Array.from([0, 10, ...target.wire])),
  }),
  fc.record({ type: fc.integer({ min: 65_280, max: 65_534 }), rdata: fc.uint8Array({ maxLength: 40 }) }),
);
const record: fc.Arbitrary<WritableRecord> = fc
  .tuple(name, fc.integer({ min: 0, max: 0x7fff_ffff }), rdata)
  .map(([owner, ttl, data]) => ({ owner, ttl, ...data }));

const soa: WritableRecord = {
  owner: origin,
  ttl: 3600,
  type: RRType.SOA,
  rdata: Uint8Array.from([0, 0, ...Array.from({ length: 20 }, (_, i) => i)]),
};

describe('what is written is read back', () => {
  it('record by record', () =>
    fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 20 }), async (records) => {
        const lines = records.map((r) => `${formatRecord(r.owner, r.ttl, r.type, r.rdata)}\n`);
        const back = await read(lines);
        expect(back.errors).toEqual([]);
        expect(back.records.map(show)).toEqual(records.map(show));
      }),
    ));

  it('as a zone, the SOA first and the others in their order', () =>
    fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 20 }), fc.nat(5), async (others, apexRecords) => {
        const apex = others.slice(0, apexRecords).map((r) => ({ ...r, owner: origin }));
        const rest = others.slice(apexRecords);
        const back = await read(formatMasterFile([...apex, soa, ...rest]));
        expect(back.errors).toEqual([]);
        expect(back.records.map(show)).toEqual([soa, ...apex, ...rest].map(show));
      }),
    ));
});

describe('how a source is cut changes nothing', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'a',
      'A 192.0.2.1',
      ' TXT ',
      '"',
      '"x y"',
      '\\',
      '\\"',
      '\\065',
      ';',
      '(',
      ')',
      '\n',
      '\r\n',
      '\r',
    ),
    fc.constantFrom(
      '\n',
      '\n',
      ' ',
      '\t',
      '60',
      'IN',
      '@',
      '$ORIGIN b\n',
      '$TTL 5\n',
      '$GENERATE 1-3 a$ TXT $\n',
    ),
    fc.constantFrom(
      '$INCLUDE x\n',
      '\u00e9',
      '\u{1f600}',
      '\0',
      'MX 10 b',
      'b 60 TXT "q" u\n',
      ' 1h A 192.0.2.9\n',
    ),
    fc.string({ maxLength: 5 }),
  );

  it('for any text, whose errors are all of one kind', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('')),
        fc.array(fc.nat(40), { maxLength: 30 }),
        fc.boolean(),
        async (text, cuts, asOctets) => {
          const whole: string | Uint8Array = asOctets ? Buffer.from(text, 'utf8') : text;
          const chunks: (string | Uint8Array)[] = [];
          let at = 0;
          for (const cut of cuts) {
            chunks.push(whole.slice(at, at + cut));
            at += cut;
          }
          chunks.push(whole.slice(at));
          const expected = await read([Buffer.from(text, 'utf8')]);
          const cutUp = await read(chunks);
          expect(cutUp.errors).toEqual(expected.errors);
          expect(cutUp.records.map(show)).toEqual(expected.records.map(show));
        },
      ),
      { numRuns: 500 },
    ));
});

describe('RFC 1035 §5.1: parentheses, comments and spaces are layout', () => {
  const gap = fc.array(
    fc.constantFrom(' ', '\t', '  ', '\n', '\r\n', '; a comment ( " \n', '\n\n', '(', ')'),
    { minLength: 1, maxLength: 5 },
  );

  it('between the words of an entry', () =>
    fc.assert(
      fc.asyncProperty(fc.array(gap, { minLength: 5, maxLength: 5 }), async (gaps) => {
        const words = ['60', 'IN', 'TXT', '"x ; y"', 'z'];
        let depth = 1;
        let text = 'a (';
        words.forEach((word, i) => {
          for (const part of gaps[i] ?? []) {
            if (part === '(') depth++;
            if (part === ')' && depth === 1) continue;
            if (part === ')') depth--;
            text += part;
          }
          text += ` ${word}`;
        });
        text += `${')'.repeat(depth)}\nb 5 A 192.0.2.1\n`;
        const { records, errors } = await read([text]);
        expect(errors).toEqual([]);
        expect(records.map((r) => formatRecord(r.owner, r.ttl, r.type, r.rdata))).toEqual([
          'a.example.\t60\tIN\tTXT\t"x ; y" "z"',
          'b.example.\t5\tIN\tA\t192.0.2.1',
        ]);
      }),
    ));
});

describe('plain lines, which are read in a shorter way', () => {
  const word = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        'www',
        'a.b',
        'WWW',
        '@',
        '*',
        'host.example.',
        '_x',
        'x-1',
        '.',
        'a..b',
        '',
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'a'.repeat(64),
        'b.'.repeat(126),
        '\\097',
        'a\\.b',
        'ü',
        '"q"',
        '(',
        ')',
        'a"',
        '\x01',
      ),
    },
    { weight: 1, arbitrary: fc.stringMatching(/^[!-~]{1,8}$/) },
  );
  const ttl = fc.constantFrom(
    '',
    '300',
    '0',
    '007',
    '1h',
    '2147483647',
    '2147483648',
    '4294967296',
    '123456789',
    '30x',
  );
  const klass = fc.constantFrom('', '', 'IN', 'IN', 'in', 'CH', 'CLASS1');
  const type = fc.constantFrom(
    'A',
    'AAAA',
    'NS',
    'CNAME',
    'PTR',
    'MX',
    'TXT',
    'SOA',
    'a',
    'mx',
    'TYPE1',
    'NSEC',
    'X',
  );
  const data = fc.oneof(
    { weight: 3, arbitrary: word },
    { weight: 3, arbitrary: fc.ipV4() },
    { weight: 3, arbitrary: fc.ipV6() },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom('10', '0', '065535', '65536', '1h', '-1'), word)
        .map((pair) => pair.join(' ')),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '192.0.2.1 x',
        '192.0.2.01',
        '256.0.0.1',
        '::',
        '1::2::3',
        '\\# 4 c0000201',
        'ns h 1 2 3 4 5',
      ),
    },
  );
  const blank = fc.constantFrom(' ', '\t', '  ', ' \t');
  const entry = fc
    .tuple(
      fc.tuple(word, ttl, klass, type, data),
      fc.boolean(),
      fc.tuple(blank, blank, blank, blank),
      fc.constantFrom('', '', ' ', '\t'),
    )
    .map(([[owner, seconds, iclass, rrtype, rdata], turned, b, after]) => {
      const [first, second] = turned ? [iclass, seconds] : [seconds, iclass];
      return `${owner}${b[0]}${first}${b[1]}${second}${b[2]}${rrtype}${b[3]}${rdata}${after}`;
    });
  const line = fc.oneof(
    { weight: 12, arbitrary: entry },
    {
      weight: 1,
      arbitrary: fc.constantFrom('$TTL 60', '$ORIGIN sub', '$ORIGIN example.', '', ' ', '$X', '$TTL'),
    },
    { weight: 1, arbitrary: fc.stringMatching(/^[aA1. \t"();\\$@]{0,20}$/) },
  );

  it('say what they say with a comment after them, which has them read in the longer way', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 12 }),
        fc.constantFrom('\n', '\r\n'),
        async (lines, ending) => {
          // a backslash at the end would be for the comment
          const text = (after: string) =>
            lines.map((written) => `${written.replace(/\\+$/, '')}${after}${ending}`).join('');
          const plain = await read([text('')]);
          const commented = await read([text(' ;')]);
          expect(plain.errors).toEqual(commented.errors);
          expect(plain.records).toEqual(commented.records);
        },
      ),
      { numRuns: 500 },
    ));
});
