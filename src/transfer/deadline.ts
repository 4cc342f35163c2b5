import { ZonesealError } from '../errors.js';

/**
 * What a promise gives, unless it takes too long or the signal is aborted first. What comes later is handed to
 * `discard`; a later rejection is dropped.
 * @param what what is waited for, as the error says it
 * @throws ZonesealError ANSWER_LATE; what the promise rejects with
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  what: string,
  limitMs: number,
  signal: AbortSignal,
  discard?: (late: T) => void,
): Promise<T> {
  let isLate = false;
  const guarded = promise.then((value) => {
    if (isLate) discard?.(value);
    return value;
  });
  let stop = (_reason: string): void => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = (reason) => {
      isLate = true;
      reject(new ZonesealError('ANSWER_LATE', `${what}: ${reason}`));
    };
  });
  const abort = (): void => stop('the client is gone');
  const timer = setTimeout(() => stop(`it took longer than ${limitMs / 1000} s`), limitMs);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([guarded, stopped]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
