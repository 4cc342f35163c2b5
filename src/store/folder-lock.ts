import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { isAlive, startOf } from '../process-start.js';

const holderSchema = z.object({
  pid: z.int().min(1),
  /** When the process started, in whatever unit the system counts; tells it from a later one with the same number. */
  started: z.string(),
  /** Folder of the socket under which the holder serves the database. */
  socketFolder: z.string(),
});

/** Who has a folder open. */
export type LockHolder = z.infer<typeof holderSchema>;

function readHolder(path: string): LockHolder | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    // never written in parts: whatever this is, no living process holds it
    return { pid: 0x7fff_ffff, started: text, socketFolder: '' };
  }
}

/**
 * Takes a lock file, or tells who has it. The lock of a process that is gone is taken over.
 * @returns undefined when this process has it now
 */
export function takeLock(path: string, socketFolder: string): LockHolder | undefined {
  const own: LockHolder = { pid: process.pid, started: startOf(process.pid), socketFolder };
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, `${JSON.stringify(own)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    for (;;) {
      try {
        linkSync(temporary, path); // appears whole, or not at all
        return undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readHolder(path);
      if (holder === undefined) continue;
      if (isAlive(holder)) return holder;
      removeStale(path, holder);
    }
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Removes a dead process's lock, but not that of another one who was quicker to do the same. */
function removeStale(path: string, stale: LockHolder): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = readHolder(aside);
  if (moved !== undefined && (moved.pid !== stale.pid || moved.started !== stale.started)) {
    try {
      linkSync(aside, path);
    } catch {
      // someone has taken it meanwhile
    }
  }
  rmSync(aside, { force: true });
}

/** Gives a lock back. */
export function releaseLock(path: string): void {
  rmSync(path, { force: true });
}
