import { parentPort } from 'node:worker_threads';
import { ZonesealError } from '../../errors.js';
import type { DecodeAnswer, DecodeRequest } from './decode-thread.js';
import { decodeWithForge } from './forge-decode.js';

/** The thread that decodes and decrypts key material with node-forge, one key at a time. */
parentPort?.on('message', (request: DecodeRequest) => {
  parentPort?.postMessage(answer(request));
});

function answer(request: DecodeRequest): DecodeAnswer {
  try {
    const decoded = decodeWithForge(request.key, request.passphrase);
    return { id: request.id, decoded };
  } catch (error) {
    // an Error loses its class and code between threads, and a foreign one may quote what it could not read
    if (error instanceof ZonesealError) {
      return { id: request.id, error: { code: error.code, message: error.message, fields: error.fields } };
    }
    const message = 'the private key cannot be read: its structure is damaged';
    return { id: request.id, error: { code: 'KEY_UNREADABLE', message, fields: {} } };
  } finally {
    request.key.octets.fill(0);
  }
}
