import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { type Message, OPCODE, RCODE } from '../../src/dns/message.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import { RRType } from '../../src/dns/types.js';
import { Notifier, type NotifierOptions } from '../../src/fleet/notifier.js';
import { PeerClient } from '../../src/fleet/peer-client.js';
import { PeerLoad } from '../../src/fleet/peer-load.js';
import { ListLog, tsigKey } from '../transfer/fixture.js';
import { answerTo, FakePeer } from './fake-peer.js';
import { MemoryPeerStore } from './memory-peer-store.js';

const ZONE = 'example.com.';

let peer: FakePeer;
let store: MemoryPeerStore;
let log: ListLog;
let client: PeerClient;
const running: Notifier[] = [];
/** The serial that the peer serves; a NOTIFY makes it take the one that is published. */
let served: number;
let published: number;

beforeEach(async () => {
  served = 1;
  published = 2;
  store = new MemoryPeerStore();
  log = new ListLog();
  peer = await FakePeer.start(obeying);
  client = makeClient();
});

afterEach(async () => {
  for (const notifier of running.splice(0)) await notifier.close();
  await peer.close();
});

function obeying(request: Message, octets: Uint8Array): Uint8Array[] {
  if (request.opcode !== OPCODE.NOTIFY) return [answerTo(request, octets, { serial: served })];
  served = published;
  return [answerTo(request, octets)];
}

function makeClient(
  key: () => Promise<ReturnType<typeof tsigKey>> = () => Promise.resolve(tsigKey('k.')),
): PeerClient {
  return new PeerClient({
    keys: { key },
    clock: systemClock,
    answerSeconds: 0.15,
    secretSeconds: 1,
    sourceIpv4: '127.0.0.1',
    sourceIpv6: undefined,
  });
}

function start(more: Partial<NotifierOptions> = {}): Notifier {
  const notifier = new Notifier({
    store,
    client,
    times: { arrival: 1, retryCap: 0.2, recheck: 60 },
    limits: { exchanges: 16, exchangesPerPeer: 4 },
    gateway: 'g1',
    claimSeconds: 1,
    pollSeconds: 0.2,
    log,
    clock: systemClock,
    random: () => 0.5,
    ...more,
  });
  running.push(notifier);
  notifier.start();
  return notifier;
}

async function until(what: string, check: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (check()) return;
    await sleep(10);
  }
  throw new Error(`after 5 s: ${what}; ${JSON.stringify(store.rows.map(({ claim }) => claim))}`);
}

const target = (peerId = '1') => ({ peerId, address: '127.0.0.1', port: peer.port });
const isCurrent = (row: { claim: { state: string } }) => (): boolean => row.claim.state === 'current';

describe('a publication', () => {
  it('is told of with its SOA, and asked for until it is served', async () => {
    const row = store.add(target(), ZONE, 2);
    const rdata = parseRdataText(RRType.SOA, `ns. host. 2 1 1 1 1`);
    row.claim = { ...row.claim, soa: { ttl: 300, rdata } };
    start();
    await until('the peer is not current', isCurrent(row));
    expect(peer.kinds).toEqual(['notify', 'soa']);
    expect(peer.requests[0]?.message.answer[0]?.rdata).toEqual(rdata);
    expect(row.claim).toMatchObject({ seen: 2, attempts: 1, problem: undefined });
    expect(client.counts).toMatchObject({ notifies: { accepted: 1 }, polls: { serial: 1 } });
    await sleep(500);
    expect(peer.requests).toHaveLength(2); // and is left alone then
    expect(log.lines).toEqual([]);
  });

  it('that follows while a NOTIFY is under way waits for it; the newest one counts', async () => {
    const row = store.add(target(), ZONE, 2);
    let outstanding = 0;
    let most = 0;
    const delayed = {
      notify: async (...of: Parameters<PeerClient['notify']>) => {
        most = Math.max(most, ++outstanding);
        const outcome = await client.notify(...of);
        await sleep(100);
        outstanding--;
        return outcome;
      },
      soaSerial: client.soaSerial.bind(client),
    };
    const notifier = start({ client: delayed });
    await sleep(30);
    for (published = 3; published < 20; published++) {
      store.publish(row, published);
      notifier.wake();
      await sleep(5);
    }
    published = 19;
    await until('the peer does not have the newest', () => isCurrent(row)() && row.claim.seen === 19);
    expect(most).toBe(1);
    expect(peer.kinds.filter((kind) => kind === 'notify').length).toBeLessThan(6);
  });

  it('that does not arrive is told of again, and the peer is behind', async () => {
    const row = store.add(target(), ZONE, 2);
    let notifies = 0;
    peer.answering = (request, octets) => {
      if (request.opcode === OPCODE.NOTIFY && ++notifies === 3) served = 2;
      return [answerTo(request, octets, request.opcode === OPCODE.NOTIFY ? {} : { serial: served })];
    };
    start({ times: { arrival: 0.3, retryCap: 0.3, recheck: 60 } });
    await until('it is not behind', () => row.claim.state === 'behind');
    await until('it is not current', isCurrent(row));
    expect(notifies).toBe(3);
    expect(log.messages()).toEqual([
      'a peer is behind; it is told again',
      'a peer that was behind is current',
    ]);
  });

  it('is told of by the next gateway where one was killed before it could record anything', async () => {
    const row = store.add(target(), ZONE, 2);
    store.forgets = true;
    const first = start();
    await until('nothing was sent', () => peer.requests.length > 0);
    await first.close();
    store.forgets = false;
    expect(row.claim.state).toBe('pending');
    start({ gateway: 'g2' });
    await until('the claim does not run out', isCurrent(row));
  });
});

