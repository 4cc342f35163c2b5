import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EDNS_OPTION } from '../../src/dns/edns.js';
import { type Message, RCODE, readMessage } from '../../src/dns/message.js';
import { TsigSigner } from '../../src/dns/tsig.js';
import {
  Fixture,
  grant,
  hostRrsets,
  makeQuery,
  NOW,
  packZone,
  type QueryOptions,
  SERIAL,
  soaRrset,
  tsigKey,
} from './fixture.js';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await Fixture.open();
});

afterEach(async () => {
  await fixture.close();
});

const ASKED = { options: [{ code: EDNS_OPTION.EXPIRE, data: new Uint8Array(0) }] };

function ask(type: string, more: QueryOptions = {}): Uint8Array {
  return makeQuery('example.com.', type, { edns: ASKED, ...more });
}

/** The value of the EXPIRE option; undefined where there is none. */
function expireIn({ edns }: Message): number | undefined {
  const option = edns?.options.find(({ code }) => code === EDNS_OPTION.EXPIRE);
  return option === undefined ? undefined : Buffer.from(option.data).readUInt32BE(0);
}

describe('EXPIRE (RFC 7314 §4)', () => {
  test.each([
    ['SOA', 'udp', {}],
    ['SOA', 'tcp', {}],
    ['IXFR', 'udp', { serial: 1 }],
    ['IXFR', 'tcp', { serial: SERIAL }],
  ] as const)('the SOA’s expire field with the single SOA: %s over %s', async (type, transport, more) => {
    await fixture.serve('external', hostRrsets(3));
    expect(expireIn(await fixture.askOne(ask(type, more), transport))).toBe(1_209_600);
  });

  test.each([
    ['AXFR', {}],
    ['IXFR', { serial: 1 }],
  ] as const)('in the first message of a transfer alone: %s', async (type, more) => {
    await fixture.serve('external', hostRrsets(2000));
    const messages = (await fixture.ask(ask(type, more))).map((octets) => readMessage(octets));
    expect(messages.length).toBeGreaterThan(1);
    expect(messages.map(expireIn)).toEqual([1_209_600, ...messages.slice(1).map(() => undefined)]);
  });

  test('of the image, where the first publication is still being made', async () => {
    const image = fixture.serveGrowing('external');
    fixture.source.set('external', { soa: undefined, openImage: async () => image.open() });
    for (const message of packZone(hostRrsets(3), soaRrset())) await image.append(message);
    await image.complete();
    const [first] = await fixture.ask(ask('AXFR'));
    expect(expireIn(readMessage(first as Uint8Array))).toBe(1_209_600);
  });

  test('not when it is not asked for, nor when the option has data', async () => {
    await fixture.serve('external', hostRrsets(3));
    const without = await fixture.askOne(ask('SOA', { edns: {} }));
    const filled = await fixture.askOne(
      ask('SOA', { edns: { options: [{ code: EDNS_OPTION.EXPIRE, data: Uint8Array.of(0, 0, 0, 1) }] } }),
    );
    expect([without, filled].map((it) => it.edns?.options)).toEqual([[], []]);
    const [octets] = await fixture.ask(ask('AXFR', { edns: {} }));
    expect(readMessage(octets as Uint8Array).edns?.options).toEqual([]);
  });

  test('not to those who are not let in, nor without a publication', async () => {
    await fixture.serve('internal', hostRrsets(3));
    const refused = await fixture.askOne(ask('SOA'), 'udp', '192.0.2.1');
    expect(refused).toMatchObject({ rcode: RCODE.REFUSED, edns: { options: [] } });
    fixture.serveGrowing('external');
    fixture.source.set('external', { soa: undefined, openImage: () => Promise.reject(new Error('no')) });
    expect(expireIn(await fixture.askOne(ask('SOA')))).toBeUndefined();
  });

  test('with TSIG, in what is signed', async () => {
    const key = tsigKey('k.');
    fixture.keys.add(key, grant('internal'));
    await fixture.serve('internal', hostRrsets(3));
    const [octets] = await fixture.ask(new TsigSigner(key).sign(ask('AXFR'), NOW));
    const message = readMessage(octets as Uint8Array);
    expect(message.tsig?.mac.length).toBe(32);
    expect(expireIn(message)).toBe(1_209_600);
  });
});
