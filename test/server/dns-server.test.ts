import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RCODE, readMessage } from '../../src/dns/message.js';
import { ZonesealError } from '../../src/errors.js';
import type { ListenAddress } from '../../src/server/dns-server.js';
import type { DnsHandler } from '../../src/transfer/request.js';
import { answersOf, hostRrsets, makeQuery, packZone } from '../transfer/fixture.js';
import { askUdp, framed, TcpClient } from './client.js';
import { axfrQuery, Harness, soaQuery, until } from './harness.js';

let harness: Harness;

beforeEach(async () => {
  harness = await Harness.open();
});

afterEach(async () => {
  await harness.close();
});

describe('listening', () => {
  test.each(['127.0.0.1', '::1'])('UDP and TCP on the same free port of %s', async (address) => {
    await harness.fixture.serve('external', hostRrsets(3));
    const { at, server } = await harness.start({}, harness.fixture.handler, address);
    const [datagram] = await askUdp(at, [soaQuery(1)]);
    expect(readMessage(datagram as Buffer)).toMatchObject({ id: 1, aa: true, rcode: 0 });
    const client = await harness.connect(at);
    client.send(soaQuery(2));
    expect(readMessage((await client.read()) as Buffer)).toMatchObject({ id: 2, aa: true, rcode: 0 });
    expect(server.counts.udp).toMatchObject({ queries: 1, inFlight: 0, dropped: 0, errors: 0 });
    expect(server.counts.tcp).toMatchObject({ accepted: 1, open: 1, queries: 1 });
  });

  test('several addresses; none of them when one cannot be had', async () => {
    const bound = await harness
      .make([
        { address: '127.0.0.1', port: 0 },
        { address: '::1', port: 0 },
      ])
      .start();
    expect(bound.map((it) => it.address)).toEqual(['127.0.0.1', '::1']);
    const taken = bound[0] as ListenAddress;
    const failing = harness.make([{ address: '::1', port: 0 }, taken]).start();
    await expect(failing).rejects.toThrow(ZonesealError);
    await expect(failing).rejects.toThrow(
      /cannot listen on 127.0.0.1 port [0-9]+: another program listens there/,
    );
    // the same port is free for ::1 when it was given back
    await harness.make([{ address: '::1', port: taken.port }]).start();
  });
});

describe('TCP (RFC 7766)', () => {
  test('a query that comes octet by octet', async () => {
    await harness.fixture.serve('external', []);
    const { at } = await harness.start();
    const client = await harness.connect(at);
    client.socket.setNoDelay(true);
    for (const octet of framed(soaQuery(5))) {
      client.socket.write(Uint8Array.of(octet));
      await sleep(0);
    }
    expect(readMessage((await client.read()) as Buffer).id).toBe(5);
  });

  test('a hundred queries on one connection, each answered once, transfers whole among them', async () => {
    const rrsets = hostRrsets(1500);
    await harness.fixture.serve('external', rrsets);
    const { at, server } = await harness.start();
    const client = await harness.connect(at);
    const queries = Array.from({ length: 100 }, (_, id) =>
      id % 10 === 0 ? makeQuery('example.com.', 'AXFR', { id }) : soaQuery(id),
    );
    client.send(...queries);
    const perTransfer = packZone(rrsets).length;
    const messages = await client.readAll(90 + 10 * perTransfer);
    const byId = new Map<number, Buffer[]>();
    for (const it of messages) byId.set(it.readUInt16BE(0), [...(byId.get(it.readUInt16BE(0)) ?? []), it]);
    expect(byId.size).toBe(100);
    for (const [id, answer] of byId) {
      expect(answersOf(answer)).toEqual(
        id % 10 === 0 ? answersOf(packZone(rrsets)) : answersOf(packZone([])).slice(0, 1),
      );
    }
    expect(server.counts.tcp.queries).toBe(100);
  });

  test('no more than the limit are answered at the same time', async () => {
    let running = 0;
    let most = 0;
    let answered = 0;
    const handler: DnsHandler = {
      answer: async function* ({ octets }) {
        most = Math.max(most, ++running);
        await sleep(1);
        running--;
        answered++;
        yield octets;
      },
    };
    const { at } = await harness.start({ queriesPerConnection: 4 }, handler);
    const client = await harness.connect(at);
    client.send(...Array.from({ length: 50 }, (_, id) => soaQuery(id)));
    client.socket.end();
    expect(await client.readAll()).toHaveLength(50);
    expect([most, answered]).toEqual([4, 50]);
  });

  test('a client that ends its side after the query still gets the answer, then the connection ends', async () => {
    const { at, server } = await harness.start();
    await harness.serveLarge();
    const client = await harness.connect(at);
    client.send(axfrQuery);
    client.socket.end();
    const messages = await client.readAll();
    expect(answersOf(messages.slice(-1)).at(-1)).toBe(answersOf(messages.slice(0, 1))[0]);
    await until(() => server.counts.tcp.open === 0, 'the connection is closed');
  });

  test('silence leaves the connection open; FORMERR too', async () => {
    await harness.fixture.serve('external', []);
    const { at } = await harness.start();
    const client = await harness.connect(at);
    client.send(makeQuery('example.com.', 'SOA', { flags: 0x8000 }), new Uint8Array(12), soaQuery(3));
    expect((await client.readAll(2)).map((it) => readMessage(it).rcode)).toEqual([RCODE.FORMERR, 0]);
  });

  test('frames that are too short or too long close it', async () => {
    const { at, server } = await harness.start({ messageOctets: 512 });
    for (const length of [0, 11, 513, 65_535]) {
      const client = await harness.connect(at);
      client.socket.write(Uint8Array.of(length >>> 8, length));
      expect(await client.isClosedWithin(2000)).toBe(true);
    }
    await until(() => server.counts.tcp.open === 0, 'all closed');
    expect(server.counts.tcp.badFrames).toBe(4);
  });

  test('cut anywhere and reset: nothing is left and nothing crashes', async () => {
    await harness.serveLarge();
    const { at, server } = await harness.start();
    const query = framed(axfrQuery);
    for (let length = 0; length <= query.length; length += 3) {
      const client = await harness.connect(at);
      client.socket.write(query.subarray(0, length));
      await sleep(1);
      if (length % 2 === 0) client.socket.resetAndDestroy();
      else client.socket.destroy();
    }
    await until(() => server.counts.tcp.open === 0, 'all closed');
    await until(() => harness.fixture.handler.load.running === 0, 'no transfer runs');
  });
});

