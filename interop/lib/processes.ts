import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/clock.js';

/** How a program is started. */
export interface ProgramOptions {
  /** What messages call it. */
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Variables beside those of this process; undefined takes one away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const KEPT_LOG = 4 * 1024 * 1024;
const KILL_AFTER = 5000;

const running = new Set<RunningProgram>();
const folders = new Set<string>();
const cleaners: (() => void)[] = [];

/** Has something done when this process ends, by itself or by a signal; it has to be done at once. */
export function whenThisProcessEnds(clean: () => void): void {
  cleaners.push(clean);
}

/** What is left when this process ends without having stopped it: a failed hook, a signal. */
function cleanUp(): void {
  for (const program of running) program.kill('SIGKILL');
  for (const clean of cleaners) clean();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

process.once('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    cleanUp();
    process.kill(process.pid, signal);
  });
}

/** A temporary folder that is removed when this process ends, if not before. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `zoneseal-${name}-`));
  folders.add(folder);
  return folder;
}

/** Removes a temporary folder. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** A server that was started, with what it said. It does not outlive this process. */
export class RunningProgram {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #log = '';
  #hasEnded = false;

  private constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#child = spawn(options.path, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // a process group of its own, so that what it forks is ended with it
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => this.#note(chunk.toString('utf8')));
    }
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true;
        running.delete(this);
        resolve();
      };
      this.#child.once('exit', end);
      this.#child.once('error', (error) => {
        this.#note(`${error.message}\n`);
        end();
      });
    });
    running.add(this);
  }

  /** Starts a program; whether it gets on its feet is for `waitUntil` to find out. */
  static start(options: ProgramOptions): RunningProgram {
    return new RunningProgram(options);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The last 256 KiB of what it wrote to standard output and standard error. */
  get log(): string {
    return this.#log;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * Waits until something about the program is so.
   * @throws Error with the program's log when it ends before, or when the time is over
   */
  async waitUntil(
    what: string,
    check: () => Promise<boolean> | boolean,
    timeoutMilliseconds = 30_000,
  ): Promise<void> {
    const outcome = await poll(check, timeoutMilliseconds, () => this.#hasEnded);
    if (outcome === 'met') return;
    const how = outcome === 'given up' ? 'ended' : 'went on';
    throw new Error(`${this.name} ${how} without ${what}:\n${this.#log.slice(-6000)}`);
  }

  /** Sends a signal to it and all that it forked. */
  kill(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // it is gone
    }
  }

  /** Ends it with SIGTERM or, when that takes over five seconds, with SIGKILL; resolves when it has ended. */
  async stop(): Promise<void> {
    if (!this.#hasEnded) this.kill('SIGTERM');
    await Promise.race([this.#ended, sleep(KILL_AFTER, undefined, { ref: false })]);
    // also what it forked and left behind
    this.kill('SIGKILL');
    await this.#ended;
  }

  #note(text: string): void {
    this.#log = (this.#log + text).slice(-KEPT_LOG);
  }
}

/**
 * Waits until something is so, asking ten times a second.
 * @throws Error naming what was waited for
 */
export async function waitUntil(
  what: string | (() => string),
  check: () => Promise<boolean> | boolean,
  timeoutMilliseconds = 30_000,
): Promise<void> {
  if ((await poll(check, timeoutMilliseconds, () => false)) === 'met') return;
  throw new Error(`after ${timeoutMilliseconds / 1000} s: ${typeof what === 'string' ? what : what()}`);
}

async function poll(
  check: () => Promise<boolean> | boolean,
  timeoutMilliseconds: number,
  isHopeless: () => boolean,
): Promise<'met' | 'given up' | 'timed out'> {
  const deadline = systemClock.milliseconds() + timeoutMilliseconds;
  for (;;) {
    if (await check()) return 'met';
    if (isHopeless()) return 'given up';
    if (systemClock.milliseconds() >= deadline) return 'timed out';
    await sleep(100);
  }
}

/** What came of a program that ran to its end. */
export interface Outcome {
  /** Exit code; null when it was ended by a signal, such as at the end of its time. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, or ends it when its time is over. */
export function runProgram(
  path: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly environment?: Readonly<Record<string, string | undefined>>;
    readonly input?: string;
    readonly timeoutMilliseconds?: number;
  } = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      path,
      args,
      {
        cwd: options.cwd,
        env: { ...process.env, ...options.environment },
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
        timeout: options.timeoutMilliseconds ?? 60_000,
        killSignal: 'SIGKILL',
      },
      (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        const failure = error !== null && status === null ? `${error.message}\n` : '';
        resolve({ status, stdout, stderr: stderr + failure });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a program that has to succeed; its standard output. @throws Error with what it said */
export async function runWell(...call: Parameters<typeof runProgram>): Promise<string> {
  const { status, stdout, stderr } = await runProgram(...call);
  if (status === 0) return stdout;
  const [path, args] = call;
  throw new Error(`${path} ${args.join(' ')}: exit ${status}\n${stderr}${stdout}`.slice(0, 8000));
}
