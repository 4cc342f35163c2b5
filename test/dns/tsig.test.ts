import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FLAG, type Message, RCODE, readMessage } from '../../src/dns/message.js';
import { answerFlags, buildAnswer } from '../../src/dns/message-answer.js';
import { MessageWriter } from '../../src/dns/message-writer.js';
import { Name } from '../../src/dns/name.js';
import {
  answerTsigFailure,
  TSIG_ALGORITHMS,
  TSIG_ERROR,
  type TsigAlgorithm,
  type TsigFailure,
  type TsigKey,
  type TsigRequestCheck,
  TsigSigner,
  TsigVerifier,
  tsigAlgorithmInfo,
  tsigLength,
  verifyRequest,
} from '../../src/dns/tsig.js';
import { appendTsigRecord } from '../../src/dns/tsig-record.js';
import { RRClass, RRType } from '../../src/dns/types.js';
import { ZonesealError } from '../../src/errors.js';

const NOW = 1_900_000_000;
const ZONE = Name.parse('zone.example.');

function keyOf(algorithm: TsigAlgorithm, name = 'Transfer.Example.'): TsigKey {
  return { name: Name.parse(name), algorithm, secret: Uint8Array.from({ length: 40 }, (_, i) => i + 1) };
}

const KEY = keyOf('hmac-sha256');

function query(id = 0x4242): Uint8Array {
  const writer = new MessageWriter(512);
  writer.writeHeader(id, 0);
  writer.writeQuestion(ZONE, RRType.AXFR, RRClass.IN);
  return writer.finish();
}

function answer(index = 0, id = 0x4242): Uint8Array {
  const writer = new MessageWriter(512);
  writer.writeHeader(id, answerFlags({ opcode: 0, rd: false }, 0, { aa: true }));
  writer.writeRecord('answer', ZONE, RRType.A, RRClass.IN, 300, Uint8Array.of(192, 0, 2, index));
  return writer.finish();
}

function check(
  octets: Uint8Array,
  now = NOW,
  key: TsigKey | undefined = KEY,
  minimum?: number,
): TsigRequestCheck {
  return verifyRequest(
    octets,
    readMessage(octets),
    (name) => (key?.name.equals(name) ? key : undefined),
    now,
    minimum,
  );
}

function failureOf(result: TsigRequestCheck): TsigFailure {
  if (result.status !== 'error') throw new Error(`the request was found to be ${result.status}`);
  return result;
}

/** A message whose TSIG record was changed after signing. */
function altered(
  octets: Uint8Array,
  change: (message: Message) => Partial<NonNullable<Message['tsig']>>,
): Uint8Array {
  const message = readMessage(octets);
  const { tsig, tsigOffset } = message;
  if (tsig === undefined || tsigOffset === undefined) throw new Error('there is no TSIG');
  const bare = octets.slice(0, tsigOffset);
  bare[11] = (bare[11] as number) - 1;
  return appendTsigRecord(bare, { ...tsig, ...change(message) });
}

function truncated(octets: Uint8Array, length: number): Uint8Array {
  return altered(octets, ({ tsig }) => ({ mac: (tsig as NonNullable<typeof tsig>).mac.slice(0, length) }));
}

function refusal(octets: Uint8Array, failure: TsigFailure, now: number): Uint8Array {
  return answerTsigFailure(buildAnswer(readMessage(octets), failure.rcode, { udpSize: 1232 }), failure, now);
}

