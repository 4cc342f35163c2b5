import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readMessage } from '../../src/dns/message.js';
import type { DnsHandler } from '../../src/transfer/request.js';
import { makeQuery, packZone } from '../transfer/fixture.js';
import { askUdp, framed } from './client.js';
import { axfrQuery, Harness, soaQuery, until } from './harness.js';

let harness: Harness;

beforeEach(async () => {
  harness = await Harness.open();
});

afterEach(async () => {
  await harness.close();
});

describe('limits', () => {
  test('connections of one address; IPv6 by /64', async () => {
    const { at, server } = await harness.start({ connectionsPerAddress: 3 }, harness.fixture.handler, '::1');
    const open = await Promise.all([harness.connect(at), harness.connect(at), harness.connect(at)]);
    const refused = await harness.connect(at);
    expect(await refused.isClosedWithin(2000)).toBe(true);
    expect(server.counts.tcp).toMatchObject({ accepted: 3, refusedPerAddress: 1, open: 3 });
    open[0].close();
    await until(() => server.counts.tcp.open === 2, 'a place is free');
    const next = await harness.connect(at);
    next.send(soaQuery(1));
    expect(await next.read()).toBeDefined();
  });

  test('connections in all: the one that was idle longest makes room; busy ones do not', async () => {
    const { at, server } = await harness.start({ connections: 3 });
    const image = harness.fixture.serveGrowing('external');
    const busy = await harness.connect(at);
    busy.send(axfrQuery);
    await until(() => image.readerCount === 1, 'a transfer waits');
    const idle = [await harness.connect(at), await harness.connect(at)] as const;
    // an answered query makes the first one the younger
    idle[0].send(makeQuery('example.com.', 'A'));
    await idle[0].read();
    const next = await harness.connect(at);
    expect(await idle[1].isClosedWithin(2000)).toBe(true);
    next.send(axfrQuery);
    idle[0].send(axfrQuery);
    await until(() => image.readerCount === 3, 'all are busy');
    const refused = await harness.connect(at);
    expect(await refused.isClosedWithin(2000)).toBe(true);
    expect(server.counts.tcp).toMatchObject({ accepted: 4, evicted: 1, refused: 1, open: 3 });
  });

  test('a flood of connections leaves room for those who ask', async () => {
    await harness.fixture.serve('external', []);
    const { at, server } = await harness.start({ connections: 20, connectionsPerAddress: 1000 });
    await Promise.all(Array.from({ length: 200 }, () => harness.connect(at)));
    const client = await harness.connect(at);
    client.send(soaQuery(1));
    expect(readMessage((await client.read()) as Buffer).rcode).toBe(0);
    await until(() => server.counts.tcp.open === 20, 'no more than the limit are open');
  });

  test('idle time, which parts of a query do not prolong', async () => {
    const { at, server } = await harness.start({ idleSeconds: 0.2 });
    const silent = await harness.connect(at);
    const dribbling = await harness.connect(at);
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
    const { at, server } = await harness.start({ idleSeconds: 0.1 });
    const client = await harness.connect(at);
    client.send(soaQuery(1));
    client.socket.end();
    await client.read();
    await until(() => server.counts.tcp.open === 0, 'closed');
  });

  test('a client that does not read is cut off, and holds nothing but its reader until then', async () => {
    const image = await harness.serveLarge();
    const { at, server } = await harness.start({ stallSeconds: 0.4 });
    const stalled = await harness.connect(at);
    stalled.send(axfrQuery, axfrQuery, axfrQuery);
    await until(() => image.readerCount === 3, 'the transfers run');
    const whole = await harness.connect(at);
    whole.send(axfrQuery);
    whole.socket.end();
    expect((await whole.readAll()).length).toBe(image.messageCount);
    const sent = server.counts.tcp.octetsSent;
    await until(() => server.counts.tcp.stalls === 1, 'the stall is noticed');
    // nothing was sent to it meanwhile
    expect(server.counts.tcp.octetsSent).toBe(sent);
    await until(() => image.readerCount === 0, 'the readers are released');
    expect(harness.fixture.handler.load.running).toBe(0);
    expect(harness.fixture.handler.counts.transfers).toMatchObject({ completed: 1, abandoned: 3, failed: 0 });
    const got = await stalled.readAll();
    expect(got.length).toBeLessThan(image.messageCount);
  });

  test('the time of one answer', async () => {
    const { at, server } = await harness.start({ answerSeconds: 0.1 });
    const image = harness.fixture.serveGrowing('external');
    await image.append(packZone([])[0] as Uint8Array);
    const client = await harness.connect(at);
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
    const { at, server } = await harness.start({ udpQueries: 5, messageOctets: 100 }, handler);
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
