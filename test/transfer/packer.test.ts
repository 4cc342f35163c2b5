import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxRdataOctets, SENDING_RESERVE_OCTETS } from '../../src/dns/largest-record.js';
import { type Message, readMessage } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import type { RRset } from '../../src/dns/record.js';
import { RRType, typeFromText } from '../../src/dns/types.js';
import { ZonesealError } from '../../src/errors.js';
import { MessagePacker } from '../../src/transfer/packer.js';

const ZONE = Name.parse('Example.com.');

function rrset(owner: string, typeText: string, ...rdata: string[]): RRset {
  const type = typeFromText(typeText) as number;
  return {
    owner: Name.parse(owner, ZONE),
    type,
    ttl: 3600,
    rdata: rdata.map((it) => parseRdataText(type, it, ZONE)),
  };
}

const SOA = rrset('@', 'SOA', 'ns1 hostmaster 7 7200 900 1209600 300');

function pack(rrsets: readonly RRset[], zone = ZONE, messageOctets?: number): Uint8Array[] {
  const packer = new MessagePacker({ zone, ...(messageOctets === undefined ? {} : { messageOctets }) });
  const messages: Uint8Array[] = [];
  for (const it of rrsets) if (packer.add(it)) messages.push(...packer.take());
  messages.push(...packer.finish());
  expect(packer.messageCount).toBe(messages.length);
  return messages;
}

function textOf(messages: readonly Message[]): string[] {
  return messages.flatMap((message) =>
    message.answer.map((it) => `${it.owner} ${it.ttl} ${it.type} ${Buffer.from(it.rdata).toString('hex')}`),
  );
}

function textOfRrsets(rrsets: readonly RRset[]): string[] {
  return rrsets.flatMap((it) =>
    it.rdata.map((rdata) => `${it.owner} ${it.ttl} ${it.type} ${Buffer.from(rdata).toString('hex')}`),
  );
}

describe('messages of an AXFR (RFC 5936 §2.2)', () => {
  test('nothing of the zone packed before is in them', () => {
    const records = Array.from({ length: 900 }, (_, i) => rrset(`host${i}`, 'MX', `10 mail${i % 7}`));
    const other = Name.parse('other.example.');
    const apart = [
      { ...SOA, owner: other },
      { ...SOA, owner: other },
    ];
    const alone = pack(apart, other);
    pack([SOA, ...records, SOA]);
    const open = new MessagePacker({ zone: ZONE });
    open.add(SOA);
    expect(pack(apart, other)).toEqual(alone);
    expect(open.finish()).toEqual(pack([SOA]));
    expect(open.finish()).toEqual([]);
    expect(() => open.add(SOA)).toThrow(TypeError);
  });

  test('id 0, AA and QR; the question in the first message alone', () => {
    const records = Array.from({ length: 2000 }, (_, i) => rrset(`host${i}`, 'A', '192.0.2.1'));
    const messages = pack([SOA, ...records, SOA]).map(readMessage);
    expect(messages.length).toBeGreaterThan(1);
    for (const [i, message] of messages.entries()) {
      expect(message).toMatchObject({ id: 0, flags: 0x8400, rcode: 0, authority: [], additional: [] });
      expect(message.question.map(({ name, type, class: it }) => [name.toString(), type, it])).toEqual(
        i === 0 ? [['Example.com.', RRType.AXFR, 1]] : [],
      );
    }
    expect(textOf(messages)).toEqual(textOfRrsets([SOA, ...records, SOA]));
  });

  test('messages are full up to 16 KiB and not longer', () => {
    const records = Array.from({ length: 3000 }, (_, i) => rrset(`h${i}`, 'TXT', `"${'x'.repeat(i % 200)}"`));
    const messages = pack(records);
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(16_384);
    for (const message of messages.slice(0, -1)) expect(message.length).toBeGreaterThan(16_384 - 300);
  });

  test('a smaller limit is kept', () => {
    const records = Array.from({ length: 100 }, (_, i) => rrset(`h${i}`, 'A', '192.0.2.1'));
    for (const message of pack(records, ZONE, 600)) expect(message.length).toBeLessThanOrEqual(600);
  });

  test('a record larger than 16 KiB goes alone, between its neighbours', () => {
    const large = rrset('big', 'TYPE65280', `\\# 60000 ${'ab'.repeat(60_000)}`);
    const messages = pack([SOA, large, rrset('c', 'A', '192.0.2.1'), SOA]);
    expect(messages.map((it) => readMessage(it).answer.length)).toEqual([1, 1, 2]);
    expect(messages[1]?.length).toBeGreaterThan(60_000);
    expect(textOf(messages.map(readMessage))).toEqual(
      textOfRrsets([SOA, large, rrset('c', 'A', '192.0.2.1'), SOA]),
    );
  });

  test('an RRset near 64 KiB is spread over messages', () => {
    const texts = Array.from({ length: 250 }, (_, i) => `"${String(i).padStart(250, 'x')}"`);
    const messages = pack([SOA, rrset('t', 'TXT', ...texts), SOA]).map(readMessage);
    expect(messages.length).toBeGreaterThan(3);
    expect(textOf(messages)).toHaveLength(252);
  });

  test('the largest record leaves room for the longest TSIG and OPT; one octet more is an error that names it', () => {
    const owner = 'big';
    const fits = maxRdataOctets(Name.parse(owner, ZONE));
    const sized = (octets: number): RRset => ({
      owner: Name.parse(owner, ZONE),
      type: 65_280,
      ttl: 1,
      rdata: [new Uint8Array(octets)],
    });
    expect(pack([SOA, sized(fits)]).map((it) => it.length)).toContain(65_535 - SENDING_RESERVE_OCTETS);
    expect(() => pack([SOA, sized(fits + 1)])).toThrow(ZonesealError);
    expect(() => pack([SOA, sized(fits + 1)])).toThrow(/Example\.com\..*big\.Example\.com\. TYPE65280/);
  });

  test('the reserve is the longest key name, hmac-sha512 and OPT', () => {
    expect(SENDING_RESERVE_OCTETS).toBe(255 + 10 + 13 + 16 + 64 + 11 + 8);
  });
});