describe('RFC 8945 §5.2: the server checks a request', () => {
  test('none without a TSIG', () => {
    expect(check(query())).toEqual({ status: 'none' });
  });

  test.each(TSIG_ALGORITHMS)('accepts %s', (algorithm) => {
    const key = keyOf(algorithm);
    const signer = new TsigSigner(key);
    const signed = signer.sign(query(), NOW);
    expect(signed.length).toBe(query().length + tsigLength(key));
    expect(check(signed, NOW, key)).toEqual({ status: 'ok', key, mac: signer.mac });
  });

  test('names of keys and algorithms are compared without case', () => {
    const signed = new TsigSigner(KEY).sign(query(), NOW);
    const shouting = altered(signed, () => ({ keyName: Name.parse('TRANSFER.example.') }));
    expect(check(shouting).status).toBe('ok');
    // and the digest is over the lower-case names whatever stands on the wire
    const at = Buffer.from(signed).indexOf('hmac-sha256');
    signed.set(Buffer.from('HMAC-SHA256'), at);
    expect(check(signed).status).toBe('ok');
  });

  test('§4.3.2: the digest is over the original id', () => {
    const signed = new TsigSigner(KEY).sign(query(0x4242), NOW);
    signed.set([9, 9]);
    expect(check(signed).status).toBe('ok');
  });

  test("§5.2.1 BADKEY: unknown name, unknown algorithm, the key's other algorithm", () => {
    const signed = new TsigSigner(KEY).sign(query(), NOW);
    const md5 = altered(signed, () => ({ algorithmName: Name.parse('hmac-md5.sig-alg.reg.int.') }));
    for (const [octets, key] of [
      [signed, keyOf('hmac-sha256', 'other.example.')],
      [md5, KEY],
      [signed, keyOf('hmac-sha512')],
    ] as const) {
      const failure = failureOf(check(octets, NOW, key));
      expect(failure).toMatchObject({ rcode: RCODE.NOTAUTH, tsigError: TSIG_ERROR.BADKEY });
      expect(failure.key).toBeUndefined();
    }
  });

  test('§5.2.2 BADSIG: any octet of the message or the TSIG changed', () => {
    const signed = new TsigSigner(KEY).sign(query(), NOW);
    for (const [change, error] of [
      [{ timeSigned: NOW + 1 }, TSIG_ERROR.BADSIG],
      [{ fudge: 301 }, TSIG_ERROR.BADSIG],
      [{ originalId: 1 }, TSIG_ERROR.BADSIG],
      [{ other: Uint8Array.of(1) }, TSIG_ERROR.BADSIG],
      [{ mac: new Uint8Array(32) }, TSIG_ERROR.BADSIG],
    ] as const) {
      expect(failureOf(check(altered(signed, () => change)))).toMatchObject({
        rcode: RCODE.NOTAUTH,
        tsigError: error,
      });
    }
    signed[2] = 1; // RD
    expect(failureOf(check(signed)).tsigError).toBe(TSIG_ERROR.BADSIG);
    const wrong = { ...KEY, secret: new Uint8Array(32) };
    expect(failureOf(check(new TsigSigner(wrong).sign(query(), NOW))).tsigError).toBe(TSIG_ERROR.BADSIG);
  });

  test('§5.2.3 BADTIME: more than the fudge away, in either direction', () => {
    const signed = new TsigSigner(KEY).sign(query(), NOW);
    for (const now of [NOW - 300, NOW + 300]) expect(check(signed, now).status).toBe('ok');
    for (const now of [NOW - 301, NOW + 301, 0]) {
      expect(failureOf(check(signed, now))).toMatchObject({ tsigError: TSIG_ERROR.BADTIME, key: KEY });
    }
  });

  test('a time beyond 32 bits is taken', () => {
    const later = 0x1_2345_6789;
    expect(check(new TsigSigner(KEY).sign(query(), later), later).status).toBe('ok');
  });

  test('§5.2: the MAC is checked before the time, the time before the truncation policy', () => {
    const forged = altered(new TsigSigner(KEY).sign(query(), NOW), () => ({ mac: new Uint8Array(32) }));
    expect(failureOf(check(forged, NOW + 9999)).tsigError).toBe(TSIG_ERROR.BADSIG);
    const late = truncated(new TsigSigner(KEY).sign(query(), NOW), 16);
    expect(failureOf(check(late, NOW + 9999, KEY, 32)).tsigError).toBe(TSIG_ERROR.BADTIME);
  });

  test.each(TSIG_ALGORITHMS)('§5.2.2.1 truncation of %s', (algorithm) => {
    const key = keyOf(algorithm);
    const signed = new TsigSigner(key).sign(query(), NOW);
    const whole = tsigAlgorithmInfo(algorithm).octets;
    const floor = Math.max(10, whole / 2);
    for (let length = 0; length <= whole; length++) {
      const result = check(truncated(signed, length), NOW, key);
      if (length < floor) expect(result, `${length}`).toMatchObject({ rcode: RCODE.FORMERR, tsigError: 0 });
      else if (length < 16) expect(result).toMatchObject({ tsigError: TSIG_ERROR.BADTRUNC, key });
      else expect(result.status).toBe('ok');
    }
    const longer = altered(signed, ({ tsig }) => ({ mac: Uint8Array.of(...(tsig?.mac ?? []), 0) }));
    expect(check(longer, NOW, key)).toMatchObject({ rcode: RCODE.FORMERR, tsigError: 0 });
  });

  test('§5.2.4: local policy may ask for more, but not for more than the whole MAC', () => {
    const signed = new TsigSigner(KEY).sign(query(), NOW);
    expect(check(truncated(signed, 31), NOW, KEY, 64)).toMatchObject({ tsigError: TSIG_ERROR.BADTRUNC });
    expect(check(signed, NOW, KEY, 64).status).toBe('ok');
    const forged = altered(signed, () => ({ mac: new Uint8Array(16) }));
    expect(check(forged, NOW, KEY, 32)).toMatchObject({ tsigError: TSIG_ERROR.BADSIG });
  });

  test('§4.2: an error field in a request is FORMERR', () => {
    const signed = altered(new TsigSigner(KEY).sign(query(), NOW), () => ({ error: TSIG_ERROR.BADTIME }));
    expect(check(signed)).toMatchObject({ rcode: RCODE.FORMERR, tsigError: 0 });
  });
});

