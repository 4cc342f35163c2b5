import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { FLAG, OPCODE, RCODE, readMessage } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import { answerTsigFailure, type TsigKey, TsigSigner, verifyRequest } from '../../src/dns/tsig.js';
import { RRType } from '../../src/dns/types.js';
import { type ControlQuestion, ControlRequest, serialInAnswer } from '../../src/fleet/control-message.js';
import { type ExchangeResult, exchange } from '../../src/fleet/exchange.js';
import { tsigKey } from '../transfer/fixture.js';
import { type Answering, answerTo, FakePeer } from './fake-peer.js';

const ZONE = Name.parse('example.com.');
const KEY = tsigKey('peer.key.');
const SOA: ControlQuestion = { kind: 'query', zone: ZONE };
const NOTIFY: ControlQuestion = { kind: 'notify', zone: ZONE };

let peer: FakePeer;

beforeEach(async () => {
  peer = await FakePeer.start();
});

afterEach(async () => {
  await peer.close();
});

function ask(
  question: ControlQuestion,
  answering: Answering,
  more: { key?: TsigKey; timeoutMs?: number; signal?: AbortSignal; port?: number } = {},
): Promise<ExchangeResult> {
  peer.answering = answering;
  const { key, timeoutMs = 400, signal = new AbortController().signal, port = peer.port } = more;
  const target = { address: '127.0.0.1', port, source: undefined };
  return exchange({ target, question, key, timeoutMs, clock: systemClock, signal });
}

describe('a NOTIFY (RFC 1996 §3)', () => {
  const rdata = parseRdataText(RRType.SOA, 'ns.example.com. first\\.last.example.com. 77 1 2 3 4');

  test.each(['example.com.', '.', 'a\\.b.example.', '\\255\\000x.example.', `${'l'.repeat(63)}.example.`])(
    'names the zone as it is, and the SOA: %s',
    (text) => {
      const zone = Name.parse(text);
      const { octets } = new ControlRequest({ kind: 'notify', zone, hint: { ttl: 300, rdata } }, KEY, 1e9);
      const message = readMessage(octets);
      expect(message).toMatchObject({ opcode: OPCODE.NOTIFY, qr: false, aa: true, rd: false, authority: [] });
      expect(message.question).toEqual([{ name: zone, type: RRType.SOA, class: 1 }]);
      expect(message.answer).toEqual([{ owner: zone, type: RRType.SOA, class: 1, ttl: 300, rdata }]);
      expect(verifyRequest(octets, message, () => KEY, 1e9)).toMatchObject({ status: 'ok' });
    },
  );

  it('goes without the SOA where it is not at hand', () => {
    const message = readMessage(new ControlRequest(NOTIFY, undefined, 0).octets);
    expect(message).toMatchObject({ opcode: OPCODE.NOTIFY, answer: [] });
    expect(message.tsig).toBeUndefined();
  });
});

