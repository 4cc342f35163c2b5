import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Message, readMessage } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import {
  parseTsigAlgorithm,
  TSIG_ERROR,
  type TsigAlgorithm,
  type TsigKey,
  TsigSigner,
  TsigVerifier,
  verifyRequest,
} from '../../src/dns/tsig.js';

// Both files: /usr/bin/python3 test/vectors/tsig/make-vectors.py (dnspython 2.3.0, dig 9.18.49, kdig 3.2.6)
interface VectorFile<T> {
  readonly keyName: string;
  readonly secret: string;
  readonly now: number;
  readonly vectors: readonly T[];
}

interface DnspythonVector {
  readonly algorithm: TsigAlgorithm;
  readonly request: string;
  readonly answer: string;
  readonly badTimeAnswer: string;
  readonly chain: readonly string[];
  readonly sparseChain: readonly string[];
}

interface DigVector {
  readonly command: string;
  readonly key: string;
  readonly request: string;
}

function load<T>(name: string): VectorFile<T> {
  return JSON.parse(
    readFileSync(new URL(`../vectors/tsig/${name}`, import.meta.url), 'utf8'),
  ) as VectorFile<T>;
}

function octetsOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

function keyOf(file: VectorFile<unknown>, algorithm: TsigAlgorithm): TsigKey {
  return {
    name: Name.parse(file.keyName),
    algorithm,
    secret: new Uint8Array(Buffer.from(file.secret, 'base64')),
  };
}

/** The message as it was before its TSIG record was put on. */
function withoutTsig(octets: Uint8Array, message: Message): Uint8Array {
  const bare = octets.slice(0, message.tsigOffset);
  bare[11] = (bare[11] as number) - 1;
  return bare;
}

describe('what dnspython signs', () => {
  const file = load<DnspythonVector>('dnspython.json');

  test.each(file.vectors)('$algorithm', (vector) => {
    const key = keyOf(file, vector.algorithm);
    const request = octetsOf(vector.request);
    const requestMessage = readMessage(request);
    const result = verifyRequest(request, requestMessage, () => key, file.now);
    if (result.status !== 'ok') throw new Error(`the request was found to be ${result.status}`);

    const ours = new TsigSigner(key);
    ours.sign(withoutTsig(request, requestMessage), file.now);
    expect(ours.mac).toEqual(requestMessage.tsig?.mac);

    const single = octetsOf(vector.answer);
    expect(new TsigVerifier(key, result.mac).verify(single, readMessage(single), file.now)).toEqual({
      status: 'signed',
    });
    const badTime = octetsOf(vector.badTimeAnswer);
    expect(new TsigVerifier(key, result.mac).verify(badTime, readMessage(badTime), file.now)).toEqual({
      status: 'refused',
      tsigError: TSIG_ERROR.BADTIME,
      authentic: true,
      serverTime: file.now + 4000,
    });

    const verifier = new TsigVerifier(key, result.mac);
    const signer = new TsigSigner(key, result.mac);
    for (const [index, hex] of vector.chain.entries()) {
      const octets = octetsOf(hex);
      const message = readMessage(octets);
      expect(verifier.verify(octets, message, file.now)).toEqual({ status: 'signed' });
      signer.sign(withoutTsig(octets, message), file.now + 2 + index);
      expect(signer.mac).toEqual(message.tsig?.mac);
    }
    expect(verifier.isComplete).toBe(true);
  });

  test.each(file.vectors)('$algorithm: messages without TSIG between others', (vector) => {
    const key = keyOf(file, vector.algorithm);
    const verifier = new TsigVerifier(
      key,
      readMessage(octetsOf(vector.request)).tsig?.mac ?? new Uint8Array(),
    );
    const statuses = vector.sparseChain.map((hex) => {
      const octets = octetsOf(hex);
      return verifier.verify(octets, readMessage(octets), file.now).status;
    });
    expect(statuses).toEqual(['signed', 'unsigned', 'unsigned', 'signed', 'unsigned', 'signed']);
    expect(verifier.isComplete).toBe(true);
  });

  test('an octet changed in a message without TSIG is noticed at the next that has one', () => {
    const vector = file.vectors[2] as DnspythonVector;
    const key = keyOf(file, vector.algorithm);
    const verifier = new TsigVerifier(
      key,
      readMessage(octetsOf(vector.request)).tsig?.mac ?? new Uint8Array(),
    );
    const statuses = vector.sparseChain.slice(0, 4).map((hex, index) => {
      const octets = octetsOf(hex);
      if (index === 1) octets[octets.length - 1] = 77;
      return verifier.verify(octets, readMessage(octets), file.now).status;
    });
    expect(statuses).toEqual(['signed', 'unsigned', 'unsigned', 'invalid']);
  });

  test('RFC 8945 §5.3.1: 99 messages may be without TSIG, not 100; the last may not', () => {
    const vector = file.vectors[2] as DnspythonVector;
    const key = keyOf(file, vector.algorithm);
    const verifier = new TsigVerifier(
      key,
      readMessage(octetsOf(vector.request)).tsig?.mac ?? new Uint8Array(),
    );
    const [first, bare] = [vector.sparseChain[0], vector.sparseChain[1]].map((hex) =>
      octetsOf(hex as string),
    );
    const verify = (octets: Uint8Array | undefined) =>
      verifier.verify(octets as Uint8Array, readMessage(octets as Uint8Array), file.now);
    expect(verify(first).status).toBe('signed');
    for (let i = 0; i < 99; i++) expect(verify(bare).status).toBe('unsigned');
    expect(verifier.isComplete).toBe(false);
    expect(verify(bare)).toEqual({ status: 'invalid', reason: 'MISSING' });
  });
});

describe('what dig and kdig sign', () => {
  const file = load<DigVector>('dig.json');

  test.each(file.vectors)('$command -y $key:…', (vector) => {
    const [, name, bits] = /^(hmac-sha\d+)(?:-(\d+))?$/.exec(vector.key) as RegExpExecArray;
    const key = keyOf(file, parseTsigAlgorithm(name as string) as TsigAlgorithm);
    const octets = octetsOf(vector.request);
    const message = readMessage(octets);
    const now = message.tsig?.timeSigned ?? 0;
    const result = verifyRequest(octets, message, () => key, now);
    if (bits === '80') {
      expect(result).toMatchObject({ status: 'error', tsigError: TSIG_ERROR.BADTRUNC, key });
    } else {
      expect(result).toMatchObject({ status: 'ok', key });
    }
    if (bits !== undefined) expect(message.tsig?.mac.length).toBe(Number(bits) / 8);
    expect(verifyRequest(octets, message, () => key, now + 301)).toMatchObject({
      tsigError: TSIG_ERROR.BADTIME,
    });
  });
});