describe('failures', () => {
  test('one that comes while a zone streams drops the connection before the closing SOA', async () => {
    const { at, server } = await harness.start();
    const image = harness.fixture.serveGrowing('external');
    const packed = packZone(hostRrsets(3000));
    const client = await harness.connect(at);
    client.send(axfrQuery);
    const seen: Buffer[] = [];
    for (const message of packed.slice(0, -1)) {
      await image.append(message);
      seen.push((await client.read()) as Buffer);
    }
    image.fail(new ZonesealError('PUBLICATION_LOST', 'lost'));
    expect(await client.read()).toBeUndefined();
    const soa = answersOf(seen)[0];
    expect(answersOf(seen).filter((it) => it === soa)).toHaveLength(1);
    expect(server.counts.tcp.failedAnswers).toBe(1);
  });

  test('of a handler: UDP stays silent, TCP is dropped, the server goes on', async () => {
    const handler: DnsHandler = {
      answer: () => {
        throw new Error('a fault');
      },
    };
    const { at, server } = await harness.start({}, handler);
    expect(await askUdp(at, [soaQuery(1)], 1, 50)).toEqual([]);
    const client = await harness.connect(at);
    client.send(soaQuery(1));
    expect(await client.read()).toBeUndefined();
    expect([server.counts.udp.errors, server.counts.tcp.failedAnswers]).toEqual([1, 1]);
    expect(await askUdp(at, [soaQuery(1)], 1, 50)).toEqual([]);
  });
});

describe('close', () => {
  test('lets a transfer end, and takes nothing new', async () => {
    const { at, server } = await harness.start();
    const image = harness.fixture.serveGrowing('external');
    const packed = packZone(hostRrsets(3000));
    await image.append(packed[0] as Uint8Array);
    const client = await harness.connect(at);
    const idle = await harness.connect(at);
    client.send(axfrQuery);
    await client.read();
    const closed = server.close(5000);
    expect(await idle.isClosedWithin(2000)).toBe(true);
    await expect(TcpClient.connect(at)).rejects.toThrow('ECONNREFUSED');
    client.send(soaQuery(1));
    for (const message of packed.slice(1)) await image.append(message);
    await image.complete();
    expect((await client.readAll()).length).toBe(packed.length - 1);
    await closed;
  });

  test('cuts off what has not ended by the deadline', async () => {
    const { at, server } = await harness.start();
    const image = harness.fixture.serveGrowing('external');
    await image.append(packZone([])[0] as Uint8Array);
    const client = await harness.connect(at);
    client.send(axfrQuery);
    await client.read();
    const started = performance.now();
    const patient = server.close(60_000);
    await server.close(100);
    await patient;
    expect(performance.now() - started).toBeLessThan(2000);
    expect(await client.read()).toBeUndefined();
    await until(() => image.readerCount === 0, 'the reader is released');
  });
});

test('twenty clients that follow one growing image get identical octets', async () => {
  const { at } = await harness.start();
  const image = harness.fixture.serveGrowing('external');
  const packed = packZone(hostRrsets(20_000));
  const following = Array.from({ length: 20 }, async (_, i) => {
    const client = await harness.connect(at);
    client.send(axfrQuery);
    client.socket.end();
    if (i % 5 === 0) await sleep(30);
    return Buffer.concat(await client.readAll());
  });
  await until(() => image.readerCount === 20, 'all follow');
  for (const [i, message] of packed.entries()) {
    await image.append(message);
    if (i % 4 === 0) await sleep(1);
  }
  await image.complete();
  const [first, ...others] = await Promise.all(following);
  expect((first as Buffer).length).toBe(packed.reduce((sum, it) => sum + it.length, 0));
  for (const other of others) expect(Buffer.compare(first as Buffer, other)).toBe(0);
});
