import { parentPort } from 'node:worker_threads';
import { ZonesealError } from '../../errors.js';
import type { DecodeAnswer, DecodeRequest } from './decode-thread.js';
import { decodeWithForge } from './forge-decode.js';

/** The thread that decodes and decrypts key material with node-forge, one key at a time. */
parentPort?.on('message', (request: DecodeRequest) => {
  const { id, key, passphrase } = request;
  try {
    const decoded = decodeWithForge(key, passphrase);
    // node-forge's octets may lie in a pool; an array of their own can be moved
    const pkcs8 = Uint8Array.from(decoded.pkcs8);
    decoded.pkcs8.fill(0);
    send({ id, decoded: { ...decoded, pkcs8 } }, [pkcs8.buffer]);
  } catch (error) {
    send({ id, error: plainError(error) }, []);
  } finally {
    key.octets.fill(0);
  }
});

function send(answer: DecodeAnswer, moved: ArrayBuffer[]): void {
  parentPort?.postMessage(answer, moved);
}

/** An Error loses its class and code between threads, and a foreign one may quote what it could not read. */
function plainError(error: unknown): NonNullable<DecodeAnswer['error']> {
  if (error instanceof ZonesealError)
    return { code: error.code, message: error.message, fields: error.fields };
  return {
    code: 'KEY_UNREADABLE',
    message: 'the private key cannot be read: its structure is damaged',
    fields: {},
  };
}
