import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FLAG, OPCODE, RCODE, readMessage } from '../../src/dns/message.js';
import { MessageWriter } from '../../src/dns/message-writer.js';
import { Name } from '../../src/dns/name.js';
import { RRType } from '../../src/dns/types.js';
import { ZonesealError } from '../../src/errors.js';
import { serialOf } from '../../src/transfer/soa-serial.js';
import {
  answersOf,
  Fixture,
  hostRrsets,
  makeQuery,
  packZone,
  SERIAL,
  signature,
  soaRrset,
  ZONE,
} from './fixture.js';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await Fixture.open();
});

afterEach(async () => {
  await fixture.close();
});

describe('SOA', () => {
  test('the newest ready one, authoritative, over UDP and TCP; RRSIG only with DO', async () => {
    await fixture.serve('external', hostRrsets(3));
    for (const transport of ['udp', 'tcp'] as const) {
      const plain = await fixture.askOne(makeQuery('example.com.', 'SOA', { flags: FLAG.RD }), transport);
      expect(plain).toMatchObject({ id: 4711, qr: true, aa: true, rd: true, tc: false, rcode: 0 });
      expect(plain.answer.map((it) => it.type)).toEqual([RRType.SOA]);
      expect(plain.edns).toBeUndefined();
      const signed = await fixture.askOne(
        makeQuery('example.com.', 'SOA', { edns: { dnssecOk: true } }),
        transport,
      );
      expect(signed.answer.map((it) => it.type)).toEqual([RRType.SOA, RRType.RRSIG]);
      expect(signed.edns).toMatchObject({ udpSize: 1232, dnssecOk: true, options: [] });
    }
  });

  test('the question as it was asked', async () => {
    await fixture.serve('external', []);
    const answer = await fixture.askOne(makeQuery('eXample.COM.', 'SOA'));
    expect(answer.question[0]?.name.toString()).toBe('eXample.COM.');
  });

  test('TC when it does not fit the datagram that the client takes', async () => {
    const image = fixture.serveGrowing('external', undefined);
    const signatures = Array.from({ length: 4 }, () => signature(256));
    fixture.source.set('external', {
      soa: { rrset: soaRrset(), signatures },
      openImage: async () => image.open(),
    });
    const ask = (udpSize: number): Promise<ReturnType<typeof readMessage>> =>
      fixture.askOne(makeQuery('example.com.', 'SOA', { edns: { udpSize, dnssecOk: true } }));
    expect(await ask(1232)).toMatchObject({ tc: true, aa: true, answer: [] });
    // not more than the gateway's own limit
    expect(await ask(4096)).toMatchObject({ tc: true });
    const [octets] = await fixture.ask(
      makeQuery('example.com.', 'SOA', { edns: { udpSize: 512, dnssecOk: true } }),
      { transport: 'tcp' },
    );
    expect(readMessage(octets as Uint8Array)).toMatchObject({ tc: false });
    expect(readMessage(octets as Uint8Array).answer).toHaveLength(5);
  });

  test('SERVFAIL with Not Ready before the first publication, and when the database is away', async () => {
    fixture.serveGrowing('external', undefined);
    fixture.source.set('external', { soa: undefined, openImage: () => Promise.reject(new Error('no')) });
    const early = await fixture.askOne(makeQuery('example.com.', 'SOA', { edns: {} }));
    expect(early.rcode).toBe(RCODE.SERVFAIL);
    expect(early.edns?.options.map((it) => [it.code, it.data[1]])).toEqual([[15, 14]]);
    fixture.source.error = new Error('the database is away');
    const away = await fixture.askOne(makeQuery('example.com.', 'SOA'));
    expect(away).toMatchObject({ rcode: RCODE.SERVFAIL, answer: [] });
  });

  test('SERVFAIL when the database does not answer in time', async () => {
    await fixture.close();
    const limits = {
      transfers: 1,
      transfersWaiting: 1,
      transferWaitSeconds: 1,
      lookupSeconds: 0.02,
      firstMessageSeconds: 1,
      udpOctets: 1232,
    };
    fixture = await Fixture.open({ limits });
    fixture.source.delay = new Promise(() => undefined);
    expect((await fixture.askOne(makeQuery('example.com.', 'SOA'))).rcode).toBe(RCODE.SERVFAIL);
  });
});

