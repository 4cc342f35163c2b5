import { readFileSync } from 'node:fs';

/** A process as it is written down for others: a number alone may be a later process's, and in a container often is. */
export interface ProcessMark {
  readonly pid: number;
  /** When the process started, in whatever unit the system counts; empty where that is not known. */
  readonly started: string;
}

/** When a process started, as Linux tells it; empty elsewhere. */
export function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // the command's name may hold anything, its closing parenthesis is the last one; field 22 counts from the first
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** Whether the process that was written down still runs, and not another one under its number. */
export function isAlive({ pid, started }: ProcessMark): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = startOf(pid);
  return now === '' || started === '' || now === started;
}
