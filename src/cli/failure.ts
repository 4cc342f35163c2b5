import { CommanderError } from 'commander';
import { ZonesealError } from '../errors.js';
import { EXIT_CODES, Exit, exitCodeOf, UsageError } from './exit.js';
import { say } from './terminal.js';

/**
 * Tells of what was thrown, and gives the exit code for it. Text for a person on standard error; with `--json`, one JSON
 * object there. A stack trace only with `--debug`.
 */
export function reportFailure(
  thrown: unknown,
  options: { readonly json: boolean; readonly debug: boolean },
): number {
  if (thrown instanceof CommanderError)
    return thrown.exitCode === 0 ? EXIT_CODES.OK.code : EXIT_CODES.USAGE.code;
  const code = exitCodeOf(thrown);
  if (thrown instanceof Exit) return code;
  const message = messageOf(thrown, code);
  if (options.json) {
    const kind =
      thrown instanceof ZonesealError ? thrown.code : thrown instanceof UsageError ? 'USAGE' : 'SYSTEM';
    const name = code === EXIT_CODES.INTERNAL.code ? 'INTERNAL' : kind;
    const fields = thrown instanceof ZonesealError ? thrown.fields : {};
    say(failureJson({ code: name, exit: code, message, fields }));
  } else {
    for (const line of message.split('\n')) say(`zoneseal: ${line}`);
  }
  if (options.debug && thrown instanceof Error) say(stackOf(thrown));
  return code;
}

/** An error as a program reads it. */
export function failureJson(error: {
  readonly code: string;
  readonly exit: number;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}): string {
  return JSON.stringify({ error: { fields: {}, ...error } });
}

function messageOf(thrown: unknown, code: number): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (code !== EXIT_CODES.INTERNAL.code || thrown instanceof ZonesealError) return message;
  return `internal error: ${message}; run it again with --debug, and report it`;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