describe('AXFR (RFC 5936)', () => {
  test('the messages of the image, with the id, RD and question of the request, and OPT on the first', async () => {
    const rrsets = hostRrsets(2000);
    await fixture.serve('external', rrsets);
    const messages = await fixture.ask(
      makeQuery('EXAMPLE.com.', 'AXFR', { id: 99, flags: FLAG.RD, edns: {} }),
    );
    expect(messages.length).toBeGreaterThan(2);
    expect(answersOf(messages)).toEqual(answersOf(packZone(rrsets)));
    for (const [i, octets] of messages.entries()) {
      const message = readMessage(octets);
      expect(message).toMatchObject({ id: 99, qr: true, aa: true, rd: true, tc: false, rcode: 0, opcode: 0 });
      expect(message.question.map((it) => `${it.name} ${it.type}`)).toEqual(
        i === 0 ? ['EXAMPLE.com. 252'] : [],
      );
      expect(message.edns === undefined).toBe(i > 0);
    }
    expect(fixture.handler.counts.transfers.completed).toBe(1);
    expect(fixture.handler.counts.transferOctets).toBe(messages.reduce((sum, it) => sum + it.length, 0));
  });

  test('NOTIMP over UDP (§4.2), and nothing is looked up', async () => {
    await fixture.serve('external', []);
    expect((await fixture.askOne(makeQuery('example.com.', 'AXFR'), 'udp')).rcode).toBe(RCODE.NOTIMP);
    expect(fixture.source.asked).toEqual([]);
  });

  test('streams before the image is complete, and before there is an SOA to be told', async () => {
    const image = fixture.serveGrowing('external', undefined);
    const packed = packZone(hostRrsets(2000));
    const answer = fixture.handler.answer(fixture.request(makeQuery('example.com.', 'AXFR')));
    const first = answer.next();
    await image.append(packed[0] as Uint8Array);
    expect(answersOf([(await first).value as Uint8Array])).toEqual(answersOf([packed[0] as Uint8Array]));
    for (const message of packed.slice(1)) await image.append(message);
    await image.complete();
    const rest: Uint8Array[] = [];
    for await (const message of answer) rest.push(message);
    expect(answersOf(rest)).toEqual(answersOf(packed.slice(1)));
  });

  test('a failure before the first message is SERVFAIL, at opening and after', async () => {
    const image = fixture.serveGrowing('external');
    const failing = fixture.ask(makeQuery('example.com.', 'AXFR', { edns: {} }));
    image.fail(new ZonesealError('SIGNER_FAILED', 'no'));
    expect(readMessage((await failing)[0] as Uint8Array)).toMatchObject({
      rcode: RCODE.SERVFAIL,
      answer: [],
    });
    expect((await fixture.askOne(makeQuery('example.com.', 'AXFR'), 'tcp')).rcode).toBe(RCODE.SERVFAIL);
    expect(fixture.handler.counts.transfers.failed).toBe(2);
  });

  test('a failure while it streams ends with an error, never with the closing SOA', async () => {
    const image = fixture.serveGrowing('external');
    const packed = packZone(hostRrsets(2000));
    const seen: Uint8Array[] = [];
    const answer = fixture.handler.answer(fixture.request(makeQuery('example.com.', 'AXFR')));
    for (const message of packed.slice(0, -1)) {
      await image.append(message);
      seen.push((await answer.next()).value as Uint8Array);
    }
    const next = answer.next();
    image.fail(new ZonesealError('PUBLICATION_LOST', 'lease lost'));
    await expect(next).rejects.toThrow('lease lost');
    expect(seen.length).toBeGreaterThan(1);
    expect(answersOf(seen).filter((it) => it.startsWith(`${ZONE} ${RRType.SOA} `)).length).toBeLessThan(2);
    expect(fixture.handler.counts.transfers).toMatchObject({ failed: 1, completed: 0 });
    expect(fixture.log.messages()).toContain('a transfer failed; the client gets no closing SOA');
  });

  test('a client that leaves releases its hold on the image at once', async () => {
    const image = fixture.serveGrowing('external');
    const gone = new AbortController();
    const answer = fixture.handler.answer(
      fixture.request(makeQuery('example.com.', 'AXFR'), { signal: gone.signal }),
    );
    const first = answer.next();
    await image.append(packZone([])[0] as Uint8Array);
    await first;
    expect(image.readerCount).toBe(1);
    const waiting = answer.next();
    gone.abort();
    await expect(waiting).rejects.toThrow(ZonesealError);
    expect(image.readerCount).toBe(0);
    expect(fixture.handler.counts.transfers.abandoned).toBe(1);
    expect(fixture.handler.load).toEqual({ running: 0, waiting: 0 });
  });

  test('the first message may not take for ever', async () => {
    await fixture.close();
    const limits = {
      transfers: 1,
      transfersWaiting: 1,
      transferWaitSeconds: 1,
      lookupSeconds: 1,
      firstMessageSeconds: 0.02,
      udpOctets: 1232,
    };
    fixture = await Fixture.open({ limits });
    const image = fixture.serveGrowing('external');
    expect((await fixture.askOne(makeQuery('example.com.', 'AXFR'), 'tcp')).rcode).toBe(RCODE.SERVFAIL);
    expect(image.readerCount).toBe(0);
  });

  test('past the limit a transfer waits for its turn, then gets SERVFAIL', async () => {
    await fixture.close();
    const limits = {
      transfers: 1,
      transfersWaiting: 1,
      transferWaitSeconds: 0.05,
      lookupSeconds: 1,
      firstMessageSeconds: 1,
      udpOctets: 1232,
    };
    fixture = await Fixture.open({ limits });
    const image = await fixture.serve('external', hostRrsets(2000));
    const first = fixture.handler.answer(fixture.request(makeQuery('example.com.', 'AXFR')));
    await first.next();
    const second = fixture.askOne(makeQuery('example.com.', 'AXFR'), 'tcp');
    expect((await second).rcode).toBe(RCODE.SERVFAIL);
    const third = fixture.ask(makeQuery('example.com.', 'AXFR'));
    await first.return();
    expect(answersOf(await third).length).toBe(2002);
    expect(fixture.handler.counts.transfers).toEqual({ completed: 1, abandoned: 1, refused: 1, failed: 0 });
    expect(image.readerCount).toBe(0);
  });
});