describe('RFC 8945 §5.3.2: answers to requests that fail', () => {
  const signer = new TsigSigner(KEY);
  const signed = signer.sign(query(), NOW);

  test('BADKEY and BADSIG are unsigned', () => {
    for (const tsigError of [TSIG_ERROR.BADKEY, TSIG_ERROR.BADSIG]) {
      const failure =
        tsigError === TSIG_ERROR.BADKEY
          ? failureOf(check(signed, NOW, keyOf('hmac-sha256', 'other.')))
          : failureOf(check(altered(signed, () => ({ mac: new Uint8Array(32) }))));
      const octets = refusal(signed, failure, NOW);
      const message = readMessage(octets);
      expect(message.rcode).toBe(RCODE.NOTAUTH);
      expect(message.question[0]?.name.equals(ZONE)).toBe(true);
      expect(message.tsig).toMatchObject({ error: tsigError, originalId: 0x4242, mac: new Uint8Array(0) });
      expect(message.tsig?.keyName.equals(KEY.name)).toBe(true);
      expect(message.tsig?.other.length).toBe(0);
      expect(new TsigVerifier(KEY, signer.mac).verify(octets, message, NOW)).toEqual({
        status: 'refused',
        tsigError,
        authentic: false,
      });
    }
  });

  test("BADTIME is signed, has the client's time and fudge, and the server's time", () => {
    const server = NOW + 0x1_0000_0000;
    const failure = failureOf(check(signed, server));
    const octets = refusal(signed, failure, server);
    const message = readMessage(octets);
    expect(message.tsig).toMatchObject({ error: TSIG_ERROR.BADTIME, timeSigned: NOW, fudge: 300 });
    expect(message.tsig?.other.length).toBe(6);
    expect(new TsigVerifier(KEY, signer.mac).verify(octets, message, NOW)).toEqual({
      status: 'refused',
      tsigError: TSIG_ERROR.BADTIME,
      authentic: true,
      serverTime: server,
    });
  });

  test('BADTRUNC is signed over the MAC as it came', () => {
    const short = truncated(signed, 16);
    const octets = refusal(short, failureOf(check(short, NOW, KEY, 32)), NOW);
    const message = readMessage(octets);
    expect(message.tsig?.mac.length).toBe(32);
    expect(new TsigVerifier(KEY, signer.mac.slice(0, 16)).verify(octets, message, NOW)).toEqual({
      status: 'refused',
      tsigError: TSIG_ERROR.BADTRUNC,
      authentic: true,
    });
  });

  test('FORMERR has no TSIG', () => {
    const failure = failureOf(check(truncated(signed, 4)));
    expect(readMessage(refusal(signed, failure, NOW))).toMatchObject({ rcode: RCODE.FORMERR });
    expect(readMessage(refusal(signed, failure, NOW)).tsig).toBeUndefined();
  });
});

