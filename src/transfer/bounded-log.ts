import type { Clock } from '../clock.js';
import type { Log } from '../log.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const WINDOW_MS = 60_000;

/** Lines a minute of one message; what strangers bring about must not fill a disk. */
const DEFAULT_PER_MINUTE = 60;

/** Things that are said once; the oldest may be said again. */
const REMEMBERED = 1000;

/**
 * A log of what others bring about: each message a bounded number of times a minute; how many were left out is said
 * with the next one. Messages are constant texts; what varies goes to the fields.
 */
export class BoundedLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #windows = new Map<string, { since: number; count: number; suppressed: number }>();
  readonly #said = new Set<string>();

  constructor(log: Log, clock: Clock, perMinute = DEFAULT_PER_MINUTE) {
    this.#log = log;
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  write(level: LogLevel, fields: object, message: string): void {
    const now = this.#clock.milliseconds();
    let window = this.#windows.get(message);
    if (window === undefined || now - window.since >= WINDOW_MS || now < window.since) {
      window = { since: now, count: 0, suppressed: window?.suppressed ?? 0 };
      this.#windows.set(message, window);
    }
    if (window.count >= this.#perMinute) {
      window.suppressed++;
      return;
    }
    window.count++;
    this.#log[level](window.suppressed > 0 ? { ...fields, suppressed: window.suppressed } : fields, message);
    window.suppressed = 0;
  }

  /** Writes only the first time it is called with this key. */
  once(key: string, level: LogLevel, fields: object, message: string): void {
    if (this.#said.has(key)) return;
    this.#said.add(key);
    if (this.#said.size > REMEMBERED) {
      for (const eldest of this.#said) {
        this.#said.delete(eldest);
        break;
      }
    }
    this.write(level, fields, message);
  }
}
