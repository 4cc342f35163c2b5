/**
 * Every error that Zoneseal itself raises carries one of these codes. The text beside a code says what
 * the code stands for; the message of the thrown error names the zone, the record, the cause and the next step.
 */
export const ERROR_CODES = {
  // dns/
  NAME_INVALID: 'a domain name breaks a limit or an escape of RFC 1035',
  TYPE_UNKNOWN: 'a type mnemonic that is neither known nor of the form TYPEnnn',
  RDATA_INVALID: 'rdata that its type does not allow',
  MASTER_FILE_INVALID: 'a master file has an error, named by file, line and column',
  MESSAGE_INVALID: 'a DNS message that breaks its format',
  MESSAGE_TOO_LARGE: 'a record or message does not fit into 65,535 octets',
  // keys/
  POLICY_INVALID: 'a policy has a field that is unknown, wrong or unsafe',
  // zone/
  ZONE_INVALID: 'the zone as one view sees it breaks a rule of DNS',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error with a stable code and typed fields; never holds secrets, tokens or raw bytes from the network. */
export class ZonesealError extends Error {
  readonly code: ErrorCode;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, fields: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ZonesealError';
    this.code = code;
    this.fields = fields;
  }
}

/** The message of anything that was thrown. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
