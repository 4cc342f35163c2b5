import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FLAG, RCODE, readMessage } from '../../src/dns/message.js';
import type { TsigKey } from '../../src/dns/tsig.js';
import { buildRequest, type Target, TcpConnection, transfer } from '../lib/dns-client.js';
import { GatewayProcess } from '../lib/gateway.js';
import { temporaryFolder, waitUntil } from '../lib/processes.js';
import { Datagrams } from './datagrams.js';
import { addTsigKey, addZone, waitForRcode } from './gateways.js';
import { mutate, pointerMessages, seededRandom, wrongQueries } from './malformed.js';
import { cpuMilliseconds, residentOctets } from './process-use.js';
import { drained, exchangeFrom, framed, openConnections, openFrom, readToEnd } from './sockets.js';

const ZONE = 'hostile.example.';
const SEED = 0x5ea1;
const MIB = 1024 ** 2;
/** The promise is 5 ms for each packet. */
const CPU_LIMIT_MS = 5;

const data = temporaryFolder('hostile-data');
let gateway: GatewayProcess;
let target: Target;
let key: TsigKey;

/** Both gateways of this suite run on one data folder, one after the other. */
async function start(limits: Record<string, unknown>): Promise<void> {
  gateway = await GatewayProcess.start({ config: { data, limits, publication: { poll: 30 } } });
  target = gateway.target;
}

function pid(): number {
  if (gateway.pid === undefined) throw new Error('the gateway does not run');
  return gateway.pid;
}

/** That it still does what it is for. */
async function expectToServe(): Promise<void> {
  const { isWhole, isAuthentic, records } = await transfer(target, { name: ZONE, signing: { key } });
  expect({ isWhole, isAuthentic }).toEqual({ isWhole: true, isAuthentic: true });
  expect(records.length).toBeGreaterThan(100);
}

/** Queries as they should be, of every kind. */
function properQueries(): Uint8Array[] {
  const signing = { key };
  return [
    buildRequest({ name: ZONE, type: 'SOA' }),
    buildRequest({ name: ZONE, type: 'SOA', udpSize: 1232, signing }),
    buildRequest({ name: ZONE, type: 'AXFR', signing }),
    buildRequest({ name: ZONE, type: 'IXFR', serial: 7, udpSize: 4096, signing }),
  ].map(({ octets }) => octets);
}

const ascending = (a: number, b: number): number => a - b;

/** The octets after the id, letters in lower case, in which names may differ. */
function withoutId(octets: Uint8Array): string {
  return Buffer.from(octets.subarray(2)).toString('latin1').toLowerCase();
}

const cuts = (): Uint8Array[] =>
  properQueries().flatMap((octets) => Array.from(octets, (_, length) => octets.slice(0, length)));

/** CPU time of the gateway for each of so many packets. */
async function cpuEach(count: number, work: () => Promise<unknown>): Promise<number> {
  const before = cpuMilliseconds(pid());
  await work();
  return (cpuMilliseconds(pid()) - before) / count;
}

