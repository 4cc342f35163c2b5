import { Worker } from 'node:worker_threads';
import { ZonesealError } from '../errors.js';
import { workerUrl } from '../worker-url.js';
import type { SigningKey } from './batch.js';
import type { WorkerRequest, WorkerResponse } from './sign-worker.js';
import { KeyHandles, type Signer } from './signer.js';

interface Job {
  readonly id: number;
  readonly block: Uint8Array;
  readonly resolve: (signed: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  readonly jobs: Map<number, Job>;
}

/** Blocks a worker may have at once: one it signs, one that waits so that it never idles. */
const JOBS_A_WORKER = 2;

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
  #closed = false;

  /** @param workers how many threads; started at once */
  constructor(workers: number) {
    this.window = workers * (JOBS_A_WORKER + 1);
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
      this.#queue.push({ id: this.#nextId++, block, resolve, reject });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const members = this.#members.splice(0);
    const error = new ZonesealError('SIGNER_CLOSED', 'the signing workers were stopped');
    for (const job of this.#queue.splice(0)) job.reject(error);
    for (const member of members) for (const job of member.jobs.values()) job.reject(error);
    await Promise.all(members.map((member) => member.worker.terminate()));
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
    const job = member.jobs.get(response.id);
    member.jobs.delete(response.id);
    if (member.jobs.size === 0) member.worker.unref();
    if ('signed' in response) job?.resolve(response.signed);
    else job?.reject(new ZonesealError('SIGNER_FAILED', `a signature could not be made: ${response.error}`));
    this.#dispatch();
  }

  #replace(member: Member, reason: string): void {
    const index = this.#members.indexOf(member);
    if (index < 0 || this.#closed) return;
    this.#members[index] = this.#start();
    const error = new ZonesealError('SIGNER_FAILED', `a signing worker died (${reason}) and was replaced`);
    for (const job of member.jobs.values()) job.reject(error);
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let idlest: Member | undefined;
      for (const member of this.#members) {
        if (idlest === undefined || member.jobs.size < idlest.jobs.size) idlest = member;
      }
      if (idlest === undefined || idlest.jobs.size >= JOBS_A_WORKER) return;
      const job = this.#queue.shift() as Job;
      idlest.jobs.set(job.id, job);
      idlest.worker.ref(); // keeps the process alive while something is to be signed
      this.#tell(idlest, { kind: 'sign', id: job.id, block: job.block }, [job.block.buffer as ArrayBuffer]);
    }
  }

  #tell(member: Member, request: WorkerRequest, transfer: ArrayBuffer[] = []): void {
    member.worker.postMessage(request, transfer);
  }

  #tellAll(request: WorkerRequest): void {
    for (const member of this.#members) this.#tell(member, request);
  }
}
