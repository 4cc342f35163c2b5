import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Message, RCODE, readMessage } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import { TSIG_ERROR, type TsigKey, TsigSigner, TsigVerifier } from '../../src/dns/tsig.js';
import type { DnsRequest } from '../../src/transfer/request.js';
import {
  answersOf,
  Fixture,
  grant,
  hostRrsets,
  makeQuery,
  NOW,
  packZone,
  SERIAL,
  tsigKey,
  ZONE,
} from './fixture.js';

let fixture: Fixture;
const key = tsigKey('internal-key.');
const external = tsigKey('external-key.', 'hmac-sha512');

beforeEach(async () => {
  fixture = await Fixture.open();
  fixture.keys.add(key, grant('internal'));
  fixture.keys.add(external, grant('external', { zones: new Set([ZONE.key]), addresses: ['192.0.2.0/24'] }));
});

afterEach(async () => {
  await fixture.close();
});

interface Answer {
  readonly messages: Message[];
  readonly octets: Uint8Array[];
  /** How each message was signed. */
  readonly checks: string[];
}

/** Asks with a key and checks the answer as a client does. */
async function ask(
  query: Uint8Array,
  by: TsigKey,
  options: { time?: number; request?: Partial<DnsRequest>; change?: (signed: Uint8Array) => Uint8Array } = {},
): Promise<Answer> {
  const signer = new TsigSigner(by);
  const signed = signer.sign(query, options.time ?? NOW);
  const octets = await fixture.ask(options.change?.(signed) ?? signed, {
    address: '192.0.2.1',
    ...options.request,
  });
  const verifier = new TsigVerifier(by, signer.mac);
  const messages = octets.map(readMessage);
  const checks = messages.map((message, i) => {
    const check = verifier.verify(octets[i] as Uint8Array, message, options.time ?? NOW);
    if (check.status === 'refused')
      return `refused ${check.tsigError} ${check.authentic ? 'signed' : 'unsigned'}`;
    return check.status === 'invalid' ? `invalid ${check.reason}` : check.status;
  });
  return { messages, octets, checks };
}

const soaQuery = makeQuery('example.com.', 'SOA');

describe('an IXFR client with a key', () => {
  const AHEAD = /^a client has a serial ahead of the one that is served/;
  const warnings = (): object[] =>
    fixture.log.lines.filter(({ message }) => AHEAD.test(message)).map(({ fields }) => fields);
  const ixfr = (serial: number): Uint8Array => makeQuery('example.com.', 'IXFR', { serial });

  test('that is ahead gets the single SOA and is told of, a bounded number of times', async () => {
    await fixture.serve('internal', []);
    for (const transport of ['tcp', 'udp'] as const) {
      const { messages } = await ask(ixfr(SERIAL + 3), key, { request: { transport } });
      expect(messages.map(({ answer }) => answer.length)).toEqual([1]);
    }
    const fields = {
      zone: 'example.com.',
      view: 'internal',
      key: 'internal-key.',
      address: '192.0.2.1',
      clientSerial: SERIAL + 3,
      serial: SERIAL,
    };
    expect(warnings()).toEqual([fields, fields]);
    for (let i = 0; i < 100; i++) await ask(ixfr(SERIAL + 3), key);
    expect(warnings().length).toBeLessThan(100);
  });

  test('that is current or behind, or has no key, is not', async () => {
    await fixture.serve('internal', []);
    await fixture.serve('external', []);
    for (const serial of [SERIAL, SERIAL - 1, SERIAL + 2 ** 31]) await ask(ixfr(serial), key);
    await fixture.ask(ixfr(SERIAL + 3)); // by its address
    expect(warnings()).toEqual([]);
  });
});