describe('malformed messages', () => {
  let datagrams: Datagrams;

  beforeAll(async () => {
    await start({ messageOctets: 65_535, connectionsPerAddress: 400 });
    await gateway.command(['view', 'add', 'internal']);
    key = await addTsigKey(gateway, 'hostile.', ['--view', 'internal']);
    await addZone(gateway, ZONE, ['internal'], 60);
    await waitForRcode(target, ZONE, key);
    datagrams = await Datagrams.open(target);
  });
  afterAll(async () => {
    datagrams?.close();
    await gateway?.remove();
  });

  test('queries cut at every octet get FORMERR, or silence where no header is left', async () => {
    const messages = cuts();
    let exchanged: Awaited<ReturnType<Datagrams['exchange']>> = [];
    const cpu = await cpuEach(messages.length, async () => {
      exchanged = await datagrams.exchange(messages);
    });
    for (const { sent, answers } of exchanged) {
      const rcodes = answers.map((answer) => readMessage(answer).rcode);
      expect(rcodes, `${sent.length} octets`).toEqual(sent.length < 12 ? [] : [RCODE.FORMERR]);
    }
    expect(cpu).toBeLessThan(CPU_LIMIT_MS);
    await expectToServe();
  });

  test('the same over TCP, as messages of that length', async () => {
    const connection = await TcpConnection.open(target);
    const messages = cuts().filter(({ length }) => length >= 12);
    const cpu = await cpuEach(messages.length, async () => {
      for (const message of messages) {
        connection.send(message);
        const answer = await connection.receive();
        expect(readMessage(answer as Uint8Array).rcode).toBe(RCODE.FORMERR);
      }
    });
    connection.close();
    expect(cpu).toBeLessThan(CPU_LIMIT_MS);
    await expectToServe();
  });

  test('frames too short for a header, and streams that end anywhere, are closed without an answer', async () => {
    const query = framed(properQueries()[1] as Uint8Array);
    const streams = [
      ...Array.from({ length: 12 }, (_, length) => framed(new Uint8Array(length))),
      ...Array.from(query, (_, length) => query.subarray(0, length)),
    ];
    await Promise.all(
      streams.map(async (octets) => {
        expect(await readToEnd(target, octets)).toEqual(Buffer.alloc(0));
      }),
    );
    await expectToServe();
  });

  test('a query whose octets come one by one, and one whose sender ends its side, are answered', async () => {
    const query = framed(properQueries()[1] as Uint8Array);
    const socket = await openFrom('127.0.0.1', target);
    socket.setNoDelay(true);
    const answered = new Promise<Buffer>((resolve) => socket.once('data', resolve));
    for (const octet of query) {
      socket.write(Uint8Array.of(octet));
      await sleep(2);
    }
    const answer = await answered;
    expect(readMessage(new Uint8Array(answer.subarray(2))).rcode).toBe(RCODE.NOERROR);
    socket.destroy();
    const afterEnd = await readToEnd(target, query);
    expect(readMessage(new Uint8Array(afterEnd.subarray(2))).rcode).toBe(RCODE.NOERROR);
  });

  test('each fault gets its RCODE over UDP, and what is no query silence', async () => {
    const cases = wrongQueries(ZONE);
    const exchanged = await datagrams.exchange(cases.map(({ octets }) => octets));
    for (const [i, { name, rcode }] of cases.entries()) {
      const rcodes = exchanged[i]?.answers.map((answer) => readMessage(answer).rcode);
      expect(rcodes, name).toEqual(rcode === null ? [] : [rcode]);
    }
    await expectToServe();
  });

  test('the same over TCP, and the connection goes on', async () => {
    const [proper] = properQueries() as [Uint8Array];
    for (const { name, octets, rcode } of wrongQueries(ZONE)) {
      const connection = await TcpConnection.open(target);
      connection.send(octets);
      connection.send(proper);
      const rcodes: number[] = [];
      while (rcodes.length < (rcode === null ? 1 : 2)) {
        rcodes.push(readMessage((await connection.receive()) as Uint8Array).rcode);
      }
      const expected = [...(rcode === null ? [] : [rcode]), RCODE.REFUSED];
      expect(rcodes.toSorted(ascending), name).toEqual(expected.toSorted(ascending));
      connection.close();
    }
    await expectToServe();
  });

  test(`4,000 mutated queries (seed ${SEED}) get well-formed refusals, and no zone data`, async () => {
    const random = seededRandom(SEED);
    const proper = properQueries();
    const messages = Array.from({ length: 4000 }, () =>
      mutate(proper[random(proper.length)] as Uint8Array, random),
    );
    let exchanged: Awaited<ReturnType<Datagrams['exchange']>> = [];
    const cpu = await cpuEach(messages.length, async () => {
      exchanged = await datagrams.exchange(messages);
    });
    const unchanged = new Set(proper.map(withoutId));
    const tally = new Map<number, number>();
    for (const { sent, answers } of exchanged) {
      const what = Buffer.from(sent).toString('hex');
      expect(answers.length, what).toBeLessThan(2);
      const [answer] = answers;
      // QR set, or less than a header
      if (answer === undefined) {
        expect(sent.length < 12 || ((sent[2] as number) & 0x80) !== 0, what).toBe(true);
        continue;
      }
      const message = readMessage(answer);
      expect(message.flags & FLAG.QR, what).toBe(FLAG.QR);
      // some changes change nothing
      if (unchanged.has(withoutId(sent))) continue;
      expect(message.answer, what).toEqual([]);
      tally.set(message.rcode, (tally.get(message.rcode) ?? 0) + 1);
    }
    const known: number[] = [RCODE.FORMERR, RCODE.NOTIMP, RCODE.REFUSED, RCODE.NOTAUTH, RCODE.BADVERS];
    expect([...tally.keys()].filter((rcode) => !known.includes(rcode))).toEqual([]);
    expect(tally.get(RCODE.FORMERR)).toBeGreaterThan(1000);
    expect(cpu).toBeLessThan(CPU_LIMIT_MS);
    await expectToServe();
  });

  test.each(pointerMessages())('64 KiB over TCP: $name', async ({ octets, rcode }) => {
    const times = 40;
    const connection = await TcpConnection.open(target);
    const rounds: number[] = [];
    // what else the gateway does in a round is in its time as well
    for (let round = 0; round < 3; round++) {
      const cpu = await cpuEach(times, async () => {
        for (let i = 0; i < times; i++) {
          connection.send(octets);
          expect(readMessage((await connection.receive()) as Uint8Array).rcode).toBe(rcode);
        }
      });
      rounds.push(cpu);
    }
    // and those that say they are answers get none
    const answer = octets.slice();
    answer[2] = (answer[2] as number) | 0x80;
    connection.send(answer);
    expect(await connection.receive(200)).toBeUndefined();
    expect(connection.isClosed).toBe(false);
    connection.close();
    expect(Math.min(...rounds)).toBeLessThan(CPU_LIMIT_MS);
  });

  test('memory does not grow with what strangers send', async () => {
    const random = seededRandom(SEED + 1);
    const proper = properQueries();
    const large = pointerMessages().map(({ octets }) => octets);
    const round = async (): Promise<void> => {
      await datagrams.exchange(
        Array.from({ length: 2000 }, () => mutate(proper[random(4)] as Uint8Array, random)),
      );
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const connection = await TcpConnection.open(target);
          for (const octets of large) connection.send(octets);
          for (let i = 0; i < large.length; i++) await connection.receive();
          connection.close();
        }),
      );
    };
    // until the heap has the size it likes
    for (let i = 0; i < 3; i++) await round();
    const before = residentOctets(pid());
    for (let i = 0; i < 5; i++) await round();
    expect(residentOctets(pid()) - before).toBeLessThan(48 * MIB);
    await expectToServe();
  });

  test('a flood of datagrams is answered or dropped, and over', async () => {
    const [query] = properQueries() as [Uint8Array];
    for (let i = 0; i < 100; i++) {
      for (let n = 0; n < 200; n++) datagrams.send(query);
      await sleep(5);
    }
    await waitForRcode(target, ZONE, key);
    await expectToServe();
  });

  test('clients that send queries and read no answer are held back, and take no memory', async () => {
    const query = framed(properQueries()[1] as Uint8Array);
    const block = Buffer.concat(Array<Buffer>(500).fill(query));
    const sockets: Socket[] = [];
    const holdBack = async (): Promise<void> => {
      const socket = await openFrom('127.0.0.1', target);
      sockets.push(socket);
      socket.pause();
      // until the system takes no more: the gateway has stopped reading
      let isHeldBack = false;
      for (let i = 0; i < 800 && !isHeldBack; i++) {
        isHeldBack = !socket.write(block) && !(await drained(socket, 1500));
      }
      expect(isHeldBack).toBe(true);
    };
    // until the heap has the size it likes when it answers that fast
    for (let i = 0; i < 2; i++) await holdBack();
    const before = residentOctets(pid());
    for (let i = 0; i < 4; i++) await holdBack();
    expect(residentOctets(pid()) - before).toBeLessThan(64 * MIB);
    await expectToServe();
    for (const socket of sockets) socket.destroy();
    await expectToServe();
  });

  test('the log has a bounded number of lines about all this, and nothing of what was sent', () => {
    const about = new Map<string, number>();
    for (const { msg } of gateway.logLines) about.set(msg, (about.get(msg) ?? 0) + 1);
    expect(Math.max(...about.values())).toBeLessThan(600);
    const errors = gateway.logLines.filter(({ level }) => level === 'error');
    expect(errors).toEqual([]);
  });
});