describe('a peer', () => {
  it('that refuses is told of once, with what it says', async () => {
    const row = store.add(target(), ZONE, 2);
    peer.answering = (request, octets) => [answerTo(request, octets, { rcode: RCODE.REFUSED })];
    start({ times: { arrival: 0.2, retryCap: 0.2, recheck: 60 } });
    await until('it is not behind', () => row.claim.state === 'behind' && row.claim.attempts > 3);
    expect(row.claim.problem).toMatch(/^(NOTIFY|SOA): REFUSED$/);
    expect(log.messages().filter((it) => it === 'a peer is behind; it is told again')).toHaveLength(1);
  });

  it('that does not answer is told of once, and found again', async () => {
    const rows = Array.from({ length: 6 }, (_, i) => store.add(target(), `zone${i}.test.`, 2));
    peer.answering = () => [];
    start();
    await until('not all are unreachable', () => rows.every(({ claim }) => claim.state === 'unreachable'));
    for (const row of rows) row.dueAt = performance.now() + 60_000;
    (rows[0] as (typeof rows)[number]).dueAt = 0;
    peer.answering = obeying;
    await until('not all are current', () => rows.every((row) => isCurrent(row)()));
    expect(log.messages()).toEqual(['a peer does not answer; it is tried again', 'a peer answers again']);
    expect(store.made).toBe(1);
  });

  it('that another gateway found silent is found again, once', async () => {
    const first = store.add(target(), 'zone0.test.', 2);
    start();
    await until('it is not current', isCurrent(first));
    const rows = Array.from({ length: 5 }, (_, i) => store.add(target(), `zone${i + 1}.test.`, 2));
    for (const row of rows) row.claim = { ...row.claim, state: 'unreachable', silent: 5 };
    await until('not all are current', () => rows.every((row) => isCurrent(row)()));
    expect(log.messages()).toEqual(['a peer answers again']);
    expect(store.made).toBe(1);
  });

  it('that does not answer keeps nobody from being told', async () => {
    const silent = await FakePeer.start();
    try {
      for (let i = 0; i < 200; i++) store.add({ ...target('2'), port: silent.port }, `zone${i}.test.`, 2);
      const notifier = start();
      await until('the peer is not found to be quiet', () => notifier.usage.quiet === 1);
      const row = store.add(target('1'), ZONE, 2);
      notifier.wake();
      const begun = performance.now();
      await until('the other one is not current', isCurrent(row));
      expect(performance.now() - begun).toBeLessThan(1000);
      expect(notifier.usage.running).toBeLessThanOrEqual(4);
    } finally {
      await silent.close();
    }
  });

  it('that serves what was never given out is reported', async () => {
    const row = store.add(target(), ZONE, 2);
    served = 9;
    peer.answering = (request, octets) => [
      answerTo(request, octets, request.opcode === OPCODE.NOTIFY ? {} : { serial: 9 }),
    ];
    store.last = 2;
    const ahead: string[] = [];
    start({ onAhead: (zone, view, name, serial) => ahead.push(`${zone} ${view} ${name} ${serial}`) });
    await until('it is not reported', () => ahead.length > 0);
    await until('it is not behind', () => row.claim.state === 'behind');
    expect(ahead[0]).toBe(`${ZONE} external ns1 9`);
    expect(row.claim.seen).toBe(9);
    expect(log.messages()).toContain(
      'a peer serves a later serial than the database has given out; was the database set back?',
    );
  });

  it('that has a later serial already, which was given out meanwhile, is not', async () => {
    const row = store.add(target(), ZONE, 2);
    peer.answering = (request, octets) => [
      answerTo(request, octets, request.opcode === OPCODE.NOTIFY ? {} : { serial: 3 }),
    ];
    store.last = 3;
    const ahead: number[] = [];
    start({ onAhead: (_zone, _view, _peer, serial) => ahead.push(serial) });
    await until('it was not asked', () => row.claim.seen === 3);
    expect(ahead).toEqual([]);
  });

  it('whose key cannot be had is neither told nor taken for silent', async () => {
    const key = { id: '1', name: 'k.', algorithm: 'hmac-sha256', secretRef: 'https://b/1' } as const;
    client = makeClient(() => Promise.reject(new Error('TSIG key k.: Barbican is away')));
    const row = store.add({ ...target(), key }, ZONE, 2);
    start({ times: { arrival: 0.2, retryCap: 0.2, recheck: 60 } });
    await until('it is not behind', () => row.claim.state === 'behind' && row.claim.attempts > 2);
    expect(peer.requests).toEqual([]);
    expect(row.claim).toMatchObject({ silent: 0 });
    expect(log.messages()).toContain('a peer cannot be told or asked');
  });
});

