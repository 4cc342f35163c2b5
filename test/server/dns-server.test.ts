import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RCODE, readMessage } from '../../src/dns/message.js';
import { ZonesealError } from '../../src/errors.js';
import { DnsServer, type ListenAddress } from '../../src/server/dns-server.js';
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from '../../src/server/limits.js';
import type { Image } from '../../src/transfer/image.js';
import type { DnsHandler } from '../../src/transfer/request.js';
import { answersOf, Fixture, hostRrsets, ListLog, makeQuery, packZone } from '../transfer/fixture.js';
import { askUdp, framed, TcpClient } from './client.js';

let fixture: Fixture;
let servers: DnsServer[] = [];
let clients: TcpClient[] = [];

beforeEach(async () => {
  fixture = await Fixture.open({}, { memoryImageOctets: 256 * 1024 });
});

afterEach(async () => {
  for (const client of clients) client.close();
  await Promise.all(servers.map((server) => server.close(0)));
  servers = [];
  clients = [];
  await fixture.close();
});

interface Started {
  readonly server: DnsServer;
  readonly at: ListenAddress;
}

async function start(
  limits: Partial<ServerLimits> = {},
  handler: DnsHandler = fixture.handler,
  address = '127.0.0.1',
): Promise<Started> {
  const server = new DnsServer({
    listen: [{ address, port: 0 }],
    limits: { ...DEFAULT_SERVER_LIMITS, ...limits },
    handler,
    log: new ListLog(),
    clock: systemClock,
  });
  servers.push(server);
  const [at] = await server.start();
  return { server, at: at as ListenAddress };
}

async function connect(at: ListenAddress): Promise<TcpClient> {
  const client = await TcpClient.connect(at);
  clients.push(client);
  return client;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const stop = AbortSignal.timeout(5000);
  while (!condition()) {
    if (stop.aborted) throw new Error(`not within 5 s: ${what}`);
    await sleep(2);
  }
}

function soaQuery(id: number): Uint8Array {
  return makeQuery('example.com.', 'SOA', { id });
}

const axfrQuery = makeQuery('example.com.', 'AXFR');

/** A zone of several MiB, which no socket buffer takes whole. */
async function serveLarge(): Promise<Image> {
  const image = fixture.serveGrowing('external');
  const [first, ...rest] = packZone(hostRrsets(3000));
  await image.append(first as Uint8Array);
  for (let i = 0; i < 100; i++) for (const message of rest.slice(0, -1)) await image.append(message);
  await image.append(rest.at(-1) as Uint8Array);
  await image.complete();
  return image;
}

describe('listening', () => {
  test.each(['127.0.0.1', '::1'])('UDP and TCP on the same free port of %s', async (address) => {
    await fixture.serve('external', hostRrsets(3));
    const { at, server } = await start({}, fixture.handler, address);
    const [datagram] = await askUdp(at, [soaQuery(1)]);
    expect(readMessage(datagram as Buffer)).toMatchObject({ id: 1, aa: true, rcode: 0 });
    const client = await connect(at);
    client.send(soaQuery(2));
    expect(readMessage((await client.read()) as Buffer)).toMatchObject({ id: 2, aa: true, rcode: 0 });
    expect(server.counts.udp).toMatchObject({ queries: 1, inFlight: 0, dropped: 0, errors: 0 });
    expect(server.counts.tcp).toMatchObject({ accepted: 1, open: 1, queries: 1 });
  });

  test('several addresses; none of them when one cannot be had', async () => {
    const log = new ListLog();
    const make = (listen: ListenAddress[]): DnsServer => {
      const server = new DnsServer({
        listen,
        limits: DEFAULT_SERVER_LIMITS,
        handler: fixture.handler,
        log,
        clock: systemClock,
      });
      servers.push(server);
      return server;
    };
    const bound = await make([
      { address: '127.0.0.1', port: 0 },
      { address: '::1', port: 0 },
    ]).start();
    expect(bound.map((it) => it.address)).toEqual(['127.0.0.1', '::1']);
    const taken = bound[0] as ListenAddress;
    const failing = make([{ address: '::1', port: 0 }, taken]).start();
    await expect(failing).rejects.toThrow(ZonesealError);
    await expect(failing).rejects.toThrow(
      /cannot listen on 127.0.0.1 port [0-9]+: another program listens there/,
    );
    // the same port is free for ::1 when it was given back
    await make([{ address: '::1', port: taken.port }]).start();
  });
});