describe('IXFR (RFC 1995)', () => {
  test('the whole zone in the form of an AXFR (§4) when the client is behind', async () => {
    await fixture.serve('external', hostRrsets(10));
    const messages = await fixture.ask(makeQuery('example.com.', 'IXFR', { serial: SERIAL - 1 }));
    expect(answersOf(messages)).toEqual(answersOf(packZone(hostRrsets(10))));
    expect(readMessage(messages[0] as Uint8Array).question[0]?.type).toBe(RRType.IXFR);
  });

  test('RFC 1982 decides who is behind; serials that cannot be compared get the zone', async () => {
    const HALF = 2 ** 31;
    const WHOLE = 2 ** 32;
    const cases: [server: number, client: number, whole: boolean][] = [
      [7, 7, false],
      [7, 8, false],
      [8, 7, true],
      [3, WHOLE - 3, true],
      [WHOLE - 3, 3, false],
      [7, 7 + HALF - 1, false],
      [7, 7 + HALF, true],
      [7, 7 + HALF + 1, true],
    ];
    for (const [server, client, whole] of cases) {
      await fixture.serve('external', hostRrsets(3), soaRrset(server));
      const messages = await fixture.ask(
        makeQuery('example.com.', 'IXFR', { serial: client, edns: { dnssecOk: true } }),
      );
      expect([server, client, answersOf(messages).length]).toEqual([server, client, whole ? 5 : 1]);
    }
  });

  test('over UDP the single SOA (§2), without signatures', async () => {
    await fixture.serve('external', hostRrsets(3));
    for (const serial of [SERIAL - 1, SERIAL]) {
      const answer = await fixture.askOne(
        makeQuery('example.com.', 'IXFR', { serial, edns: { dnssecOk: true } }),
      );
      expect(answer.answer.map((it) => it.type)).toEqual([RRType.SOA]);
      expect(answer).toMatchObject({ aa: true, tc: false });
    }
  });

  describe('differences', () => {
    /** A zone whose difference has so many messages and then breaks off; or ends, where there is no error. */
    async function serveDifference(messages: readonly Uint8Array[], error?: ZonesealError): Promise<void> {
      const zone = await fixture.serve('external', hostRrsets(10));
      const difference = fixture.images.create('a difference');
      for (const message of messages) await difference.append(message);
      const reader = difference.open();
      if (error === undefined) await difference.complete();
      fixture.source.set('external', {
        soa: { rrset: soaRrset(), signatures: [] },
        openImage: async () => zone.open(),
        openDifference: () => {
          if (error !== undefined) setTimeout(() => difference.fail(error), 5);
          return Promise.resolve(reader);
        },
      });
    }
    const ixfr = (): Uint8Array => makeQuery('example.com.', 'IXFR', { serial: SERIAL - 1 });
    const broken = new ZonesealError('JOURNAL_LOST', 'a part of the journal is gone');
    const difference = packZone([soaRrset(SERIAL - 1), ...hostRrsets(3000), soaRrset(SERIAL)]);

    test('are sent as they are', async () => {
      await serveDifference(difference);
      expect(answersOf(await fixture.ask(ixfr()))).toEqual(answersOf(difference));
    });

    test('that break off before their first message give way to the whole zone', async () => {
      await serveDifference([], broken);
      expect(answersOf(await fixture.ask(ixfr()))).toEqual(answersOf(packZone(hostRrsets(10))));
      expect(fixture.handler.counts.transfers).toMatchObject({ completed: 1, failed: 0 });
      expect(fixture.log.messages()).toContain('a difference cannot be had; the whole zone is sent');
    });

    test('that break off later end the connection before the closing SOA', async () => {
      await serveDifference(difference.slice(0, 1), broken);
      const answer = fixture.handler.answer(fixture.request(ixfr()));
      expect(answersOf([(await answer.next()).value as Uint8Array])).toEqual(
        answersOf(difference.slice(0, 1)),
      );
      await expect(answer.next()).rejects.toMatchObject({ code: 'JOURNAL_LOST' });
      expect(fixture.handler.counts.transfers).toMatchObject({ completed: 0, failed: 1 });
    });
  });

  test('FORMERR without the SOA of the zone in the authority section (§3)', async () => {
    await fixture.serve('external', []);
    for (const transport of ['udp', 'tcp'] as const) {
      expect((await fixture.askOne(makeQuery('example.com.', 'IXFR'), transport)).rcode).toBe(RCODE.FORMERR);
      const writer = new MessageWriter(512);
      writer.writeHeader(1, 0);
      writer.writeQuestion(ZONE, RRType.IXFR, 1);
      const soa = soaRrset();
      writer.writeRecord('authority', Name.parse('other.'), RRType.SOA, 1, 0, soa.rdata[0] as Uint8Array);
      expect((await fixture.askOne(writer.finish(), transport)).rcode).toBe(RCODE.FORMERR);
    }
  });

  test('the serial is that of the SOA', () => {
    expect(serialOf(soaRrset(4_294_967_295))).toBe(4_294_967_295);
  });
});

