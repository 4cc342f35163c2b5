import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readMessage } from '../../src/dns/message.js';
import { type MessageSection, MessageWriter } from '../../src/dns/message-writer.js';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType, typeFromText } from '../../src/dns/types.js';
import { ZonesealError } from '../../src/errors.js';

function record(owner: string, typeText: string, rdata: string, ttl = 300): ResourceRecord {
  const type = typeFromText(typeText) as number;
  return { owner: Name.parse(owner), type, class: 1, ttl, rdata: parseRdataText(type, rdata) };
}

function write(writer: MessageWriter, section: MessageSection, it: ResourceRecord): boolean {
  return writer.writeRecord(section, it.owner, it.type, it.class, it.ttl, it.rdata);
}

function lengthOf(...records: readonly ResourceRecord[]): number {
  const writer = new MessageWriter(65_535);
  for (const it of records) expect(write(writer, 'answer', it)).toBe(true);
  return writer.length;
}

const SIGNATURE = Buffer.alloc(64, 7).toString('base64');

describe('compression', () => {
  test('RFC 1035 §4.1.4: owners and the names of its types share suffixes', () => {
    const ns = record('example.com.', 'NS', 'ns1.example.com.');
    // header; 13 + 10 + "ns1" and a pointer
    expect(lengthOf(ns)).toBe(12 + 13 + 10 + 6);
    expect(lengthOf(ns, record('ns1.example.com.', 'A', '192.0.2.1'))).toBe(12 + 29 + 2 + 10 + 4);
    const soa = record('example.com.', 'SOA', 'ns1.example.com. host.example.com. 1 2 3 4 5');
    expect(lengthOf(ns, soa)).toBe(12 + 29 + 2 + 10 + 2 + 7 + 20);
    expect(lengthOf(ns, record('mx.example.com.', 'MX', '10 ns1.example.com.'))).toBe(12 + 29 + 5 + 10 + 4);
  });

  test('RFC 3597 §4: other types keep their names whole', () => {
    const a = record('example.com.', 'A', '192.0.2.1');
    for (const [type, rdata] of [
      ['SRV', '1 2 3 www.example.com.'],
      ['DNAME', 'www.example.com.'],
      ['RRSIG', `A 13 2 300 20300101000000 20290101000000 1 example.com. ${SIGNATURE}`],
      ['NSEC', 'www.example.com. A'],
    ] as const) {
      const it = record('example.com.', type, rdata);
      expect(lengthOf(a, it) - lengthOf(a), type).toBe(2 + 10 + it.rdata.length);
    }
  });

  test('names keep their case: only identical octets are replaced', () => {
    const records = [
      record('Example.com.', 'NS', 'ns1.eXample.com.'),
      record('example.com.', 'NS', 'NS1.EXAMPLE.COM.'),
      record('Example.com.', 'NS', 'ns1.eXample.com.'),
    ];
    const writer = new MessageWriter(65_535);
    for (const it of records) write(writer, 'answer', it);
    const answer = readMessage(writer.finish()).answer;
    expect(answer.map((it) => it.owner.toString())).toEqual(records.map((it) => it.owner.toString()));
    expect(answer.map((it) => it.rdata)).toEqual(records.map((it) => it.rdata));
  });

  test('pointers reach 0x3fff and no further', () => {
    const writer = new MessageWriter(65_535);
    const filler = { owner: Name.root, type: 65_280, class: 1, ttl: 0 };
    // the next name begins at 0x3ffe, its second label at 0x4000
    write(writer, 'answer', { ...filler, rdata: new Uint8Array(0x3ffe - 12 - 11) });
    expect(writer.length).toBe(0x3ffe);
    const late = record('a.example.', 'A', '192.0.2.1');
    write(writer, 'answer', late);
    const again = writer.length;
    write(writer, 'answer', record('a.example.', 'A', '192.0.2.1'));
    expect(writer.length - again).toBe(11 + 14);
    const same = writer.length;
    write(writer, 'answer', { ...late });
    expect(writer.length - same).toBe(11 + 14);
    const answer = readMessage(writer.finish()).answer;
    expect(answer.slice(1).map((it) => it.owner.toString())).toEqual([
      'a.example.',
      'a.example.',
      'a.example.',
    ]);
  });

  test('a name at 0x3fff itself is pointed to', () => {
    const writer = new MessageWriter(65_535);
    write(writer, 'answer', {
      owner: Name.root,
      type: 65_280,
      class: 1,
      ttl: 0,
      rdata: new Uint8Array(0x3fff - 23),
    });
    const top = record('example.', 'A', '192.0.2.1');
    write(writer, 'answer', top);
    const before = writer.length;
    write(writer, 'answer', top);
    expect(writer.length - before).toBe(2 + 14);
    expect(readMessage(writer.finish()).answer.map((it) => it.owner.toString())).toEqual([
      '.',
      'example.',
      'example.',
    ]);
  });

  test('the root is one octet', () => {
    const ns = record('.', 'NS', '.');
    expect(lengthOf(ns, ns)).toBe(12 + 2 * 12);
  });
});