describe('TCP (RFC 7766)', () => {
  test('a query that comes octet by octet', async () => {
    await fixture.serve('external', []);
    const { at } = await start();
    const client = await connect(at);
    client.socket.setNoDelay(true);
    for (const octet of framed(soaQuery(5))) {
      client.socket.write(Uint8Array.of(octet));
      await sleep(0);
    }
    expect(readMessage((await client.read()) as Buffer).id).toBe(5);
  });

  test('a hundred queries on one connection, each answered once, transfers whole among them', async () => {
    const rrsets = hostRrsets(1500);
    await fixture.serve('external', rrsets);
    const { at, server } = await start();
    const client = await connect(at);
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
    const { at } = await start({ queriesPerConnection: 4 }, handler);
    const client = await connect(at);
    client.send(...Array.from({ length: 50 }, (_, id) => soaQuery(id)));
    client.socket.end();
    expect(await client.readAll()).toHaveLength(50);
    expect([most, answered]).toEqual([4, 50]);
  });

  test('a client that ends its side after the query still gets the answer, then the connection ends', async () => {
    const { at, server } = await start();
    await serveLarge();
    const client = await connect(at);
    client.send(axfrQuery);
    client.socket.end();
    const messages = await client.readAll();
    expect(answersOf(messages.slice(-1)).at(-1)).toBe(answersOf(messages.slice(0, 1))[0]);
    await until(() => server.counts.tcp.open === 0, 'the connection is closed');
  });

  test('silence leaves the connection open; FORMERR too', async () => {
    await fixture.serve('external', []);
    const { at } = await start();
    const client = await connect(at);
    client.send(makeQuery('example.com.', 'SOA', { flags: 0x8000 }), new Uint8Array(12), soaQuery(3));
    expect((await client.readAll(2)).map((it) => readMessage(it).rcode)).toEqual([RCODE.FORMERR, 0]);
  });

  test('frames that are too short or too long close it', async () => {
    const { at, server } = await start({ messageOctets: 512 });
    for (const length of [0, 11, 513, 65_535]) {
      const client = await connect(at);
      client.socket.write(Uint8Array.of(length >>> 8, length));
      expect(await client.isClosedWithin(2000)).toBe(true);
    }
    await until(() => server.counts.tcp.open === 0, 'all closed');
    expect(server.counts.tcp.badFrames).toBe(4);
  });

  test('cut anywhere and reset: nothing is left and nothing crashes', async () => {
    await serveLarge();
    const { at, server } = await start();
    const query = framed(axfrQuery);
    for (let length = 0; length <= query.length; length += 3) {
      const client = await connect(at);
      client.socket.write(query.subarray(0, length));
      await sleep(1);
      if (length % 2 === 0) client.socket.resetAndDestroy();
      else client.socket.destroy();
    }
    await until(() => server.counts.tcp.open === 0, 'all closed');
    await until(() => fixture.handler.load.running === 0, 'no transfer runs');
  });
});