describe('what is not served', () => {
  test('NOTIMP for other opcodes, readable or not', async () => {
    for (const opcode of [1, OPCODE.STATUS, OPCODE.NOTIFY, OPCODE.UPDATE, 6, 15]) {
      const answer = await fixture.askOne(makeQuery('example.com.', 'SOA', { flags: opcode << 11 }));
      expect(answer).toMatchObject({ rcode: RCODE.NOTIMP, opcode, qr: true });
    }
    const dso = Buffer.alloc(20);
    dso.writeUInt16BE(6 << 11, 2);
    expect(await fixture.askOne(dso)).toMatchObject({ rcode: RCODE.NOTIMP, opcode: 6 });
  });

  test('REFUSED for other types and classes, to those who may transfer as well', async () => {
    await fixture.serve('external', []);
    for (const type of ['A', 'NS', 'ANY', 'DNSKEY', 'MAILB', 'TYPE65280', 'TYPE0']) {
      expect((await fixture.askOne(makeQuery('example.com.', type))).rcode).toBe(RCODE.REFUSED);
    }
    for (const klass of [3, 4, 254, 255]) {
      const query = makeQuery('example.com.', 'SOA', { class: klass });
      expect((await fixture.askOne(query)).rcode).toBe(RCODE.REFUSED);
    }
  });

  test('BADVERS for another EDNS version (RFC 6891 §6.1.3)', async () => {
    const answer = await fixture.askOne(makeQuery('example.com.', 'SOA', { edns: { version: 1 } }));
    expect(answer).toMatchObject({ rcode: RCODE.BADVERS, edns: { version: 0 } });
    expect(fixture.handler.counts.answers['BADVERS']).toBe(1);
  });

  test('FORMERR for no question and for two', async () => {
    const none = Buffer.alloc(12);
    expect((await fixture.askOne(none)).rcode).toBe(RCODE.FORMERR);
    const query = makeQuery('example.com.', 'SOA');
    const two = Buffer.concat([query, query.subarray(12)]);
    two[5] = 2;
    expect((await fixture.askOne(two)).rcode).toBe(RCODE.FORMERR);
  });

  test('silence for what is no query', async () => {
    for (const opcode of [0, 4, 5]) {
      const response = makeQuery('example.com.', 'SOA', { flags: FLAG.QR | (opcode << 11) });
      expect(await fixture.ask(response)).toEqual([]);
    }
    expect(await fixture.ask(new Uint8Array(0))).toEqual([]);
    expect(await fixture.ask(makeQuery('example.com.', 'SOA').subarray(0, 11))).toEqual([]);
    expect(fixture.handler.counts.silences).toBe(5);
  });
});
