import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What a whole process took, its children included. */
export interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Peak resident memory, megabytes; undefined where it was not seen. */
  readonly peakMegabytes?: number;
}

/** Runs a program to its end, looked at through /proc, or fails with what it said. */
export function measure(
  program: string,
  args: readonly string[],
  cwd: string,
  timeoutMs = 600_000,
): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'], timeout: timeoutMs });
    let peak = 0;
    let cpu = 0;
    const look = setInterval(() => {
      if (child.pid === undefined) return;
      const status = processStatus(child.pid);
      peak = Math.max(peak, status?.peakMegabytes ?? 0);
      cpu = Math.max(cpu, status?.cpuSeconds ?? 0);
    }, 50);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2000);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(look);
      if (code !== 0) return reject(new Error(`${program}: exit ${code}\n${said}`));
      resolve({ seconds: (performance.now() - begun) / 1000, cpuSeconds: cpu, peakMegabytes: peak });
    });
  });
}

/** CPU time and peak memory of a process so far, by /proc. */
export function processStatus(pid: number): { cpuSeconds: number; peakMegabytes: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
    const peak = /VmHWM:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return { cpuSeconds: ticks / 100, peakMegabytes: Number(peak?.[1] ?? 0) / 1024 };
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
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // it has ended meanwhile
  }
}