test('another decoder reads the same', () => {
  const hosts = Array.from({ length: 500 }, (_, i) => rrset(`host${i}.sub`, 'A', `192.0.2.${i % 256}`));
  const messages = pack([SOA, rrset('@', 'MX', '10 mail.sub'), ...hosts, SOA], ZONE, 2048);
  const read = messages.map((it) => dnsPacket.decode(Buffer.from(it)));
  expect(read.map((it) => it.questions?.length)).toEqual(messages.map((_, i) => (i === 0 ? 1 : 0)));
  const answers = read.flatMap((it) => it.answers ?? []);
  expect(answers.map((it) => it.name)).toEqual([
    'Example.com',
    'Example.com',
    ...hosts.map((_, i) => `host${i}.sub.Example.com`),
    'Example.com',
  ]);
  expect(answers[1]).toMatchObject({
    type: 'MX',
    data: { preference: 10, exchange: 'mail.sub.Example.com' },
  });
});

describe('compression', () => {
  test('no record points to the question: its spelling can be changed', () => {
    const records = [SOA, rrset('@', 'NS', 'ns1', 'ns2'), rrset('www', 'MX', '10 mail', '20 mail.www'), SOA];
    const [message] = pack(records);
    const patched = Buffer.from(message as Uint8Array);
    patched.write('eXAMPLE', 13, 'latin1');
    const read = readMessage(patched);
    expect(read.question[0]?.name.toString()).toBe('eXAMPLE.com.');
    expect(textOf([read])).toEqual(textOfRrsets(records));
  });

  test('the case of each name is kept', () => {
    const records = [rrset('WWW', 'CNAME', 'wWw.example.COM.'), rrset('www', 'PTR', 'WWW.Example.com.')];
    expect(textOf(pack(records).map(readMessage))).toEqual(textOfRrsets(records));
  });

  test('the root zone', () => {
    const records: RRset[] = [
      { ...SOA, owner: Name.root },
      rrset('com.', 'NS', 'a.gtld-servers.net.', 'b.gtld-servers.net.'),
      { ...SOA, owner: Name.root },
    ];
    const messages = pack(records, Name.root).map(readMessage);
    expect(messages[0]?.question[0]?.name.isRoot).toBe(true);
    expect(textOf(messages)).toEqual(textOfRrsets(records));
  });
});

test('property: what was packed is read back, whatever the names, types and message size', () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 12 });
  const name = fc
    .array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...['a', 'B', 'mail'].map((it) => Buffer.from(it))) },
        label,
      ),
      {
        maxLength: 5,
      },
    )
    .map((labels) => Name.fromLabels([...labels, ...ZONE.labels()]));
  const record = fc.oneof(
    fc.record({
      owner: name,
      type: fc.constantFrom(2, 5, 12),
      ttl: fc.nat(9999),
      rdata: name.map((it) => it.wire),
    }),
    fc.record({
      owner: name,
      type: fc.constant(15),
      ttl: fc.nat(9999),
      rdata: name.map((it) => Uint8Array.of(0, 5, ...it.wire)),
    }),
    fc.record({
      owner: name,
      type: fc.constant(65_280),
      ttl: fc.nat(9999),
      rdata: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat(30_000).map((it) => new Uint8Array(it)),
      ),
    }),
  );
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 512, max: 16_384 }),
      (records, size) => {
        const rrsets = records.map(({ rdata, ...rest }) => ({ ...rest, rdata: [rdata] }));
        expect(textOf(pack(rrsets, ZONE, size).map(readMessage))).toEqual(textOfRrsets(rrsets));
      },
    ),
    { numRuns: 150 },
  );
});