describe('what does not fit', () => {
  const first = record('example.com.', 'NS', 'ns1.example.com.');

  test('is not written, and the table forgets it', () => {
    const writer = new MessageWriter(12 + 29 + 12);
    expect(write(writer, 'answer', first)).toBe(true);
    const before = writer.finish();
    expect(write(writer, 'answer', record('other.example.com.', 'A', '192.0.2.1'))).toBe(false);
    expect(write(writer, 'answer', record('long.rdata.', 'TXT', 'x'.repeat(60)))).toBe(false);
    expect(write(writer, 'answer', { ...first, type: 65_280, rdata: new Uint8Array(60_000) })).toBe(false);
    expect(writer.finish()).toEqual(before);
    expect(writer.remaining).toBe(12);
    // "other" was taken back: a record that points to it would be broken
    const small: ResourceRecord = {
      owner: Name.parse('ns1.example.com.'),
      type: 65_280,
      class: 1,
      ttl: 0,
      rdata: new Uint8Array(0),
    };
    expect(write(writer, 'answer', small)).toBe(true);
    expect(readMessage(writer.finish()).answer.map((it) => it.owner.toString())).toEqual([
      'example.com.',
      'ns1.example.com.',
    ]);
  });

  test('a name refused for want of room is not pointed to when a shorter record follows', () => {
    const owner = Name.parse('www.example.com.');
    const writer = new MessageWriter(12 + 29 + 6 + 10 + 4);
    write(writer, 'answer', first);
    expect(writer.writeRecord('answer', owner, RRType.AAAA, 1, 300, new Uint8Array(16))).toBe(false);
    expect(writer.writeRecord('answer', owner, RRType.A, 1, 300, new Uint8Array(4))).toBe(true);
    expect(readMessage(writer.finish()).answer[1]?.owner.toString()).toBe('www.example.com.');
  });

  test('reserved octets stay free until they are given back', () => {
    const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
    const writer = new MessageWriter(12 + 29 + 11);
    writer.reserve(11);
    expect(write(writer, 'answer', first)).toBe(true);
    expect(writer.remaining).toBe(0);
    expect(writer.writeEdns(edns)).toBe(false);
    writer.reserve(0);
    expect(writer.writeEdns(edns)).toBe(true);
    expect(readMessage(writer.finish()).edns).toEqual(edns);
  });

  test('rdata that is no name throws and leaves nothing behind', () => {
    const writer = new MessageWriter(512);
    write(writer, 'answer', first);
    const before = writer.finish();
    const broken = { ...record('x.example.com.', 'MX', '1 a.'), rdata: Uint8Array.of(0, 1, 9, 97) };
    expect(() => write(writer, 'answer', broken)).toThrow(ZonesealError);
    expect(writer.finish()).toEqual(before);
    write(writer, 'answer', record('x.example.com.', 'A', '192.0.2.1'));
    expect(readMessage(writer.finish()).answer[1]?.owner.toString()).toBe('x.example.com.');
  });

  test('sections come in their order', () => {
    const writer = new MessageWriter(512);
    write(writer, 'authority', first);
    expect(() => write(writer, 'answer', first)).toThrow(/order/);
    expect(() => writer.writeQuestion(first.owner, 1, 1)).toThrow(/order/);
  });

  test('limits beyond a message are refused', () => {
    expect(() => new MessageWriter(65_536)).toThrow(ZonesealError);
    expect(() => new MessageWriter(11)).toThrow(ZonesealError);
  });
});