describe('limits', () => {
  test('connections of one address; IPv6 by /64', async () => {
    const { at, server } = await start({ connectionsPerAddress: 3 }, fixture.handler, '::1');
    const open = await Promise.all([connect(at), connect(at), connect(at)]);
    const refused = await connect(at);
    expect(await refused.isClosedWithin(2000)).toBe(true);
    expect(server.counts.tcp).toMatchObject({ accepted: 3, refusedPerAddress: 1, open: 3 });
    open[0].close();
    await until(() => server.counts.tcp.open === 2, 'a place is free');
    const next = await connect(at);
    next.send(soaQuery(1));
    expect(await next.read()).toBeDefined();
  });

  test('connections in all: the one that was idle longest makes room; busy ones do not', async () => {
    const { at, server } = await start({ connections: 3 });
    const image = fixture.serveGrowing('external');
    const busy = await connect(at);
    busy.send(axfrQuery);
    await until(() => image.readerCount === 1, 'a transfer waits');
    const idle = [await connect(at), await connect(at)] as const;
    // an answered query makes the first one the younger
    idle[0].send(makeQuery('example.com.', 'A'));
    await idle[0].read();
    const next = await connect(at);
    expect(await idle[1].isClosedWithin(2000)).toBe(true);
    next.send(axfrQuery);
    idle[0].send(axfrQuery);
    await until(() => image.readerCount === 3, 'all are busy');
    const refused = await connect(at);
    expect(await refused.isClosedWithin(2000)).toBe(true);
    expect(server.counts.tcp).toMatchObject({ accepted: 4, evicted: 1, refused: 1, open: 3 });
  });

  test('a flood of connections leaves room for those who ask', async () => {
    await fixture.serve('external', []);
    const { at, server } = await start({ connections: 20, connectionsPerAddress: 1000 });
    await Promise.all(Array.from({ length: 200 }, () => connect(at)));
    const client = await connect(at);
    client.send(soaQuery(1));
    expect(readMessage((await client.read()) as Buffer).rcode).toBe(0);
    await until(() => server.counts.tcp.open === 20, 'no more than the limit are open');
  });

  test('idle time, which parts of a query do not prolong', async () => {
    const { at, server } = await start({ idleSeconds: 0.2 });
    const silent = await connect(at);
    const dribbling = await connect(at);
    let isDone = false;
    const dribble = (async () => {
      for (const octet of framed(soaQuery(1))) {
        if (isDone || dribbling.socket.destroyed) break;
        dribbling.socket.write(Uint8Array.of(octet));
        await sleep(30);
      }
    })();
    const started = performance.now();
    expect(await silent.isClosedWithin(3000)).toBe(true);
    expect(await dribbling.isClosedWithin(3000)).toBe(true);
    expect(performance.now() - started).toBeLessThan(1500);
    isDone = true;
    await dribble;
    expect(server.counts.tcp.idleTimeouts).toBe(2);
  });

  test('a half-open connection is not kept for its other half', async () => {
    const { at, server } = await start({ idleSeconds: 0.1 });
    const client = await connect(at);
    client.send(soaQuery(1));
    client.socket.end();
    await client.read();
    await until(() => server.counts.tcp.open === 0, 'closed');
  });

  test('a client that does not read is cut off, and holds nothing but its reader until then', async () => {
    const image = await serveLarge();
    const { at, server } = await start({ stallSeconds: 0.4 });
    const stalled = await connect(at);
    stalled.send(axfrQuery, axfrQuery, axfrQuery);
    await until(() => image.readerCount === 3, 'the transfers run');
    const whole = await connect(at);
    whole.send(axfrQuery);
    whole.socket.end();
    expect((await whole.readAll()).length).toBe(image.messageCount);
    const sent = server.counts.tcp.octetsSent;
    await until(() => server.counts.tcp.stalls === 1, 'the stall is noticed');
    // nothing was sent to it meanwhile
    expect(server.counts.tcp.octetsSent).toBe(sent);
    await until(() => image.readerCount === 0, 'the readers are released');
    expect(fixture.handler.load.running).toBe(0);
    expect(fixture.handler.counts.transfers).toMatchObject({ completed: 1, abandoned: 3, failed: 0 });
    const got = await stalled.readAll();
    expect(got.length).toBeLessThan(image.messageCount);
  });

  test('the time of one answer', async () => {
    const { at, server } = await start({ answerSeconds: 0.1 });
    const image = fixture.serveGrowing('external');
    await image.append(packZone([])[0] as Uint8Array);
    const client = await connect(at);
    client.send(axfrQuery);
    expect(await client.readAll()).toHaveLength(1);
    expect(server.counts.tcp.overtime).toBe(1);
    await until(() => image.readerCount === 0, 'the reader is released');
  });

  test('UDP queries at the same time, and their length', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handler: DnsHandler = {
      answer: async function* ({ octets }) {
        await released;
        yield octets;
      },
    };
    const { at, server } = await start({ udpQueries: 5, messageOctets: 100 }, handler);
    const asking = askUdp(
      at,
      [...Array.from({ length: 20 }, (_, id) => soaQuery(id)), new Uint8Array(101)],
      5,
    );
    await until(() => server.counts.udp.dropped === 16, 'the rest is dropped');
    expect(server.counts.udp.inFlight).toBe(5);
    release();
    expect(await asking).toHaveLength(5);
    expect(server.counts.udp).toMatchObject({ queries: 5, inFlight: 0, errors: 0 });
  });
});

describe('failures', () => {
  test('one that comes while a zone streams drops the connection before the closing SOA', async () => {
    const { at, server } = await start();
    const image = fixture.serveGrowing('external');
    const packed = packZone(hostRrsets(3000));
    const client = await connect(at);
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
    const { at, server } = await start({}, handler);
    expect(await askUdp(at, [soaQuery(1)], 1, 50)).toEqual([]);
    const client = await connect(at);
    client.send(soaQuery(1));
    expect(await client.read()).toBeUndefined();
    expect([server.counts.udp.errors, server.counts.tcp.failedAnswers]).toEqual([1, 1]);
    expect(await askUdp(at, [soaQuery(1)], 1, 50)).toEqual([]);
  });
});

describe('close', () => {
  test('lets a transfer end, and takes nothing new', async () => {
    const { at, server } = await start();
    const image = fixture.serveGrowing('external');
    const packed = packZone(hostRrsets(3000));
    await image.append(packed[0] as Uint8Array);
    const client = await connect(at);
    const idle = await connect(at);
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
    const { at, server } = await start();
    const image = fixture.serveGrowing('external');
    await image.append(packZone([])[0] as Uint8Array);
    const client = await connect(at);
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
  const { at } = await start();
  const image = fixture.serveGrowing('external');
  const packed = packZone(hostRrsets(20_000));
  const following = Array.from({ length: 20 }, async (_, i) => {
    const client = await connect(at);
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
