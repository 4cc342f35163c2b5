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

/** The bound: as many signatures as `openssl speed` makes, in as many processes as there are cores. */
export async function signingBound(algorithm: SpeedAlgorithm = 'ecdsap256', seconds = 1): Promise<SpeedRun> {
  let said = '';
  const args = ['speed', '-mr', '-seconds', String(seconds), '-multi', String(CORES), algorithm];
  const { cpuSeconds } = await measure('openssl', args, '/', {
    onOutput: (text) => {
      said += text;
    },
  });
  return { ...readSpeed(said, CORES), accounted: cpuSeconds };
}

/** What `openssl speed -mr -multi` says: the signatures a second of all its processes, and the CPU seconds it took to sign and verify. */
export function readSpeed(said: string, processes: number): Bound & { readonly told: number } {
  // of each process, signing and verifying: count, bits, for some algorithms a name, seconds
  const parts = [...said.matchAll(/^\+R[0-9]+:[0-9]+:[0-9]+:(?:[A-Za-z][^:\n]*:)?([0-9.]+)$/gm)];
  // signatures and verifications a second of all together; those of each process stand behind "Got: "
  const total = /^\+F[0-9]+:[0-9]+:[0-9]+:(?:[A-Za-z][^:\n]*:)?([0-9.]+):[0-9.]+$/m.exec(said);
  const perSecond = Number(total?.[1]);
  return {
    perSecond,
    cpuSeconds: processes / perSecond,
    told: parts.reduce((sum, part) => sum + Number(part[1]), 0),
  };
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
          note: 'children included: openssl speed signs in child processes',
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