describe('OPT', () => {
  test('RFC 6891 §6.1: every field and option is read as it was written', () => {
    const edns = {
      udpSize: 4096,
      extendedRcode: 0xab,
      version: 3,
      dnssecOk: true,
      options: [
        { code: 3, data: new Uint8Array(0) },
        { code: 65_001, data: Uint8Array.of(1, 2, 3) },
      ],
    };
    const writer = new MessageWriter(512);
    writer.writeHeader(1, 0x8005);
    expect(writer.writeEdns(edns)).toBe(true);
    const message = readMessage(writer.finish());
    expect(message.edns).toEqual(edns);
    expect(message.rcode).toBe(0xab5);
  });

  test('more than 128 options are refused', () => {
    const options = Array.from({ length: 129 }, () => ({ code: 12, data: new Uint8Array(0) }));
    const writer = new MessageWriter(4096);
    writer.writeEdns({ udpSize: 512, extendedRcode: 0, version: 0, dnssecOk: false, options });
    expect(() => readMessage(writer.finish())).toThrow(/128/);
  });
});

describe('a writer used again', () => {
  test('starts with an empty table and counts of zero', () => {
    const writer = new MessageWriter(16_384);
    const it = record('www.example.com.', 'MX', '10 mail.example.com.');
    const once = (): Uint8Array => {
      writer.writeHeader(1, 0x8400);
      writer.writeQuestion(it.owner, it.type, 1);
      write(writer, 'answer', it);
      return writer.finish();
    };
    const expected = once();
    writer.writeRecord('answer', Name.parse('more.example.org.'), RRType.A, 1, 1, new Uint8Array(4));
    writer.reset();
    expect(writer.length).toBe(12);
    expect(once()).toEqual(expected);
  });
});

describe('MessageWriter and readMessage', () => {
  const label = fc.constantFrom('a', 'A', 'b', 'www', 'example', 'Example', 'x'.repeat(63));
  const name = fc
    .array(label, { maxLength: 3 })
    .map((labels) => Name.parse(`${[...labels, 'test'].join('.')}.`));
  const rdataOf: readonly [number, (target: Name) => Uint8Array][] = [
    [RRType.NS, (target) => target.wire],
    [RRType.MX, (target) => Uint8Array.of(0, 9, ...target.wire)],
    [RRType.SOA, (target) => Uint8Array.of(...target.wire, ...target.wire, ...new Uint8Array(20))],
    [RRType.DNAME, (target) => target.wire],
    [RRType.TXT, (target) => Uint8Array.of(target.wire.length, ...target.wire)],
  ];
  const records = fc.array(
    fc.record({
      section: fc.nat(2),
      owner: name,
      target: name,
      type: fc.nat(rdataOf.length - 1),
      ttl: fc.nat(0x7fffffff),
    }),
    { maxLength: 60 },
  );

  test('what was written is read again, and what did not fit left no trace', () => {
    const sections = ['answer', 'authority', 'additional'] as const;
    fc.assert(
      fc.property(records, fc.integer({ min: 12, max: 1500 }), (drawn, limit) => {
        const writer = new MessageWriter(limit);
        const written: [MessageSection, ResourceRecord][] = [];
        for (const it of drawn.toSorted((a, b) => a.section - b.section)) {
          const [type, make] = rdataOf[it.type] as (typeof rdataOf)[number];
          const section = sections[it.section] as MessageSection;
          const rr = { owner: it.owner, type, class: 1, ttl: it.ttl, rdata: new Uint8Array(make(it.target)) };
          const before = writer.length;
          if (write(writer, section, rr)) written.push([section, rr]);
          else expect(writer.length).toBe(before);
        }
        const octets = writer.finish();
        expect(octets.length).toBeLessThanOrEqual(limit);
        octets[2] = 0x80;
        const message = readMessage(octets);
        for (const section of sections) {
          const expected = written.filter(([of]) => of === section).map(([, rr]) => rr);
          expect(message[section].map(plain)).toEqual(expected.map(plain));
        }
      }),
      { numRuns: 300 },
    );
  });

  function plain(rr: ResourceRecord): unknown {
    return [
      Buffer.from(rr.owner.wire).toString('latin1'),
      rr.type,
      rr.ttl,
      Buffer.from(rr.rdata).toString('hex'),
    ];
  }
});
