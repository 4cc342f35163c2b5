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
  TSIG_KEY_INVALID: 'a TSIG key whose name, algorithm or secret cannot be read',
  // keys/
  POLICY_INVALID: 'a policy has a field that is unknown, wrong or unsafe',
  // zone/
  ZONE_INVALID: 'the zone as one view sees it breaks a rule of DNS',
  // keys/ and barbican/
  KEY_UNREADABLE: 'key material of no known form, or damaged',
  KEY_UNSUPPORTED: 'a key of a kind that DNSSEC or Zoneseal does not use',
  KEY_PASSPHRASE_NEEDED: 'encrypted key material came without its passphrase',
  KEY_PASSPHRASE_WRONG: 'a passphrase does not open the key material',
  KEY_MISSING: 'the key store has no secret under a reference',
  KEY_EXPIRES: 'the key store is to delete a secret by itself, at a time that is too near',
  KEY_MISMATCH: 'a private key is not the one that its DNSKEY or record names',
  KEY_TAG_TAKEN: 'the tag of a key is that of another one in use',
  KEYS_UNSAFE: 'keys cannot be used at once: caches hold what does not validate with them',
  KEY_IN_USE: 'a key that signs or is published cannot be deleted',
  KEY_SET_INVALID: 'a key set does not sign what it has to',
  KEY_SELF_TEST_FAILED: 'a signature made with a new key does not verify',
  KEYSTORE_UNAVAILABLE: 'the key store does not answer, or answers that it cannot',
  KEYSTORE_FORBIDDEN: 'the key store refuses the credentials or their role',
  KEYSTORE_QUOTA: "the key store keeps no more secrets: the project's quota is used up",
  KEYSTORE_REFUSED: 'the key store refuses what it was asked to keep or give',
  KEYSTORE_ANSWER_INVALID: 'the key store answers in a way that its API does not allow',
  KEYSTORE_CONFIG_INVALID: 'the settings for the key store contradict themselves or it',
  // signing/
  ALGORITHM_UNSUPPORTED: 'an algorithm that Zoneseal does not sign with',
  KEY_UNKNOWN: 'a block to be signed names a key that the signer does not hold',
  SIGNER_CLOSED: 'the signing workers were stopped',
  SIGNER_FAILED: 'a signature could not be made',
  PAGE_INVALID: 'a stored page of signed records is damaged, or of a format that this release does not know',
  // publication/
  GATEWAY_STOPPING: 'the gateway is being stopped',
  PAGES_LOST: 'the stored pages of a publication are gone or do not fit together',
  JOURNAL_LOST: 'the stored difference between two publications is gone or damaged',
  PUBLICATION_LOST: 'another gateway has taken over a publication that was being built here',
  PUBLICATION_FAILED: 'the newest publication of a zone failed and there is none before it',
  PUBLICATION_NOT_READY: 'a publication is being built elsewhere and is not ready yet',
  PUBLICATION_REFUSED_BY_GATE: 'what was signed does not pass the checks before it is served',
  // transfer/ and server/
  SPOOL_FULL: 'images have no room left: the limit on spool octets is reached, or the disk is full',
  SPOOL_FAILED: 'a spool file cannot be made, written or read',
  IMAGE_CLOSED: 'an image or reader was used after it was given up',
  ANSWER_LATE: 'an answer was not ready in time, or the client had gone',
  ACCESS_INVALID:
    'an address range is malformed, or opened for two views; or a TSIG key would have two views of a zone at one address',
  LISTEN_FAILED: 'an address and port cannot be listened on',
  // store/
  DATABASE_UNAVAILABLE: 'the database does not answer or refuses connections for now',
  DATABASE_REFUSED_LOGIN: 'the database refuses the user, the password or the name of the database',
  DATABASE_CONFLICT: 'a transaction lost against others several times (deadlock, serialization)',
  DATABASE_TIMEOUT: 'a statement took longer than it may',
  DATABASE_FORBIDDEN: 'the role of the connection lacks a right',
  DATABASE_FAILED: 'the database reports an error that is none of the others',
  DATABASE_NEWER: 'the database was migrated by a newer release than this one',
  DATABASE_SET_BACK:
    'the database was set back, and what it has is not served before serials are past what nameservers serve',
  DATA_REFUSED: 'a constraint of the database refuses what was to be written',
  MIGRATION_FAILED: 'a migration cannot be applied, or is not the one that was applied',
  EMBEDDED_FAILED: 'the embedded database cannot be started, or has stopped',
  NOT_HELD: 'the database holds no zone, view, policy, key or row of that name',
  ALREADY_HELD: 'the database holds a zone, view or key of that name already',
  VERSION_NOT_RETAINED: 'a zone version that no retained publication names cannot be read any more',
  VIEWS_OVERLAP: 'a row would be seen by a view that sees another row of its owner and type',
  // cli/
  FILE_UNWRITABLE: 'a file that was asked for cannot be written',
  // config.ts
  CONFIG_INVALID: 'the configuration has errors, each named with its line',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error with a stable code and typed fields; never holds secrets, tokens or raw bytes from the network. */
export class ZonesealError extends Error {
  readonly code: ErrorCode;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    fields: Record<string, unknown> = {},
    options?: ErrorOptions,
  ) {
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
