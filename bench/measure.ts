import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What a whole process took, its children included. */
export interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Peak resident memory, megabytes; undefined where it was not seen. */
  readonly peakMegabytes?: number;
  readonly memory?: readonly MemoryPoint[];
}

/** Memory of a process over time: seconds since it was begun to be looked at, and resident megabytes. */
export type MemoryPoint = readonly [seconds: number, megabytes: number];

/** Runs a program to its end, looked at through /proc, or fails with what it said. Nothing else may end meanwhile: CPU is that of all children that ended. */
export function measure(
  program: string,
  args: readonly string[],
  cwd: string,
  options: { readonly timeoutMs?: number; readonly onOutput?: (text: string) => void } = {},
): Promise<Measured> {
  const { timeoutMs = 1_800_000, onOutput } = options;
  return new Promise((resolve, reject) => {
    const cpuBefore = endedChildrenCpuSeconds();
    const begun = performance.now();
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    const watch = child.pid === undefined ? undefined : new MemoryWatch(child.pid);
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => onOutput?.(chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2000);
      onOutput?.(chunk.toString());
    });
    child.once('error', (error) => {
      watch?.stop();
      reject(error);
    });
    child.once('close', (code) => {
      watch?.stop();
      if (code !== 0) return reject(new Error(`${program}: exit ${code}\n${said}`));
      resolve({
        seconds: (performance.now() - begun) / 1000,
        cpuSeconds: endedChildrenCpuSeconds() - cpuBefore,
        peakMegabytes: watch?.peakMegabytes ?? 0,
        memory: watch?.points ?? [],
      });
    });
  });
}

const LOOK_EVERY_MS = 50;
const MOST_POINTS = 400;

/** Looks at the memory of a process while it runs. */
export class MemoryWatch {
  readonly #pid: number;
  readonly #begun = performance.now();
  readonly #timer: NodeJS.Timeout;
  #points: MemoryPoint[] = [];
  #every = 1;
  #looks = 0;
  #peak = 0;
  #hasStopped = false;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** Looks once more, and then no more. */
  stop(): void {
    clearInterval(this.#timer);
    if (!this.#hasStopped) this.#look();
    this.#hasStopped = true;
  }

  /** The most that was resident at any time (VmHWM), as far as it could be seen. */
  get peakMegabytes(): number {
    return this.#peak;
  }

  /** Fewer for each second the longer it runs. */
  get points(): readonly MemoryPoint[] {
    return this.#points;
  }

  #look(): void {
    const status = processStatus(this.#pid);
    if (status === undefined) return;
    this.#peak = Math.max(this.#peak, status.peakMegabytes);
    if (this.#looks++ % this.#every !== 0) return;
    this.#points.push([(performance.now() - this.#begun) / 1000, status.megabytes]);
    if (this.#points.length < MOST_POINTS) return;
    this.#points = this.#points.filter((_, i) => i % 2 === 0);
    this.#every *= 2;
  }
}

/** CPU seconds of all children of this process that ended and were waited for, with theirs. */
function endedChildrenCpuSeconds(): number {
  const fields = statFields('self');
  return (Number(fields?.[13]) + Number(fields?.[14])) / TICKS;
}

/** Clock ticks a second in /proc (sysconf(_SC_CLK_TCK)), 100 on all Linux. */
const TICKS = 100;

/** The fields of /proc/PID/stat behind the name: state, parent and so on. */
function statFields(pid: number | 'self'): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // it has ended meanwhile
  }
}

/** CPU time of a process and its ended children so far, the memory it has and the most it had, by /proc. */
export function processStatus(
  pid: number,
): { cpuSeconds: number; peakMegabytes: number; megabytes: number } | undefined {
  const fields = statFields(pid);
  if (fields === undefined) return undefined;
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const megabytes = (what: string): number =>
      Number(new RegExp(`${what}:\\s+([0-9]+) kB`).exec(status)?.[1] ?? 0) / 1024;
    const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
    return { cpuSeconds: ticks / TICKS, peakMegabytes: megabytes('VmHWM'), megabytes: megabytes('VmRSS') };
  } catch {
    return undefined;
  }
}

/** CPU seconds of a process and all that descends from it, what has ended and was waited for included. */
export function treeCpuSeconds(root: number): number {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const parent = parentOf(pid);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const family = [root];
  for (const pid of family) family.push(...(children.get(pid) ?? []));
  return family.reduce((sum, pid) => sum + (processStatus(pid)?.cpuSeconds ?? 0), 0);
}

function parentOf(pid: number): number | undefined {
  const parent = statFields(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}
