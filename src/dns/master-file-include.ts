import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import path from 'node:path';

const CHUNK_OCTETS = 1 << 17;

/** The octets of a file in chunks; a chunk is overwritten when the next one is asked for. */
export class FileChunks implements AsyncIterable<Uint8Array> {
  readonly #handle: FileHandle;
  readonly #buffer = Buffer.allocUnsafeSlow(CHUNK_OCTETS);

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const { bytesRead } = await this.#handle.read(this.#buffer, 0, CHUNK_OCTETS, null);
        if (bytesRead > 0) return { done: false, value: this.#buffer.subarray(0, bytesRead) };
        await this.#handle.close();
        return { done: true, value: undefined };
      },
      return: async () => {
        await this.#handle.close();
        return { done: true, value: undefined };
      },
    };
  }
}

/** Opens a file that an operator named; anything that can be read will do, pipes included. */
export async function openFile(file: string): Promise<FileChunks> {
  return new FileChunks(await open(file, constants.O_RDONLY));
}

/**
 * Opens a file for $INCLUDE, relative to a folder and nowhere but in it: no `..`, no absolute path to another place, no
 * symbolic link that leads out, no device or pipe.
 * @throws Error whose message is the reason
 */
export async function openInclude(
  folder: string,
  name: string,
): Promise<{ chunks: FileChunks; path: string }> {
  if (name === '' || name.includes('\0'))
    throw new Error('the name of the file to include is empty or not a path');
  if (name.split(/[/\\]/).includes('..')) throw new Error(`$INCLUDE "${name}" must not contain ".."`);
  const confines = await realpath(folder);
  const target = path.resolve(confines, name);
  if (!isWithin(target, confines) && !isWithin(target, path.resolve(folder))) {
    throw new Error(`$INCLUDE "${name}" is outside of the folder that files may be included from`);
  }
  const real = await realpath(target).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`$INCLUDE "${name}" cannot be read (${cause.code ?? 'unknown reason'})`, { cause });
  });
  if (!isWithin(real, confines)) {
    throw new Error(`$INCLUDE "${name}" leads through a symbolic link out of its folder`);
  }
  return { chunks: new FileChunks(await openRegular(real, name)), path: real };
}

async function openRegular(real: string, name: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new Error(`$INCLUDE "${name}" cannot be read (${code})`, { cause });
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error(`$INCLUDE "${name}" is not a regular file`);
}

function isWithin(target: string, folder: string): boolean {
  return target.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
}