describe('answers', () => {
  const request = new TsigSigner(KEY);
  request.sign(query(), NOW);

  function verifyAll(
    messages: readonly Uint8Array[],
    now = NOW,
    verifier = new TsigVerifier(KEY, request.mac),
  ) {
    const results = messages.map((octets) => verifier.verify(octets, readMessage(octets), now));
    return { statuses: results.map((it) => (it.status === 'invalid' ? it.reason : it.status)), verifier };
  }

  test('§5.3: a single answer is over the MAC of its request', () => {
    const signed = new TsigSigner(KEY, request.mac).sign(answer(), NOW);
    const { statuses, verifier } = verifyAll([signed]);
    expect(statuses).toEqual(['signed']);
    expect(verifier.isComplete).toBe(true);
    const other = new TsigVerifier(KEY, new Uint8Array(32));
    expect(verifyAll([signed], NOW, other).statuses).toEqual(['BADSIG']);
    expect(other.isComplete).toBe(false);
  });

  test('§5.3.1: the messages of a transfer are chained', () => {
    const signer = new TsigSigner(KEY, request.mac);
    const chain = [0, 1, 2, 3].map((index) => signer.sign(answer(index), NOW + index));
    expect(verifyAll(chain)).toMatchObject({ statuses: ['signed', 'signed', 'signed', 'signed'] });
    const [first, second, third, fourth] = chain as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    expect(verifyAll([first, third, second, fourth]).statuses[1]).toBe('BADSIG');
    expect(verifyAll([first, second, fourth]).statuses).toEqual(['signed', 'signed', 'BADSIG']);
    expect(verifyAll([second]).statuses).toEqual(['BADSIG']);
    // what comes after a broken message is not believed either
    expect(verifyAll([second, first]).statuses).toEqual(['BADSIG', 'BADSIG']);
  });

  test('a request whose MAC was truncated is answered over the truncated MAC', () => {
    const short = request.mac.slice(0, 16);
    const signed = new TsigSigner(KEY, short).sign(answer(), NOW);
    expect(verifyAll([signed], NOW, new TsigVerifier(KEY, short)).statuses).toEqual(['signed']);
  });

  test('§5.4: the client refuses a late answer, another key, no TSIG, a MAC of impossible length', () => {
    const signed = new TsigSigner(KEY, request.mac).sign(answer(), NOW);
    expect(verifyAll([signed], NOW + 301).statuses).toEqual(['BADTIME']);
    expect(verifyAll([answer()]).statuses).toEqual(['MISSING']);
    expect(verifyAll([truncated(signed, 9)]).statuses).toEqual(['FORMAT']);
    const foreign = new TsigSigner(keyOf('hmac-sha256', 'other.example.'), request.mac).sign(answer(), NOW);
    expect(verifyAll([foreign]).statuses).toEqual(['BADKEY']);
    const other = new TsigSigner(keyOf('hmac-sha512'), request.mac).sign(answer(), NOW);
    expect(verifyAll([other]).statuses).toEqual(['BADKEY']);
  });

  test('an answer beyond 65,535 octets cannot be signed', () => {
    expect(() => new TsigSigner(KEY, request.mac).sign(new Uint8Array(65_500), NOW)).toThrow(ZonesealError);
  });

  test('TsigSigner.length is what signing adds, for every algorithm', () => {
    for (const algorithm of TSIG_ALGORITHMS) {
      const signer = new TsigSigner(keyOf(algorithm), request.mac);
      expect(signer.sign(answer(), NOW).length - answer().length).toBe(signer.length);
    }
  });

  test('any octet of any message of a chain changed is noticed', () => {
    const signer = new TsigSigner(KEY, request.mac);
    const chain = [0, 1, 2].map((index) => signer.sign(answer(index), NOW));
    fc.assert(
      fc.property(fc.nat(2), fc.nat(1000), fc.integer({ min: 1, max: 255 }), (which, at, flip) => {
        const octets = new Uint8Array(chain[which] as Uint8Array);
        const message = readMessage(octets);
        // all but the id, which §4.3.2 leaves out
        const position = 2 + (at % ((message.tsigOffset as number) - 2));
        octets[position] = (octets[position] as number) ^ flip;
        const verifier = new TsigVerifier(KEY, request.mac);
        verifyAll(chain.slice(0, which), NOW, verifier);
        expect(verifier.verify(octets, message, NOW)).toEqual({ status: 'invalid', reason: 'BADSIG' });
      }),
      { numRuns: 300 },
    );
  });

  test('QR and the rest of the header are covered', () => {
    const signed = new TsigSigner(KEY, request.mac).sign(answer(), NOW);
    signed[2] = (signed[2] as number) ^ (FLAG.AA >>> 8);
    expect(verifyAll([signed]).statuses).toEqual(['BADSIG']);
  });
});
