import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FLAG, type Message, OPCODE, RCODE, readHeader, readMessage } from '../../src/dns/message.js';
import { buildAnswer, buildHeaderAnswer, udpAnswerLimit } from '../../src/dns/message-answer.js';
import { MessageNameReader } from '../../src/dns/message-name.js';
import { MessageWriter } from '../../src/dns/message-writer.js';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import { RRClass, RRType } from '../../src/dns/types.js';
import { ZonesealError } from '../../src/errors.js';

const ZONE = Name.parse('Example.com.');

/** Octets from strings (as they are) and numbers. */
function octets(...parts: (string | number | readonly number[])[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part, 'latin1')] : part)),
  );
}

/** A header of 12 octets. */
function header(counts: readonly [number, number, number, number], flags = 0, id = 0x0102): number[] {
  return [id >>> 8, id & 0xff, flags >>> 8, flags & 0xff, ...counts.flatMap((it) => [it >>> 8, it & 0xff])];
}

const QUESTION = [...octets(7, 'Example', 3, 'com', 0, 0, 6, 0, 1)];
const OPT = [0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0];
const A_RECORD = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];
const TSIG = [...octets(1, 'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0)];
TSIG.push(...octets(11, 'hmac-sha256', 0, [0, 0, 0, 0, 0, 9], [1, 44], [0, 2], 'mm', [1, 2], [0, 0], [0, 0]));
TSIG[12] = TSIG.length - 13;

function reasonOf(input: Uint8Array): { message: string; fields: Readonly<Record<string, unknown>> } {
  try {
    readMessage(input);
  } catch (error) {
    expect(error).toBeInstanceOf(ZonesealError);
    expect((error as ZonesealError).code).toBe('MESSAGE_INVALID');
    return { message: (error as ZonesealError).message, fields: (error as ZonesealError).fields };
  }
  throw new Error('the message was accepted');
}

/** A full answer, with everything that a message can have. */
function sampleMessage(): Uint8Array {
  const writer = new MessageWriter(4096);
  writer.writeHeader(0xbeef, FLAG.QR | FLAG.AA | FLAG.RD);
  writer.writeQuestion(ZONE, RRType.SOA, RRClass.IN);
  const soa = parseRdataText(RRType.SOA, 'NS1.example.com. host.Example.com. 1 2 3 4 5');
  writer.writeRecord('answer', ZONE, RRType.SOA, RRClass.IN, 300, soa);
  for (const target of ['ns1.example.com.', 'ns2.Example.com.']) {
    writer.writeRecord('authority', ZONE, RRType.NS, RRClass.IN, 300, parseRdataText(RRType.NS, target));
  }
  writer.writeRecord(
    'additional',
    Name.parse('ns1.Example.com.'),
    RRType.A,
    RRClass.IN,
    60,
    octets(192, 0, 2, 7),
  );
  writer.writeEdns({ udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: true, options: [] });
  return writer.finish();
}

describe('readHeader', () => {
  test('says nothing about less than twelve octets', () => {
    expect(readHeader(new Uint8Array(11))).toBeUndefined();
    expect(reasonOf(new Uint8Array(11)).fields).toEqual({ reason: 'no header' });
  });

  test('RFC 1035 §4.1.1: id, opcode and flags', () => {
    expect(readHeader(octets(header([0, 0, 0, 0], 0xa700)))).toMatchObject({
      id: 0x0102,
      qr: true,
      opcode: OPCODE.NOTIFY,
      aa: true,
      tc: true,
      rd: true,
    });
  });
});

describe('readMessage', () => {
  test('reads every section, expands names, keeps their case', () => {
    const message = readMessage(sampleMessage());
    expect(message).toMatchObject({ id: 0xbeef, qr: true, aa: true, rd: true, tc: false, rcode: 0 });
    expect(message.question.map((it) => [it.name.toString(), it.type, it.class])).toEqual([
      ['Example.com.', 6, 1],
    ]);
    expect(message.answer[0]?.rdata).toEqual(
      parseRdataText(RRType.SOA, 'NS1.example.com. host.Example.com. 1 2 3 4 5'),
    );
    expect(message.authority.map((it) => Name.fromWire(it.rdata).toString())).toEqual([
      'ns1.example.com.',
      'ns2.Example.com.',
    ]);
    expect(message.additional.map((it) => it.owner.toString())).toEqual(['ns1.Example.com.']);
    expect(message.edns).toEqual({
      udpSize: 1232,
      extendedRcode: 0,
      version: 0,
      dnssecOk: true,
      options: [],
    });
    expect(message.tsig).toBeUndefined();
  });

  test('keeps TSIG aside and says where it begins', () => {
    const input = octets(header([1, 0, 0, 2]), QUESTION, OPT, TSIG);
    const message = readMessage(input);
    expect(message.additional).toEqual([]);
    expect(message.tsigOffset).toBe(12 + QUESTION.length + OPT.length);
    expect(message.tsig).toMatchObject({ timeSigned: 9, fudge: 300, originalId: 0x0102, error: 0 });
    expect(message.tsig?.mac).toEqual(octets('mm'));
  });

  test('RFC 6891 §6.1.3: the extended RCODE is put together', () => {
    const badVersion = [0, 0, 41, 0x04, 0xd0, 1, 7, 0, 0, 0, 0];
    const message = readMessage(octets(header([0, 0, 0, 1], 0x8000), badVersion));
    expect(message.rcode).toBe(RCODE.BADVERS);
    expect(message.edns?.version).toBe(7);
  });

  test('RFC 2181 §8: a TTL with its first bit set is zero', () => {
    const record = [...A_RECORD];
    record[6] = 0x80;
    expect(readMessage(octets(header([1, 1, 0, 0]), QUESTION, record)).answer[0]?.ttl).toBe(0);
  });

  test('does not share memory with a Buffer it was given', () => {
    const input = Buffer.from(octets(header([1, 1, 0, 0]), QUESTION, A_RECORD));
    const message = readMessage(input);
    input.fill(0xff);
    expect(message.answer[0]?.rdata).toEqual(octets(192, 0, 2, 1));
    expect(message.question[0]?.name.toString()).toBe('Example.com.');
  });

  test('takes rdata of other classes as it stands', () => {
    const record = [0xc0, 12, 0, 1, 0, 3, 0, 0, 0, 0, 0, 1, 9];
    expect(readMessage(octets(header([1, 1, 0, 0]), QUESTION, record)).answer[0]?.rdata).toEqual(octets(9));
  });

  const bad: [string, Uint8Array, RegExp][] = [
    ['trailing octets', octets(header([1, 0, 0, 0]), QUESTION, 0), /1 octets follow/],
    ['a question that is not there', octets(header([1, 0, 0, 0])), /counts exceed/],
    ['more questions than one', octets(header([2, 0, 0, 0]), QUESTION, QUESTION), /more than one question/],
    ['a record that is not there', octets(header([1, 1, 0, 0]), QUESTION), /cut off/],
    ['counts far too high', octets(header([1, 65535, 65535, 65535], FLAG.QR), QUESTION), /counts exceed/],
    ['many records in a query', octets(header([1, 65, 0, 0]), QUESTION), /more than 64 records/],
    ['a question cut in its name', octets(header([1, 0, 0, 0]), 7, 'Examp'), /cut off/],
    ['a question cut after its name', octets(header([1, 0, 0, 0]), 1, 'a', 0, 0, 6), /cut off/],
    ['a record cut in its fields', octets(header([0, 1, 0, 0]), 5, 'aaaaa', 0, 0, 1, 0, 1), /cut off/],
    ['rdata beyond the end', octets(header([1, 1, 0, 0]), QUESTION, A_RECORD.slice(0, -1)), /cut off/],
    ['a pointer to itself', octets(header([1, 0, 0, 0]), 0xc0, 12, 0, 6, 0, 1), /backward/],
    ['a pointer forward', octets(header([1, 0, 0, 0]), 0xc0, 14, 0, 0, 6, 0, 1), /backward/],
    ['a pointer into its own labels', octets(header([1, 0, 0, 0]), 1, 'a', 0xc0, 12, 0, 6, 0, 1), /backward/],
    ['a pointer into the header', octets(header([1, 0, 0, 0]), 0xc0, 4, 0, 6, 0, 1), /into the header/],
    ['a pointer cut off', octets(header([1, 0, 0, 0]), 3, 'abc', 0xc0), /cut off/],
    ['an unknown label type', octets(header([1, 0, 0, 0]), 0x41, 1, 0, 0, 6, 0, 1), /label type/],
    [
      'a name of 256 octets',
      octets(
        header([1, 0, 0, 0]),
        [1, 2, 3, 4].flatMap(() => [63, ...new Array<number>(63).fill(97)]),
        0,
        0,
        6,
        0,
        1,
      ),
      /255/,
    ],
    [
      'A rdata of three octets',
      octets(header([1, 1, 0, 0]), QUESTION, [...A_RECORD.slice(0, 11), 3, 1, 2, 3]),
      /A/,
    ],
    [
      'a name in rdata that leaves it',
      octets(header([1, 1, 0, 0]), QUESTION, [0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 0, 0, 2, 1, 97, 0]),
      /NS/,
    ],
    ['OPT twice', octets(header([0, 0, 0, 2]), OPT, OPT), /OPT record is misplaced/],
    ['OPT as an answer', octets(header([0, 1, 0, 0]), OPT), /OPT record is misplaced/],
    ['OPT with an owner', octets(header([0, 0, 0, 1]), 1, 'a', OPT), /OPT record is misplaced/],
    [
      'an EDNS option cut off',
      octets(header([0, 0, 0, 1]), [...OPT.slice(0, 10), 5, 0, 3, 0, 2, 1]),
      /option is cut/,
    ],
    ['TSIG that is not last', octets(header([0, 0, 0, 2]), TSIG, OPT), /not the last/],
    ['TSIG twice', octets(header([0, 0, 0, 2]), TSIG, TSIG), /not the last/],
    ['TSIG as an answer', octets(header([0, 1, 0, 0]), TSIG), /TSIG record is misplaced/],
    ['TSIG of class IN', octets(header([0, 0, 0, 1]), TSIG.with(6, 1)), /TSIG record is misplaced/],
    ['TSIG with a TTL', octets(header([0, 0, 0, 1]), TSIG.with(10, 1)), /TSIG record is misplaced/],
    [
      'TSIG whose MAC is too long for it',
      octets(header([0, 0, 0, 1]), TSIG.with(35, 99)),
      /TSIG record is malformed/,
    ],
    [
      'TSIG whose other data is too long',
      octets(header([0, 0, 0, 1]), [...TSIG.slice(0, -1), 1]),
      /TSIG record is malformed/,
    ],
  ];
  test.each(bad)('refuses %s', (_, input, reason) => {
    const { message, fields } = reasonOf(input);
    expect(message).toMatch(reason);
    expect(fields).toMatchObject({ id: 0x0102, opcode: 0, rd: false });
  });

  test('an error has what a FORMERR answer needs, and whether there is one', () => {
    const query = octets(header([1, 0, 0, 0], (OPCODE.UPDATE << 11) | FLAG.RD));
    expect(reasonOf(query).fields).toMatchObject({ id: 0x0102, opcode: 5, rd: true, isQuery: true });
    expect(reasonOf(octets(header([1, 0, 0, 0], FLAG.QR))).fields).toMatchObject({ isQuery: false });
  });
});

describe('the work that a message can cause', () => {
  test('64 KiB of pointers end at the first', () => {
    for (const flags of [0, FLAG.QR]) {
      const input = new Uint8Array(65_535).fill(0xc0);
      input.set(header([1, 0, 0, flags === 0 ? 64 : 5000], flags));
      expect(reasonOf(input).message).toMatch(/backward/);
    }
  });

  test('a chain of pointers is followed 127 times', () => {
    const chain = [0];
    for (let at = 12; chain.length < 600; at = chain.length === 3 ? 13 : at + 2)
      chain.push(0xc0 | (at >>> 8), at & 0xff);
    const input = octets(header([0, 0, 0, 0]), chain);
    const reader = new MessageNameReader(input, 10_000);
    expect(() => reader.read(input.length - 2)).toThrow(/too many compression pointers/);
    expect(reader.steps).toBeLessThanOrEqual(128);
  });

  test('names together stay within the budget, known suffixes counted', () => {
    const labels = new Array<number>(126).fill(0).flatMap(() => [1, 97]);
    const input = octets(header([0, 0, 0, 0]), labels, 0, 0xc0, 12, 1, 98, 0xc0, 12);
    const reader = new MessageNameReader(input, 1000);
    expect(reader.read(12 + 253).labelCount).toBe(126);
    expect(reader.read(12 + 253).labelCount).toBe(126);
    expect(reader.steps).toBeLessThan(150);
    expect(() => {
      for (let i = 0; i < 8; i++) reader.read(12 + 255);
    }).toThrow(/too much work/);
    expect(reader.steps).toBeLessThan(1200);
  });

  test('an answer full of long names is refused after 160,000 labels', () => {
    const longest = new Array<number>(126).fill(0).flatMap(() => [1, 97]);
    const records: number[] = [];
    const count = 4000;
    for (let i = 0; i < count; i++)
      records.push(0xc0, 12 + 2 * (i % 120), 0, 2, 0, 1, 0, 0, 0, 0, 0, 2, 0xc0, 12);
    const input = octets(header([1, count, 0, 0], FLAG.QR), longest, 0, 0, 6, 0, 1, records);
    expect(reasonOf(input).message).toMatch(/too much work/);
  });
});

describe('readMessage, whatever comes', () => {
  /** Reads, and lets nothing but MESSAGE_INVALID pass. */
  function readOrRefuse(input: Uint8Array): Message | undefined {
    try {
      return readMessage(input);
    } catch (error) {
      if (error instanceof ZonesealError && error.code === 'MESSAGE_INVALID') return undefined;
      throw error;
    }
  }

  test('random octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => void readOrRefuse(input)),
      { numRuns: 3000 },
    );
  });

  test('a header with small counts and random records', () => {
    const count = fc.integer({ min: 0, max: 3 });
    const piece = fc.oneof(
      fc.constantFrom([0xc0, 12], [0], [1, 97, 0], QUESTION, OPT, A_RECORD, TSIG, [0, 6, 0, 1, 0, 0, 0, 9]),
      fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 }),
    );
    fc.assert(
      fc.property(
        fc.tuple(count, count, count, count),
        fc.array(piece, { maxLength: 10 }),
        (counts, pieces) => {
          readOrRefuse(octets(header(counts), pieces.flat()));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('a valid message cut anywhere is refused', () => {
    const input = sampleMessage();
    for (let length = 0; length < input.length; length++) {
      expect(readOrRefuse(input.subarray(0, length)), `cut at ${length}`).toBeUndefined();
    }
  });

  test('a valid message with octets changed', () => {
    const valid = [sampleMessage(), octets(header([1, 0, 0, 2]), QUESTION, OPT, TSIG)];
    const change = fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        fc.constantFrom(...valid),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        (input, changes) => {
          const copy = new Uint8Array(input);
          for (const [at, value] of changes) copy[at % copy.length] = value;
          readOrRefuse(copy);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('answers without records', () => {
  const query = readMessage(octets(header([1, 0, 0, 1], FLAG.RD | FLAG.CD), QUESTION, OPT));

  test('copy id, question, opcode, RD and DO; AD, CD and RA stay clear', () => {
    const answer = readMessage(buildAnswer(query, RCODE.REFUSED, { udpSize: 1232 }));
    expect(answer).toMatchObject({
      id: query.id,
      rcode: RCODE.REFUSED,
      flags: FLAG.QR | FLAG.RD | RCODE.REFUSED,
    });
    expect(answer.question[0]?.name.wire).toEqual(query.question[0]?.name.wire);
    expect(answer.edns).toMatchObject({ udpSize: 1232, dnssecOk: true, version: 0 });
  });

  test('BADVERS is said with the extended RCODE', () => {
    const answer = readMessage(buildAnswer(query, RCODE.BADVERS, { udpSize: 1232, aa: true, tc: true }));
    expect(answer).toMatchObject({ rcode: RCODE.BADVERS, aa: true, tc: true });
  });

  test('RFC 6891 §7: no OPT for a client that sent none', () => {
    const plain = readMessage(octets(header([1, 0, 0, 0]), QUESTION));
    expect(readMessage(buildAnswer(plain, RCODE.SERVFAIL, { udpSize: 1232 })).edns).toBeUndefined();
    expect(udpAnswerLimit(plain, 1232)).toBe(512);
    expect(udpAnswerLimit(query, 4096)).toBe(1232);
    expect(udpAnswerLimit(query, 1000)).toBe(1000);
  });

  test('a header alone for what could not be read', () => {
    const answer = buildHeaderAnswer({ id: 7, opcode: OPCODE.STATUS, rd: true }, RCODE.NOTIMP);
    expect([...answer]).toEqual(header([0, 0, 0, 0], 0x9104, 7));
  });
});