describe('a signed request (RFC 8945)', () => {
  test('each message of a transfer is signed, chained to the one before', async () => {
    await fixture.serve('internal', hostRrsets(3000));
    for (const options of [{}, { edns: {} }]) {
      const { checks, messages, octets } = await ask(makeQuery('example.com.', 'AXFR', options), key);
      expect(messages.length).toBeGreaterThan(3);
      expect(new Set(checks)).toEqual(new Set(['signed']));
      expect(answersOf(octets)).toEqual(answersOf(packZone(hostRrsets(3000))));
    }
  });

  test('every algorithm, SOA and refusals as well', async () => {
    await fixture.serve('internal', []);
    for (const algorithm of [
      'hmac-sha1',
      'hmac-sha224',
      'hmac-sha256',
      'hmac-sha384',
      'hmac-sha512',
    ] as const) {
      const one = tsigKey(`${algorithm}.`, algorithm);
      fixture.keys.add(one, grant('internal'));
      expect((await ask(soaQuery, one)).checks).toEqual(['signed']);
      const refused = await ask(makeQuery('other.', 'SOA'), one);
      expect([refused.checks, refused.messages[0]?.rcode]).toEqual([['signed'], RCODE.REFUSED]);
    }
  });

  test('answers without records are signed: NOTIMP, BADVERS, FORMERR, SERVFAIL', async () => {
    fixture.source.error = new Error('away');
    const cases: [Uint8Array, number][] = [
      [makeQuery('example.com.', 'SOA', { flags: 4 << 11 }), RCODE.NOTIMP],
      [makeQuery('example.com.', 'SOA', { edns: { version: 1 } }), RCODE.BADVERS],
      [makeQuery('example.com.', 'IXFR'), RCODE.FORMERR],
      [soaQuery, RCODE.SERVFAIL],
    ];
    for (const [query, rcode] of cases) {
      const { checks, messages } = await ask(query, key);
      expect([checks, messages[0]?.rcode]).toEqual([['signed'], rcode]);
    }
  });

  test('BADKEY for a key that is not known, unsigned, and no secret is fetched', async () => {
    const { checks, messages } = await ask(soaQuery, tsigKey('unknown.'));
    expect([checks, messages[0]?.rcode]).toEqual([[`refused ${TSIG_ERROR.BADKEY} unsigned`], RCODE.NOTAUTH]);
    expect(fixture.keys.fetched).toEqual([]);
  });

  test('BADKEY for a known key with another algorithm', async () => {
    const { checks } = await ask(soaQuery, { ...key, algorithm: 'hmac-sha512' });
    expect(checks).toEqual([`refused ${TSIG_ERROR.BADKEY} unsigned`]);
    expect(fixture.keys.fetched).toEqual([]);
  });

  test('BADSIG for another secret and for a message that was changed, unsigned', async () => {
    const wrong = { ...key, secret: Buffer.alloc(32, 1) };
    expect((await ask(soaQuery, wrong)).checks).toEqual([`refused ${TSIG_ERROR.BADSIG} unsigned`]);
    const change = (signed: Uint8Array): Uint8Array => {
      const changed = Uint8Array.from(signed);
      changed[2] = 1;
      return changed;
    };
    expect((await ask(soaQuery, key, { change })).checks).toEqual([`refused ${TSIG_ERROR.BADSIG} unsigned`]);
    expect(fixture.handler.counts.tsigFailures).toEqual({ BADSIG: 2 });
  });

  test("BADTIME, signed, with the server's time", async () => {
    for (const time of [NOW - 301, NOW + 301]) {
      const { checks, messages } = await ask(soaQuery, key, { time });
      expect(checks).toEqual([`refused ${TSIG_ERROR.BADTIME} signed`]);
      const other = Buffer.from(messages[0]?.tsig?.other as Uint8Array);
      expect(other.readUIntBE(0, 6)).toBe(NOW);
    }
    expect((await ask(soaQuery, key, { time: NOW - 300 })).messages[0]?.tsig?.error).toBe(0);
  });

  test('SERVFAIL when the key store cannot give the secret', async () => {
    fixture.keys.error = new Error('the key store is away');
    const { messages } = await ask(soaQuery, key);
    expect(messages[0]).toMatchObject({ rcode: RCODE.SERVFAIL, answer: [] });
    expect(messages[0]?.tsig).toBeUndefined();
  });

  test('an answer that is too large for the datagram keeps its TSIG beside TC', async () => {
    await fixture.serve('internal', []);
    const long = tsigKey(
      `${'k'.repeat(63)}.${'k'.repeat(63)}.${'k'.repeat(63)}.${'k'.repeat(60)}.`,
      'hmac-sha512',
    );
    fixture.keys.add(long, grant('internal'));
    const query = makeQuery('example.com.', 'SOA', { edns: { udpSize: 512, dnssecOk: true } });
    const { checks, messages } = await ask(query, long, { request: { transport: 'udp' } });
    expect([checks, messages[0]?.tc]).toEqual([['signed'], true]);
  });
});

