import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorMessage, ZonesealError } from '../errors.js';
import { EXIT_CODES } from './exit.js';

/** Ends the process when whoever reads the output has gone: there is nobody left to tell. */
export function handleBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT_CODES.BROKEN_PIPE.code);
      throw error;
    });
  }
}

/** Says something to the person at the terminal; never a part of the output that a program reads. */
export function say(message: string): void {
  process.stderr.write(`${message}\n`);
}

/** Text that goes to a file or to standard output. */
export interface TextSink {
  /** Resolves when more can be taken. */
  write(text: string): Promise<void>;
  /** Everything was written: a file appears under its name. */
  commit(): Promise<void>;
  /** Nothing more comes: a file does not appear. */
  abort(): Promise<void>;
}

/** Standard output, for any command. */
export const standardOutput: TextSink = {
  write: (text) => writeTo(process.stdout, text),
  commit: () => Promise.resolve(),
  abort: () => Promise.resolve(),
};

/**
 * A file that appears whole or not at all: it is written beside its place and then renamed; with `-` or nothing, standard
 * output.
 * @param mode permissions of the file; those of other files where left out
 * @throws ZonesealError FILE_UNWRITABLE, as do its methods
 */
export async function openSink(path: string | undefined, mode = 0o666): Promise<TextSink> {
  if (path === undefined || path === '-') return standardOutput;
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  // told of now, before there is something that is to be written
  const present = await stat(path).catch(() => undefined);
  if (present?.isDirectory() === true) throw unwritable(path, 'EISDIR');
  const handle = await writing(path, () => open(temporary, 'wx', mode));
  unfinished.add(temporary);
  if (unfinished.size === 1) for (const signal of SIGNALS) process.on(signal, removeUnfinished);
  return new FileSink(path, temporary, handle);
}

/** Files that are being written, under their temporary names. */
const unfinished = new Set<string>();
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Ends the process on a signal, and leaves no half-written file behind. */
function removeUnfinished(signal: NodeJS.Signals): void {
  for (const path of unfinished) rmSync(path, { force: true });
  process.exit(signal === 'SIGINT' ? EXIT_CODES.INTERRUPTED.code : 143);
}

function finish(temporary: string): void {
  unfinished.delete(temporary);
  if (unfinished.size > 0) return;
  for (const signal of SIGNALS) process.off(signal, removeUnfinished);
}

class FileSink implements TextSink {
  readonly #path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;

  constructor(path: string, temporary: string, handle: FileHandle) {
    this.#path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  write(text: string): Promise<void> {
    return writing(this.#path, () => this.#handle.appendFile(text));
  }

  commit(): Promise<void> {
    return writing(this.#path, async () => {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#temporary, this.#path);
      finish(this.#temporary);
    });
  }

  async abort(): Promise<void> {
    if (!unfinished.has(this.#temporary)) return;
    await this.#handle.close().catch(() => undefined);
    await rm(this.#temporary, { force: true });
    finish(this.#temporary);
  }
}

async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw unwritable(path, (error as NodeJS.ErrnoException).code ?? errorMessage(error));
  }
}

function unwritable(path: string, reason: string): ZonesealError {
  return new ZonesealError('FILE_UNWRITABLE', `${path}: the file cannot be written (${reason})`, {
    file: path,
  });
}

function writeTo(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error == null ? resolve() : reject(error)));
  });
}

/** Prints one JSON document for a program to read. */
export async function printJson(value: unknown): Promise<void> {
  await standardOutput.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Prints lines. */
export async function printLines(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await standardOutput.write(`${lines.join('\n')}\n`);
}

/** Prints rows of words in columns under a heading. */
export async function printTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((word, column) => word.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  await printLines(all.map(line));
}
