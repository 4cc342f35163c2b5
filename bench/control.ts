import { cpus } from 'node:os';
import { measure } from './measure.js';
import { during, say } from './progress.js';
import { compared, type Row, row } from './rows.js';

const CORES = cpus().length;

/** Signatures that `openssl speed` makes. */
export interface Bound {
  /** On all cores. */
  readonly perSecond: number;
  /** CPU seconds that one takes. */
  readonly cpuSeconds: number;
}

interface SpeedRun extends Bound {
  /** CPU seconds by the operating system's accounting, and as openssl measured them itself. */
  readonly accounted: number;
  readonly told: number;
}

/** Names of `openssl speed` for the algorithms. */
export type SpeedAlgorithm = 'ecdsap256' | 'ed25519' | 'rsa2048';

/**
 * The bound: as many signatures as `openssl speed` makes, in as many processes at once as there are cores. Each measures its
 * own CPU time, so that what else the machine does changes little; with `-multi` it would go by the clock on the wall.
 */
export async function signingBound(algorithm: SpeedAlgorithm = 'ecdsap256', seconds = 1): Promise<SpeedRun> {
  let said = '';
  const command = `openssl speed -mr -seconds ${seconds} ${algorithm}`;
  const script = `${Array.from({ length: CORES }, () => `${command} & `).join('')} wait`;
  const { cpuSeconds } = await measure('/bin/sh', ['-c', script], '/', {
    onOutput: (text) => {
      said += text;
    },
  });
  return { ...readSpeed(said), accounted: cpuSeconds };
}

/** What processes of `openssl speed -mr` say: signatures a second of all, and the CPU seconds they took to sign and verify. */
export function readSpeed(said: string): Bound & { readonly told: number } {
  const numbers = (pattern: RegExp): number[] => [...said.matchAll(pattern)].map((part) => Number(part[1]));
  // signing and verifying each: count, bits, for some algorithms a name, seconds
  const seconds = numbers(/^\+R[0-9]+:[0-9]+:[0-9]+:(?:[A-Za-z][^:\n]*:)?([0-9.]+)$/gm);
  // at the end of each process: signatures and verifications a second
  const rates = numbers(/^\+F[0-9]+:[0-9]+:[0-9]+:(?:[A-Za-z][^:\n]*:)?([0-9.]+):[0-9.]+$/gm);
  const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0);
  return { perSecond: sum(rates), cpuSeconds: rates.length / sum(rates), told: sum(seconds) };
}

/** Runs of `openssl speed` around everything else: they have to come out as known, and the same at both ends. */
export class Control {
  readonly #seconds: number;
  readonly #starts: SpeedRun[] = [];
  readonly #runs: number;

  constructor(quick: boolean) {
    this.#seconds = quick ? 1 : 2;
    this.#runs = quick ? 2 : 3;
  }

  async begin(): Promise<void> {
    this.#starts.push(...(await this.#measure()));
  }

  async finish(): Promise<Row[]> {
    const ends = await this.#measure();
    const all = [...this.#starts, ...ends];
    const rate = (runs: readonly SpeedRun[]): number[] => runs.map(({ perSecond }) => perSecond);
    return [
      compared(
        'control: CPU of openssl speed, as it is measured here',
        's',
        all.map(({ accounted }) => accounted),
        {
          peer: 'as openssl tells it',
          theirs: all.map(({ told }) => told),
          aim: 'control-accounting',
          note: 'children included: a shell runs one openssl speed a core',
        },
      ),
      compared(`control: openssl speed, P-256 on ${CORES} cores, at the end`, 'signatures/s', rate(ends), {
        peer: 'at the start',
        theirs: rate(this.#starts),
        aim: 'control-steady',
      }),
      row(
        'control: CPU of one P-256 signature of openssl speed',
        1e6 * (all[0]?.cpuSeconds ?? Number.NaN),
        'µs',
      ),
    ];
  }

  async #measure(): Promise<SpeedRun[]> {
    const runs: SpeedRun[] = [];
    for (let i = 0; i < this.#runs; i++) {
      runs.push(await during('control', () => signingBound('ecdsap256', this.#seconds)));
    }
    const last = runs.at(-1);
    say(
      `control: openssl speed makes ${last?.perSecond.toFixed(0)} P-256 signatures a second on ${CORES} cores`,
    );
    return runs;
  }
}
