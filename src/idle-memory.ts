import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ownUtilization, type Utilization } from './give-way.js';

/** The process as far as its memory goes. */
export interface ProcessMemory {
  readonly work: Utilization;
  /** Octets that the heap has of the system, garbage and room for more included. */
  readonly heapOctets: () => number;
  /** Collects the garbage that is young, in some milliseconds. */
  readonly collectYoung: () => void;
  /** Collects all garbage, in some hundred milliseconds where much is in use, and gives back what room it leaves. */
  readonly collectAll: () => void;
}

/** How often it is looked whether the gateway is at rest. */
const LOOK_MS = 2000;
/**
 * What is done at one look after the other while it is. V8 gives room for young objects back where few were made in the five seconds and more since
 * it collected last, and pages of the heap that were left empty when it collected before.
 */
const STEPS = ['young', 'wait', 'wait', 'all', 'all'] as const;
/** A gateway that works for less of its time is at rest: it may pause for this. */
const REST = 0.1;
/** What the heap has grown by, since there was nothing to give back, that is worth it. */
const WORTH_OCTETS = 16 * 1024 * 1024;
const WORTH_PART = 0.25;

/**
 * Gives memory back once a gateway has come to rest. V8 collects when the heap is to grow, so what a hundred thousand first publications leave behind
 * would stay for as long as nothing is done any more.
 */
export class IdleMemory {
  readonly #memory: ProcessMemory;
  readonly #timer: NodeJS.Timeout;
  /** Steps since it is at rest. */
  #taken = 0;
  #left = 0;

  constructor(memory: ProcessMemory = ownMemory()) {
    this.#memory = memory;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { work, heapOctets, collectYoung, collectAll } = this.#memory;
    if (work() >= REST) this.#taken = 0;
    else if (this.#taken > 0 || heapOctets() >= this.#left * (1 + WORTH_PART) + WORTH_OCTETS) {
      const step = STEPS[this.#taken++];
      if (step === 'young') collectYoung();
      if (step === 'all') collectAll();
      // this itself is no work that came
      work();
      if (this.#taken < STEPS.length) return;
      this.#taken = 0;
      this.#left = heapOctets();
    }
  }
}

/** Of this process. */
export function ownMemory(): ProcessMemory {
  const collect = collector();
  return {
    work: ownUtilization(),
    heapOctets: () => {
      const { heapTotal, external } = process.memoryUsage();
      return heapTotal + external;
    },
    collectYoung: () => collect({ type: 'minor' }),
    collectAll: () => collect(),
  };
}

/** V8's own, which new contexts have while the flag is set. */
function collector(): (options?: { readonly type: 'minor' }) => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as ReturnType<typeof collector>;
  setFlagsFromString('--no-expose-gc');
  return collect;
}
