import { type KeyObject } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { type SigningKey, signBatch } from './batch.js';
import { nativeKey } from './native-key.js';

/** What the pool says to a worker. */
export type WorkerRequest =
  | { readonly kind: 'key'; readonly handle: number; readonly key: KeyObject; readonly algorithm: number }
  | { readonly kind: 'forget'; readonly handle: number }
  | { readonly kind: 'sign'; readonly id: number; readonly block: Uint8Array }
  /** Wipe the keys and end: who ends a thread from outside while it calls OpenSSL ends the process. */
  | { readonly kind: 'end' };

/** What a worker answers to `sign`. An Error loses its class on the way, so its text goes. */
export type WorkerResponse =
  | { readonly id: number; readonly signed: Uint8Array }
  | { readonly id: number; readonly error: string };

const keys = new Map<number, SigningKey>();

parentPort?.on('message', (request: WorkerRequest) => {
  switch (request.kind) {
    case 'key':
      keys.set(request.handle, {
        key: request.key,
        algorithm: request.algorithm,
        native: nativeKey(request.key),
      });
      break;
    case 'forget':
      keys.get(request.handle)?.native?.free();
      keys.delete(request.handle);
      break;
    case 'end':
      for (const { native } of keys.values()) native?.free();
      keys.clear();
      parentPort?.close();
      break;
    case 'sign': {
      let response: WorkerResponse;
      try {
        response = { id: request.id, signed: signBatch(request.block, keys) };
      } catch (error) {
        response = { id: request.id, error: error instanceof Error ? error.message : 'unknown' };
      }
      parentPort?.postMessage(response, 'signed' in response ? [response.signed.buffer as ArrayBuffer] : []);
    }
  }
});
