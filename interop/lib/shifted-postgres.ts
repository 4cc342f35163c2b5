/** A PostgreSQL whose clock a test moves, by libfaketime; whatever its clients' clocks say. */
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { machine } from 'node:os';
import { join } from 'node:path';
import type { PostgresOptions } from './postgres.js';
import { temporaryFolder } from './processes.js';
import { multiarch } from './tools.js';

const LIBRARY = `/usr/lib/${multiarch(machine())}/faketime/libfaketime.so.1`;

/** How far the clock is ahead of the host's, and what a server needs so that it follows. */
export class ShiftedClock {
  readonly #file: string;
  #seconds = 0;

  constructor() {
    const folder = temporaryFolder('clock');
    // the server runs as a user of its own
    chmodSync(folder, 0o755);
    this.#file = join(folder, 'time');
    this.moveTo(0);
  }

  /** Seconds ahead of the host's clock. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Options of a server that has this clock. */
  get postgres(): PostgresOptions {
    return {
      environment: {
        LD_PRELOAD: LIBRARY,
        FAKETIME_TIMESTAMP_FILE: this.#file,
        FAKETIME_NO_CACHE: '1',
        // time-outs go on by themselves
        DONT_FAKE_MONOTONIC: '1',
      },
    };
  }

  /** Sets the clock so many seconds ahead of the host's; backwards, too. */
  moveTo(seconds: number): void {
    this.#seconds = seconds;
    // the server reads it at any moment, and never half of it
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`, { mode: 0o644 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Moves the clock on, or back. */
  move(seconds: number): void {
    this.moveTo(this.#seconds + seconds);
  }
}
