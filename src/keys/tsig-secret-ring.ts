import { type Clock, systemClock } from '../clock.js';
import { Name } from '../dns/name.js';
import { parseTsigKeyFile, type TsigAlgorithm, type TsigKey } from '../dns/tsig-key.js';
import { ZonesealError } from '../errors.js';
import { isBase64 } from './formats/shape.js';
import type { KeyRingState, SecretPayload, SecretSource } from './key-ring.js';
import { SecretCache } from './secret-cache.js';

/** A TSIG key as the database knows it: what it is called, and where its secret is. */
export interface TsigKeyRecord {
  /** The key's name, absolute presentation format. */
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  /** The Barbican reference (a URL) of the secret. */
  readonly secretRef: string;
}

export interface TsigSecretRingOptions {
  /** How many are kept in memory; the least recently used ones go first. Default 4,096. */
  readonly maxKeys?: number;
  /** Milliseconds for which a failed fetch stands. Default 5,000. */
  readonly failurePause?: number;
  readonly clock?: Clock;
}

/** The TSIG secrets in the memory of this process, fetched at need and kept while the key store is away. */
export class TsigSecretRing {
  readonly #source: SecretSource;
  readonly #cache: SecretCache<TsigKey>;

  constructor(source: SecretSource, options: TsigSecretRingOptions = {}) {
    this.#source = source;
    const { maxKeys = 4096, failurePause = 5000, clock = systemClock } = options;
    this.#cache = new SecretCache(maxKeys, { clock, failurePause });
  }

  /**
   * The key of a record; concurrent callers share one fetch. A failure stands for some seconds: whoever knows a key's
   * name can ask for it, and must not be able to keep the key store busy.
   * @throws ZonesealError KEYSTORE_UNAVAILABLE, KEYSTORE_FORBIDDEN, KEY_MISSING, TSIG_KEY_INVALID, KEY_MISMATCH
   */
  key(record: TsigKeyRecord): Promise<TsigKey> {
    const id = identity(record);
    return this.#cache.get(id, id, () => this.#fetch(record));
  }

  /** The key of a record if it is in memory. */
  peek(record: TsigKeyRecord): TsigKey | undefined {
    const id = identity(record);
    return this.#cache.peek(id, id);
  }

  /** Forgets a key. */
  drop(record: TsigKeyRecord): void {
    this.#cache.drop(identity(record));
  }

  /** Forgets the secrets that no TSIG key has any more. @param references those that keys have */
  keepOnly(references: ReadonlySet<string>): void {
    for (const id of this.#cache.ids()) {
      if (!references.has(id.slice(0, id.indexOf(' ')))) this.#cache.drop(id);
    }
  }

  /** Forgets all keys. */
  clear(): void {
    this.#cache.clear();
  }

  get state(): KeyRingState {
    return this.#cache.state;
  }

  async #fetch(record: TsigKeyRecord): Promise<TsigKey> {
    try {
      return readTsigSecret(record, await this.#source.fetchPayload(record.secretRef));
    } catch (error) {
      const known = error instanceof ZonesealError ? error : undefined;
      const reason = known?.message ?? 'its secret cannot be read';
      const fields = { ...known?.fields, tsigKey: record.name };
      throw new ZonesealError(
        known?.code ?? 'TSIG_KEY_INVALID',
        `TSIG key ${record.name}: ${reason}`,
        fields,
      );
    }
  }
}

/** A key that got another secret is fetched anew; during a change both are there. */
function identity(record: TsigKeyRecord): string {
  return `${record.secretRef} ${record.name} ${record.algorithm}`;
}

/**
 * The key that a stored secret makes: the octets themselves (application/octet-stream), or a text that is a BIND
 * `key` statement, `algorithm:name:base64`, or the base64 alone. A text that names a key has to name this one.
 * @throws ZonesealError TSIG_KEY_INVALID, KEY_MISMATCH
 */
export function readTsigSecret(record: Omit<TsigKeyRecord, 'secretRef'>, secret: SecretPayload): TsigKey {
  const name = Name.parse(record.name);
  const { payload } = secret;
  if (secret.contentType !== 'text/plain') {
    if (payload.length === 0) throw new ZonesealError('TSIG_KEY_INVALID', 'its secret is empty');
    return { name, algorithm: record.algorithm, secret: payload };
  }
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('latin1').trim();
  if (isBase64(text)) {
    return { name, algorithm: record.algorithm, secret: new Uint8Array(Buffer.from(text, 'base64')) };
  }
  const key = parseTsigKeyFile(text);
  if (!key.name.equals(name)) throw mismatch('the stored secret is for a key of another name');
  if (key.algorithm !== record.algorithm) throw mismatch('the stored secret is for another algorithm');
  return key;
}

function mismatch(reason: string): ZonesealError {
  return new ZonesealError('KEY_MISMATCH', `${reason}; import the key anew`, { reason });
}