describe('too many connections', () => {
  beforeAll(() => start({ connections: 60, connectionsPerAddress: 20, idleTimeout: 5, stallTimeout: 5 }));
  afterAll(() => gateway?.remove());

  test('64 KiB are not read where a query may have 4 KiB', async () => {
    for (const { octets } of pointerMessages()) {
      const connection = await TcpConnection.open(target);
      connection.send(octets);
      expect(await connection.receive()).toBeUndefined();
      expect(connection.isClosed).toBe(true);
    }
    await expectToServe();
  });

  test('one address gets its share and no more', async () => {
    const sockets = await Promise.all(Array.from({ length: 60 }, () => openFrom('127.0.0.5', target)));
    await waitUntil(
      'the others are closed',
      () => sockets.filter(({ destroyed }) => !destroyed).length <= 20,
      4000,
    );
    expect(sockets.filter(({ destroyed }) => !destroyed).length).toBe(20);
    await expectToServe();
    for (const socket of sockets) socket.destroy();
  });

  test('many addresses together are kept below the limit, and proper clients find room', async () => {
    const addresses = Array.from({ length: 20 }, (_, i) => `127.0.1.${i + 1}`);
    const sockets: Socket[] = [];
    for (const address of addresses) {
      sockets.push(...(await Promise.all(Array.from({ length: 15 }, () => openFrom(address, target)))));
      await waitUntil('there are too many', () => openConnections(target) <= 60, 3000);
      await expectToServe();
    }
    expect(sockets.filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(60);
    for (const socket of sockets) socket.destroy();
  });

  test('connections that say nothing, or a query octet by octet, are closed after the idle time', async () => {
    const sockets = await Promise.all(Array.from({ length: 15 }, () => openFrom('127.0.0.6', target)));
    const query = framed(properQueries()[1] as Uint8Array);
    const begun = performance.now();
    for (let i = 0; sockets.some(({ destroyed }) => !destroyed); i++) {
      if (performance.now() - begun > 20_000) break;
      for (const socket of sockets.slice(5)) if (!socket.destroyed) socket.write(query.subarray(i, i + 1));
      await sleep(200);
    }
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual(Array(15).fill(true));
    expect(performance.now() - begun).toBeGreaterThan(4000);
    await expectToServe();
  });

  test('clients that reset their connections in the middle of a transfer do no harm', async () => {
    const request = framed(buildRequest({ name: ZONE, type: 'AXFR', signing: { key } }).octets);
    for (let round = 0; round < 10; round++) {
      const sockets = await Promise.all(Array.from({ length: 15 }, () => openFrom('127.0.0.7', target)));
      for (const socket of sockets) socket.write(request);
      await sleep(round * 2);
      for (const socket of sockets) socket.resetAndDestroy();
      await sleep(10);
    }
    await expectToServe();
    expect(gateway.logLines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a reconnecting client is answered again and again', async () => {
    const { octets } = buildRequest({ name: ZONE, type: 'SOA' });
    for (let i = 0; i < 200; i++) {
      expect(await exchangeFrom('127.0.0.8', target, octets, 'tcp')).toBeDefined();
    }
  });
});
