import { Worker } from 'node:worker_threads';
import { ZonesealError } from '../errors.js';
import { workerUrl } from '../worker-url.js';
import { countItems, joinBlocks, type SigningKey, splitSigned } from './batch.js';
import type { WorkerRequest, WorkerResponse } from './sign-worker.js';
import { KeyHandles, type Signer } from './signer.js';

interface Job {
  readonly block: Uint8Array;
  readonly count: number;
  readonly isAlone?: boolean;
  readonly resolve: (signed: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  /** What it was handed, by the ids of messages. */
  readonly jobs: Map<number, readonly Job[]>;
}

/** Messages a worker may have at once: one it signs, one that waits so that it never idles. */
const MESSAGES_A_WORKER = 2;

/** For a worker to end what it signs, once it is told to end: two messages of the slowest keys. */
const END_MS = 10_000;

/** Small blocks that wait go together up to so many signatures: the hop to a worker costs as much as some of them. */
const SIGNATURES_A_MESSAGE = 192;

/**
 * Signs in worker threads. Blocks are handed out in order of arrival to whichever worker has room; each caller awaits
 * its own, so the order of its publication is kept by whoever awaits in order. A worker that dies fails the
 * blocks it had and is replaced.
 */
export class WorkerPool implements Signer {
  readonly window: number;
  readonly #handles = new KeyHandles();
  readonly #members: Member[] = [];
  readonly #queue: Job[] = [];
  #nextId = 1;
  #isDispatching = false;
  #closed = false;

  /** @param workers how many threads; started at once */
  constructor(workers: number) {
    this.window = workers * (MESSAGES_A_WORKER + 1);
    for (let i = 0; i < workers; i++) this.#members.push(this.#start());
  }

  /** Blocks that wait for a worker. */
  get queued(): number {
    return this.#queue.length;
  }

  register(key: SigningKey): number {
    const { handle, isNew } = this.#handles.register(key);
    if (isNew) this.#tellAll({ kind: 'key', handle, key: key.key, algorithm: key.algorithm });
    return handle;
  }

  unregister(handle: number): void {
    if (this.#handles.unregister(handle)) this.#tellAll({ kind: 'forget', handle });
  }

  sign(block: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new ZonesealError('SIGNER_CLOSED', 'the signing workers were stopped'));
      const count = countItems(block);
      this.#queue.push({ block, count, resolve, reject });
      if (count * 2 >= SIGNATURES_A_MESSAGE) this.#dispatch();
      else this.#dispatchSoon();
    });
  }

  /** After those that are added in the same turn: a batch of small zones has a small block for each. */
  #dispatchSoon(): void {
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    setImmediate(() => {
      this.#isDispatching = false;
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const members = this.#members.splice(0);
    const error = new ZonesealError('SIGNER_CLOSED', 'the signing workers were stopped');
    for (const job of this.#queue.splice(0)) job.reject(error);
    for (const member of members)
      for (const jobs of member.jobs.values()) for (const job of jobs) job.reject(error);
    await Promise.all(members.map(({ worker }) => this.#end(worker)));
  }

  /** Lets a worker end by itself; by force only where it does not. */
  #end(worker: Worker): Promise<void> {
    return new Promise((resolve) => {
      const force = setTimeout(() => void worker.terminate().then(() => resolve()), END_MS);
      worker.ref();
      worker.once('exit', () => {
        clearTimeout(force);
        resolve();
      });
      this.#tell({ worker }, { kind: 'end' });
    });
  }

  #start(): Member {
    const worker = new Worker(workerUrl(import.meta.url, './sign-worker.js'), { name: 'zoneseal-sign' });
    const member: Member = { worker, jobs: new Map() };
    worker.on('message', (response: WorkerResponse) => this.#finish(member, response));
    worker.on('error', (error) => this.#replace(member, error.message));
    worker.on('exit', (code) => this.#replace(member, `exit code ${code}`));
    for (const [handle, { key, algorithm }] of this.#handles)
      this.#tell(member, { kind: 'key', handle, key, algorithm });
    worker.unref();
    return member;
  }

  #finish(member: Member, response: WorkerResponse): void {
    const jobs = member.jobs.get(response.id) ?? [];
    member.jobs.delete(response.id);
    if (member.jobs.size === 0) member.worker.unref();
    if ('signed' in response) {
      const signed = splitSigned(
        response.signed,
        jobs.map(({ count }) => count),
      );
      jobs.forEach(({ resolve }, i) => resolve(signed[i] as Uint8Array));
    } else if (jobs.length > 1) {
      // one of them has failed the others: each by itself
      this.#queue.unshift(...jobs.map((job) => ({ ...job, isAlone: true })));
    } else {
      jobs[0]?.reject(new ZonesealError('SIGNER_FAILED', `a signature could not be made: ${response.error}`));
    }
    this.#dispatch();
  }

  #replace(member: Member, reason: string): void {
    const index = this.#members.indexOf(member);
    if (index < 0 || this.#closed) return;
    this.#members[index] = this.#start();
    const error = new ZonesealError('SIGNER_FAILED', `a signing worker died (${reason}) and was replaced`);
    for (const jobs of member.jobs.values()) for (const job of jobs) job.reject(error);
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let idlest: Member | undefined;
      for (const member of this.#members) {
        if (idlest === undefined || member.jobs.size < idlest.jobs.size) idlest = member;
      }
      if (idlest === undefined || idlest.jobs.size >= MESSAGES_A_WORKER) return;
      const jobs = this.#take();
      const id = this.#nextId++;
      idlest.jobs.set(id, jobs);
      idlest.worker.ref(); // keeps the process alive while something is to be signed
      const [first] = jobs as [Job];
      // blocks that are joined stay, so that each can be signed by itself
      const block = jobs.length === 1 ? first.block : joinBlocks(jobs.map((job) => job.block));
      this.#tell(idlest, { kind: 'sign', id, block }, [block.buffer as ArrayBuffer]);
    }
  }

  /** The eldest job, and those after it as far as they are worth one message. */
  #take(): Job[] {
    let signatures = 0;
    let end = 0;
    for (const { count, isAlone } of this.#queue) {
      if (end > 0 && (isAlone || signatures + count > SIGNATURES_A_MESSAGE)) break;
      signatures += count;
      end++;
      if (isAlone) break;
    }
    return this.#queue.splice(0, end);
  }

  #tell(member: Pick<Member, 'worker'>, request: WorkerRequest, transfer: ArrayBuffer[] = []): void {
    member.worker.postMessage(request, transfer);
  }

  #tellAll(request: WorkerRequest): void {
    for (const member of this.#members) this.#tell(member, request);
  }
}
