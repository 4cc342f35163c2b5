import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage, ZonesealError } from '../errors.js';

/** Where the messages of one image are kept that are not in memory. */
export interface Spool {
  /** Writes all octets at a position; calls do not overlap. @throws ZonesealError SPOOL_FULL or SPOOL_FAILED */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>;
  /** Exactly `length` octets at a position, in memory of their own. @throws ZonesealError SPOOL_FAILED */
  read(position: number, length: number): Promise<Uint8Array>;
  /** Gives the disk space back once reads under way have ended. */
  close(): Promise<void>;
}

const PREFIX = 'zoneseal-image-';

/** No room on the device, or none that this process may take. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Makes the spool folder (0700) and removes what a gateway that was killed between making and unlinking a file left in
 * it. A file that another gateway is just making may go as well; it is unlinked anyway.
 * @throws ZonesealError SPOOL_FAILED
 */
export async function prepareSpoolFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    await Promise.all(
      names.filter((it) => it.startsWith(PREFIX)).map((it) => unlinkIfThere(join(folder, it))),
    );
  } catch (error) {
    throw failed('prepared', error, folder);
  }
}

/** A file that has no name any more: nobody else can open it, and it is gone when the process is (0600 until then). */
export class SpoolFile implements Spool {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @throws ZonesealError SPOOL_FULL or SPOOL_FAILED */
  static async create(folder: string): Promise<SpoolFile> {
    const path = join(folder, `${PREFIX}${randomBytes(12).toString('hex')}`);
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'wx+', 0o600);
      await unlinkIfThere(path);
      return new SpoolFile(file);
    } catch (error) {
      await file?.close();
      throw failed('made', error, folder);
    }
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    const octets = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
    try {
      for (let done = 0; done < octets.length; ) {
        done += (await this.#file.write(octets, done, octets.length - done, position + done)).bytesWritten;
      }
    } catch (error) {
      throw failed('written', error);
    }
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const octets = new Uint8Array(length);
    try {
      for (let done = 0; done < length; ) {
        const { bytesRead } = await this.#file.read(octets, done, length - done, position + done);
        if (bytesRead === 0) throw new Error('it is shorter than what was written to it');
        done += bytesRead;
      }
    } catch (error) {
      throw failed('read', error);
    }
    return octets;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function failed(what: string, error: unknown, folder?: string): ZonesealError {
  const errno = errnoOf(error);
  const fields = { errno, ...(folder === undefined ? {} : { folder }) };
  const where = folder === undefined ? '' : ` in ${folder}`;
  if (errno !== undefined && FULL.has(errno)) {
    const text = `the disk is full: a spool file cannot be ${what}${where} (${errno}); free space or move the spool`;
    return new ZonesealError('SPOOL_FULL', text, fields, { cause: error });
  }
  const text = `a spool file cannot be ${what}${where}: ${errorMessage(error)}`;
  return new ZonesealError('SPOOL_FAILED', text, fields, { cause: error });
}

function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
