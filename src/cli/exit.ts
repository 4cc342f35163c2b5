import { ZonesealError } from '../errors.js';

/** The exit codes of the command, with what each says; the reference prints this table. */
export const EXIT_CODES = {
  OK: { code: 0, meaning: 'done; for `check`, `verify` and `status`: no fault' },
  REFUSED: { code: 1, meaning: 'faults were found, or what was asked for is refused; nothing was changed' },
  USAGE: { code: 2, meaning: 'a wrong command line, or a configuration with errors' },
  DATABASE: { code: 3, meaning: 'the database does not answer, or refuses the connection' },
  KEY_STORE: { code: 4, meaning: 'the key store (Barbican) does not answer, or refuses the credentials' },
  INTERNAL: { code: 70, meaning: 'a fault of Zoneseal itself' },
  INTERRUPTED: { code: 130, meaning: 'interrupted (SIGINT); 143 for SIGTERM' },
  BROKEN_PIPE: { code: 141, meaning: 'whoever read the output went away' },
} as const;

/** Ends a command with an exit code after everything there is to say was said. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.name = 'Exit';
    this.code = code;
  }
}

/** A command line that is wrong in a way that commander does not see. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The exit code for anything that was thrown. */
export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof Exit) return thrown.code;
  if (thrown instanceof UsageError) return EXIT_CODES.USAGE.code;
  if (thrown instanceof ZonesealError) return exitCodeOfZoneseal(thrown);
  // what the system refuses (a file that is not there, a full disk) is no fault of Zoneseal
  if (thrown instanceof Error && 'syscall' in thrown) return EXIT_CODES.REFUSED.code;
  return EXIT_CODES.INTERNAL.code;
}

/** Faults of the database whose codes do not say so. */
const DATABASE_FAILURES = new Set<string>(['EMBEDDED_FAILED', 'MIGRATION_FAILED']);

function exitCodeOfZoneseal({ code }: ZonesealError): number {
  if (code === 'CONFIG_INVALID' || code === 'KEYSTORE_CONFIG_INVALID') return EXIT_CODES.USAGE.code;
  if (code.startsWith('DATABASE_') || DATABASE_FAILURES.has(code)) return EXIT_CODES.DATABASE.code;
  if (code.startsWith('KEYSTORE_')) return EXIT_CODES.KEY_STORE.code;
  if (code.startsWith('SIGNER_')) return EXIT_CODES.INTERNAL.code;
  return EXIT_CODES.REFUSED.code;
}