describe('what a key may', () => {
  test('its view, whatever ranges are open', async () => {
    await fixture.serve('internal', hostRrsets(2));
    await fixture.serve('external', hostRrsets(1));
    const inside = await ask(makeQuery('example.com.', 'AXFR'), key, { request: { address: '127.0.0.1' } });
    expect(answersOf(inside.octets)).toHaveLength(4);
    const outside = await ask(makeQuery('example.com.', 'AXFR'), external);
    expect(answersOf(outside.octets)).toHaveLength(3);
  });

  test('REFUSED, signed, outside its zones and addresses; nothing is looked up', async () => {
    await fixture.serve('external', [], undefined, Name.parse('other.'));
    await fixture.serve('external', []);
    const cases: [string, string][] = [
      ['other.', '192.0.2.1'],
      ['www.example.com.', '192.0.2.1'],
      ['example.com.', '192.0.3.1'],
      ['example.com.', '127.0.0.1'],
      ['example.com.', '2001:db8::1'],
    ];
    for (const [name, address] of cases) {
      const { checks, messages } = await ask(makeQuery(name, 'SOA'), external, { request: { address } });
      expect([name, address, checks, messages[0]?.rcode]).toEqual([name, address, ['signed'], RCODE.REFUSED]);
    }
    expect(fixture.source.asked).toEqual([]);
    const mapped = await ask(soaQuery, external, { request: { address: '::ffff:192.0.2.77' } });
    expect(mapped.messages[0]?.rcode).toBe(0);
  });

  test('REFUSED, signed, without any grant; nothing is looked up', async () => {
    await fixture.serve('internal', []);
    const none = tsigKey('none.');
    fixture.keys.add(none);
    const { checks, messages } = await ask(soaQuery, none);
    expect([checks, messages[0]?.rcode, fixture.source.asked]).toEqual([['signed'], RCODE.REFUSED, []]);
  });

  test('nothing when its grants name two views; said once', async () => {
    await fixture.serve('internal', []);
    const both = tsigKey('both.');
    fixture.keys.add(both, grant('internal'), grant('external', { zones: new Set([ZONE.key]) }));
    for (let i = 0; i < 3; i++) expect((await ask(soaQuery, both)).messages[0]?.rcode).toBe(RCODE.REFUSED);
    const said = fixture.log.messages().filter((it) => it.includes('several views'));
    expect(said).toHaveLength(1);
    // for another zone the same key has one view
    await fixture.serve('internal', [], undefined, Name.parse('other.'));
    expect((await ask(makeQuery('other.', 'SOA'), both)).messages[0]?.rcode).toBe(0);
  });

  test('the same view granted twice is one view', async () => {
    await fixture.serve('internal', []);
    const twice = tsigKey('twice.');
    fixture.keys.add(twice, grant('internal'), grant('internal', { addresses: ['192.0.2.1'] }));
    expect((await ask(soaQuery, twice)).messages[0]?.rcode).toBe(0);
  });
});

test('neither secrets nor octets of the network come into the log; names are escaped', async () => {
  await ask(makeQuery(Name.fromLabels([Buffer.from('a\nb\x1b[31m')]), 'SOA'), tsigKey('who\\010is.'));
  await ask(makeQuery(Name.fromLabels([Buffer.from('a\nb\x1b[31m')]), 'SOA'), key);
  const text = JSON.stringify(fixture.log.lines);
  expect(text).toContain('a\\\\010b\\\\027');
  expect(text).toContain('who\\\\010is.');
  expect(text).not.toContain('secret of');
});

describe('a key that is being changed', () => {
  const next = { ...key, secret: Buffer.from('the secret that is to be, 32 octets') };

  beforeEach(async () => {
    await fixture.serve('internal', hostRrsets(3));
    fixture.keys.rotate(key, next.secret);
  });

  test('is taken with either secret, and answered with the one of the request', async () => {
    for (const by of [key, next]) {
      expect((await ask(soaQuery, by)).checks).toEqual(['signed']);
      const { checks } = await ask(makeQuery('example.com.', 'AXFR'), by);
      expect(new Set(checks)).toEqual(new Set(['signed']));
    }
  });

  test('BADTIME is signed with the one of the request', async () => {
    for (const by of [key, next]) {
      expect((await ask(soaQuery, by, { time: NOW - 3600 })).checks).toEqual([
        `refused ${TSIG_ERROR.BADTIME} signed`,
      ]);
    }
  });

  test('BADSIG for any other, BADKEY for another algorithm', async () => {
    const wrong = { ...key, secret: Buffer.alloc(32, 1) };
    expect((await ask(soaQuery, wrong)).checks).toEqual([`refused ${TSIG_ERROR.BADSIG} unsigned`]);
    const { checks } = await ask(soaQuery, { ...next, algorithm: 'hmac-sha512' });
    expect(checks).toEqual([`refused ${TSIG_ERROR.BADKEY} unsigned`]);
  });

  test('while one cannot be had the other is taken, and what may be of that one gets SERVFAIL, not BADSIG', async () => {
    const references = [key.name.key, `${key.name.key} next`];
    for (const [i, [held, missing]] of [
      [next, key],
      [key, next],
    ].entries()) {
      fixture.keys.away.clear();
      fixture.keys.away.add(references[i] as string);
      expect((await ask(soaQuery, held as TsigKey)).checks).toEqual(['signed']);
      expect((await ask(soaQuery, missing as TsigKey)).messages[0]?.rcode).toBe(RCODE.SERVFAIL);
    }
  });
});