describe('the notifier', () => {
  it('goes on when the database was away, and says so once', async () => {
    store.fault = new Error('the database is away');
    const row = store.add(target(), ZONE, 2);
    const notifier = start();
    await until('it has no fault', () => notifier.fault !== undefined);
    await sleep(500);
    store.fault = undefined;
    await until('it does not go on', isCurrent(row));
    expect(log.messages()).toEqual([
      'peers cannot be told of changes; it is tried again',
      'peers are told of changes again',
    ]);
  });

  it('asks the database rarely while nothing is due', async () => {
    const row = store.add(target(), ZONE, 2);
    let claims = 0;
    const claim = store.claim.bind(store);
    store.claim = (...of) => {
      claims++;
      return claim(...of);
    };
    start({ pollSeconds: 5 });
    await until('it is not current', isCurrent(row));
    claims = 0;
    await sleep(600);
    expect(claims).toBeLessThanOrEqual(1);
  });

  it('gives up what is under way when it is closed, and leaves it as it was, due at once', async () => {
    const row = store.add(target(), ZONE, 2);
    peer.answering = () => [];
    client = new PeerClient({
      keys: { key: () => Promise.reject(new Error('none')) },
      clock: systemClock,
      answerSeconds: 30,
      secretSeconds: 1,
      sourceIpv4: undefined,
      sourceIpv6: undefined,
    });
    const notifier = start();
    await until('nothing is sent', () => peer.requests.length > 0);
    const begun = performance.now();
    await notifier.close();
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(row.claim).toMatchObject({ state: 'pending', attempts: 0, silent: 0 });
    expect(row.claimedUntil).toBe(0);
    expect(row.dueAt).toBeLessThanOrEqual(performance.now());
  });

  it('asks all peers of a line now, and keeps what they say', async () => {
    const silent = await FakePeer.start();
    try {
      const row = store.add(target(), ZONE, undefined);
      store.add({ ...target('2'), port: silent.port }, ZONE, undefined);
      served = 77;
      const notifier = start();
      expect(await notifier.askLine({ zoneId: ZONE, view: 'external' })).toEqual([
        { peer: 'ns1', serial: 77 },
        { peer: 'ns2', serial: undefined },
      ]);
      expect(row.claim.seen).toBe(77);
      expect(await notifier.askLine({ zoneId: ZONE, view: 'internal' })).toEqual([]);
    } finally {
      await silent.close();
    }
  });

  it('does 500 zones of a peer with no more messages at a time than the limit says', async () => {
    const rows = Array.from({ length: 500 }, (_, i) => store.add(target(), `zone${i}.test.`, 2));
    let most = 0;
    const counting = {
      notify: (...of: Parameters<PeerClient['notify']>) => {
        most = Math.max(most, notifier.usage.running);
        return client.notify(...of);
      },
      soaSerial: client.soaSerial.bind(client),
    };
    const notifier = start({ client: counting });
    await until('not all are current', () => rows.every((row) => isCurrent(row)()));
    expect(most).toBe(4);
  });
});

describe('the room for messages', () => {
  it('is what is left, by peer, and one for a peer that gives no answers', () => {
    const load = new PeerLoad({ exchanges: 10, exchangesPerPeer: 4 });
    for (const peerId of ['a', 'a', 'a', 'a', 'b']) load.begin(peerId);
    expect(load.room).toEqual({
      total: 5,
      perPeer: 4,
      exceptions: new Map([
        ['a', 0],
        ['b', 3],
      ]),
    });
    for (let i = 0; i < 8; i++) load.note('c', false);
    expect(load.quiet).toBe(1);
    expect(load.room.exceptions.get('c')).toBe(1);
    load.note('c', true);
    load.end('a');
    expect(load.room).toEqual({
      total: 6,
      perPeer: 4,
      exceptions: new Map([
        ['a', 1],
        ['b', 3],
      ]),
    });
  });
});
