import { Worker } from 'node:worker_threads';
import { type ErrorCode, ZonesealError } from '../../errors.js';
import { workerUrl } from '../../worker-url.js';
import type { DecodedPkcs8 } from './forge-decode.js';
import { type ShapedKey, unreadable } from './shape.js';

/** What the thread is asked. */
export interface DecodeRequest {
  readonly id: number;
  readonly key: ShapedKey;
  readonly passphrase: string | undefined;
}

/** What the thread answers. */
export interface DecodeAnswer {
  readonly id: number;
  readonly decoded?: DecodedPkcs8;
  readonly error?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly fields: Record<string, unknown>;
  };
}

interface Waiting {
  readonly request: DecodeRequest;
  resolve(decoded: DecodedPkcs8): void;
  reject(error: unknown): void;
}

export interface DecodeThreadOptions {
  /** Milliseconds that one key may take before the thread is ended. Default 20,000. */
  readonly deadline?: number;
  /** Milliseconds without work after which the thread is ended. Default 10,000. */
  readonly idle?: number;
  /** How many keys may wait. Default 1,024. */
  readonly maxQueue?: number;
}

/**
 * A thread that decodes one key after the other, started at the first and ended when there has been nothing to do for
 * a while. It never keeps the process alive on its own.
 */
export class DecodeThread {
  readonly #deadline: number;
  readonly #idle: number;
  readonly #maxQueue: number;
  readonly #queue: Waiting[] = [];
  #worker: Worker | undefined;
  #current: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;

  constructor(options: DecodeThreadOptions = {}) {
    this.#deadline = options.deadline ?? 20_000;
    this.#idle = options.idle ?? 10_000;
    this.#maxQueue = options.maxQueue ?? 1024;
  }

  /**
   * Decodes key material to PKCS#8.
   * @throws ZonesealError as decodeWithForge; KEY_UNREADABLE past the deadline; KEYSTORE_UNAVAILABLE with a full queue
   */
  decode(key: ShapedKey, passphrase?: string): Promise<DecodedPkcs8> {
    if (this.#queue.length >= this.#maxQueue) {
      const message = `${this.#maxQueue} private keys already wait to be decoded; try again later`;
      return Promise.reject(new ZonesealError('KEYSTORE_UNAVAILABLE', message));
    }
    return new Promise((resolve, reject) => {
      const request = { id: this.#nextId++, key, passphrase };
      this.#queue.push({ request, resolve, reject });
      this.#next();
    });
  }

  /** Ends the thread; what waits is refused. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#fail(unreadable('the process is stopping'));
    for (const waiting of this.#queue.splice(0)) waiting.reject(unreadable('the process is stopping'));
    this.#forget();
    await worker?.terminate();
  }

  #next(): void {
    if (this.#current !== undefined) return;
    clearTimeout(this.#timer);
    const waiting = this.#queue.shift();
    if (waiting === undefined) {
      this.#after(this.#idle, () => this.#stop());
      return;
    }
    this.#current = waiting;
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    this.#after(this.#deadline, () => {
      this.#fail(unreadable(`decoding it took longer than ${this.#deadline} ms`));
      this.#stop();
      this.#next();
    });
    // moved, not copied: the thread wipes what it was given
    const octets = Uint8Array.from(waiting.request.key.octets);
    worker.postMessage({ ...waiting.request, key: { ...waiting.request.key, octets } }, [octets.buffer]);
  }

  #start(): Worker {
    const worker = new Worker(workerUrl(import.meta.url, './decode-worker.js'), {
      name: 'key-decoder',
      env: {},
    });
    worker.on('message', (answer: DecodeAnswer) => this.#answered(worker, answer));
    worker.on('error', () => this.#lost(worker));
    worker.on('exit', () => this.#lost(worker));
    return worker;
  }

  #answered(worker: Worker, answer: DecodeAnswer): void {
    const current = this.#current;
    if (worker !== this.#worker || current === undefined || answer.id !== current.request.id) return;
    this.#current = undefined;
    worker.unref();
    if (answer.error !== undefined) {
      const { code, message, fields } = answer.error;
      current.reject(new ZonesealError(code, message, fields));
    } else {
      current.resolve(answer.decoded as DecodedPkcs8);
    }
    this.#next();
  }

  #lost(worker: Worker): void {
    if (worker !== this.#worker) return;
    this.#forget();
    this.#fail(unreadable('the thread that decodes it ended'));
    this.#next();
  }

  #fail(error: ZonesealError): void {
    const current = this.#current;
    this.#current = undefined;
    current?.reject(error);
  }

  #stop(): void {
    const worker = this.#worker;
    this.#forget();
    void worker?.terminate();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#worker = undefined;
  }

  #after(milliseconds: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, milliseconds);
    // while a key is decoded its promise must settle, so the deadline keeps the process alive; idling must not
    if (this.#current === undefined) this.#timer.unref();
  }
}
