import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from '../config.js';

/** Names of fields that hold secrets by their nature; they are never meant to be logged, and are cut out if they are. */
const REDACTED = ['password', 'secret', 'token', 'payload', 'passphrase', 'privateKey', 'authorization'];

/** The logger of a gateway: JSON lines on standard output, or text for a person on standard error. */
export function openLogger(config: Config['log']): Logger {
  const options = {
    level: config.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
  };
  return config.format === 'json' ? pino(options) : pino(options, textStream());
}

/** `12:00:00 info  publication ready zone=example. view=internal` */
function textStream(): DestinationStream {
  return {
    write: (line) => {
      const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
      const words = Object.entries(fields).map(([key, value]) => `${key}=${textOf(value)}`);
      const clock = String(time).slice(11, 19);
      process.stderr.write(`${clock} ${String(level).padEnd(5)} ${[String(msg), ...words].join('  ')}\n`);
    },
  };
}

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[\s"]/.test(text) && typeof value === 'string' ? JSON.stringify(value) : text;
}