describe('an answer', () => {
  it('is taken when id, question, QR and OPCODE are those of the request', async () => {
    const result = await ask(SOA, (request, octets) => [answerTo(request, octets, { serial: 5 })]);
    expect(result.kind === 'answer' && serialInAnswer(result.message, ZONE)).toBe(5);
    const notified = await ask(NOTIFY, (request, octets) => [answerTo(request, octets)]);
    expect(notified.kind).toBe('answer');
    expect(peer.requests.map(({ message }) => message.opcode)).toEqual([0, OPCODE.NOTIFY]);
  });

  test.each<[string, Answering]>([
    ['of another id', (request, octets) => [answerTo(request, octets, { id: request.id ^ 1 })]],
    ['that is a query', (_, octets) => [octets]],
    ['of another OPCODE', (request, octets) => [answerTo({ ...request, opcode: OPCODE.NOTIFY }, octets)]],
    [
      'to another question',
      (request, octets) => [
        answerTo({ ...request, question: [{ name: Name.parse('example.net.'), type: 6, class: 1 }] }, octets),
      ],
    ],
    ['without a question', (request, octets) => [answerTo(request, octets, { question: false })]],
    [
      'of garbage',
      (request) => [Uint8Array.of(request.id >>> 8, request.id, 0x84, 0, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7)],
    ],
    ['of no octets', () => [new Uint8Array(0)]],
    ['larger than any', () => [new Uint8Array(9000)]],
  ])('%s is passed over, and the right one waited for', async (_, wrong) => {
    const right: Answering = (request, octets) => [answerTo(request, octets, { serial: 6 })];
    const both = await ask(SOA, (...of) => [...wrong(...of), ...right(...of)]);
    expect(both.kind).toBe('answer');
    const alone = await ask(SOA, wrong, { timeoutMs: 100 });
    expect(alone).toEqual({ kind: 'silent', problem: 'no answer' });
  });

  it('with TSIG is taken from the holder of the key alone (RFC 8945 §5.4)', async () => {
    const sound: Answering = (request, octets) => [answerTo(request, octets, { serial: 5, key: KEY })];
    expect((await ask(SOA, sound, { key: KEY })).kind).toBe('answer');
    const forged: Answering = (request, octets, transport) => {
      const [answer] = sound(request, octets, transport) as [Uint8Array];
      answer[answer.length - 8] = (answer[answer.length - 8] as number) ^ 1;
      return [answer];
    };
    expect(await ask(SOA, forged, { key: KEY, timeoutMs: 100 })).toEqual({
      kind: 'silent',
      problem: `no valid answer, but one with a wrong MAC; compare the secret of key ${KEY.name.toString()} on both sides`,
    });
    const otherKey = { ...KEY, name: Name.parse('other.') };
    const foreign: Answering = (request, octets) => [
      new TsigSigner(otherKey, new Uint8Array(32)).sign(
        answerTo(request, octets, { serial: 5 }),
        systemClock.seconds(),
      ),
    ];
    expect(await ask(SOA, foreign, { key: KEY, timeoutMs: 100 })).toMatchObject({
      kind: 'silent',
      problem: `no valid answer, but one signed with another key or algorithm than ${KEY.name.toString()}`,
    });
    const both = await ask(SOA, (...of) => [...forged(...of), ...sound(...of)], { key: KEY });
    expect(both.kind).toBe('answer');
    // and one that has a TSIG nobody asked for is none
    const unasked: Answering = (request, octets) => {
      const plain = answerTo(request, octets, { serial: 5 });
      const record = {
        keyName: KEY.name,
        algorithmName: Name.parse('hmac-sha256.'),
        timeSigned: 1,
        fudge: 1,
      };
      const failure = {
        ...record,
        mac: new Uint8Array(32),
        originalId: 1,
        error: 0,
        other: new Uint8Array(0),
      };
      return [answerTsigFailure(plain, { status: 'error', rcode: 9, tsigError: 16, record: failure }, 1)];
    };
    expect(await ask(SOA, unasked, { timeoutMs: 100 })).toMatchObject({ kind: 'silent' });
  });

  it('that refuses the TSIG is told of, and a sound one goes before it', async () => {
    const refusal: Answering = (request, octets) => {
      const check = verifyRequest(octets, request, () => undefined, systemClock.seconds());
      if (check.status !== 'error') throw new Error(check.status);
      return [
        answerTsigFailure(answerTo(request, octets, { rcode: RCODE.NOTAUTH }), check, systemClock.seconds()),
      ];
    };
    const refused = await ask(NOTIFY, refusal, { key: KEY });
    expect(refused).toEqual({ kind: 'refused', isProved: false, problem: 'NOTAUTH (BADKEY)' });
    const both: Answering = (request, octets, transport) => [
      ...refusal(request, octets, transport),
      answerTo(request, octets, { key: KEY }),
    ];
    expect((await ask(NOTIFY, both, { key: KEY })).kind).toBe('answer');
  });

  it('without TSIG to a request with it proves nothing', async () => {
    const plain: Answering = (request, octets) => [answerTo(request, octets, { serial: 5 })];
    expect(await ask(SOA, plain, { key: KEY })).toEqual({
      kind: 'refused',
      isProved: false,
      problem: 'an answer without TSIG; does the peer have key peer.key. for this address?',
    });
    const refused: Answering = (request, octets) => [
      answerTo(request, octets, { rcode: RCODE.FORMERR, question: false }),
    ];
    expect(await ask(SOA, refused, { key: KEY })).toEqual({
      kind: 'refused',
      isProved: false,
      problem: 'FORMERR without TSIG; does the peer have key peer.key. for this address?',
    });
  });

  it('that is truncated is asked for over TCP', async () => {
    const result = await ask(
      SOA,
      (request, octets, transport) => [
        answerTo(
          request,
          octets,
          transport === 'udp' ? { key: KEY, flags: FLAG.TC } : { key: KEY, serial: 8 },
        ),
      ],
      { key: KEY },
    );
    expect(result.kind === 'answer' && serialInAnswer(result.message, ZONE)).toBe(8);
    expect(peer.requests.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
    expect(peer.requests[0]?.message.id).not.toBe(peer.requests[1]?.message.id);
    const closed = await ask(SOA, (request, octets, transport) =>
      transport === 'udp' ? [answerTo(request, octets, { flags: FLAG.TC })] : [],
    );
    expect(closed).toEqual({ kind: 'silent', problem: 'the connection was closed' });
  });
});

describe('bad peers', () => {
  it('one that is not there is known at once', async () => {
    const gone = await FakePeer.start();
    await gone.close();
    const begun = performance.now();
    const result = await ask(SOA, () => [], { port: gone.port, timeoutMs: 5000 });
    expect(result).toEqual({ kind: 'silent', problem: 'ECONNREFUSED' });
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  it('one that floods is not listened to for long', async () => {
    const result = await ask(SOA, () => Array.from({ length: 200 }, () => new Uint8Array(20)), {
      timeoutMs: 5000,
    });
    expect(result).toEqual({ kind: 'silent', problem: 'too many datagrams' });
  });

  it('what was begun ends with the gateway', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    const begun = performance.now();
    const result = await ask(SOA, () => [], { timeoutMs: 20_000, signal: stop.signal });
    expect(result).toEqual({ kind: 'silent', problem: 'the gateway is being stopped' });
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(await ask(SOA, () => [], { signal: stop.signal })).toMatchObject({ kind: 'silent' });
  });
});

describe('a serial', () => {
  test.each<[string, Parameters<typeof answerTo>[2], number | string]>([
    ['of an authority', { serial: 4_294_967_295 }, 4_294_967_295],
    ['not of one that has it from elsewhere', { serial: 5, flags: 0 }, 'an answer that is not authoritative'],
    ['not where there is none', {}, 'an answer without SOA'],
    ['not with an error', { serial: 5, rcode: RCODE.SERVFAIL }, 'SERVFAIL'],
  ])('%s', (_, parts, serial) => {
    const { octets } = new ControlRequest(SOA, undefined, 0);
    const answer = answerTo(readMessage(octets), octets, parts);
    expect(serialInAnswer(readMessage(answer), ZONE)).toBe(serial);
  });
});
