import { randomBytes } from 'node:crypto';
import { Name } from '../dns/name.js';
import type { TsigAlgorithm } from '../dns/tsig-key.js';
import { ALGORITHMS } from '../dnssec/algorithm.js';
import { ZonesealError } from '../errors.js';
import { decodePrivateKey } from './formats/decode.js';
import { generateKey, type NewKey } from './generate.js';
import { checkHalves } from './halves.js';
import { keyError } from './key-error.js';
import type { KeyRole, ZoneKey } from './key-set.js';
import type { DeletedKey, SecretCreation, SecretCreations, SecretPlan } from './secret-creations.js';
import {
  type SecretConsumer,
  type SecretFate,
  type SecretKeeper,
  shortText,
  tsigKeyPrefix,
  zoneKeyPrefix,
} from './secret-keeper.js';

/** Who may read what is stored, beside its maker. */
export interface SecretAccess {
  /** Whether the rest of the project is shut out. */
  readonly isPrivate: boolean;
  /** Ids of the users that may read all the same. */
  readonly readers: readonly string[];
}

export interface KeyMakerOptions {
  readonly keeper: SecretKeeper;
  readonly creations: SecretCreations;
  /** Which gateway or command this is; goes into the metadata of secrets. */
  readonly createdBy: string;
  readonly access: SecretAccess;
}

/** A key that is wanted. */
export interface KeyRequest {
  readonly zone: Name;
  readonly role: KeyRole;
  /** The DNSSEC algorithm number. */
  readonly algorithm: number;
  /** For RSA: the modulus in bits, 2048 where left out. */
  readonly rsaBits?: number;
  /** The one view in which a ZSK signs; null for all. */
  readonly view: string | null;
  /** Tags that it must not get, `takenKeyTags`. */
  readonly takenTags: ReadonlySet<number>;
}

/**
 * A secret in the key store that was read back and proved. Nobody uses it yet: the row with its reference is to be written
 * within CREATION_PATIENCE_SECONDS, or it is removed.
 */
export interface StoredSecret {
  readonly token: string;
  readonly secretRef: string;
}

/** A key that was made and proved, as a row of its zone's key set needs it. */
export type CreatedKey = StoredSecret &
  Pick<NewKey, 'algorithm' | 'role' | 'flags' | 'keyTag' | 'publicKey'> & { readonly view: string | null };

/** What was done with what others had left half made. */
export interface Resolved {
  readonly removed: readonly SecretCreation[];
  readonly failed: readonly { readonly creation: SecretCreation; readonly error: ZonesealError }[];
}

/** What was done with private keys of deleted zones. */
export interface DestroyedKeys {
  readonly destroyed: readonly DeletedKey[];
  /** Of other zones as well, or not made here: they stay in the key store. */
  readonly kept: readonly DeletedKey[];
  readonly failed: readonly { readonly key: DeletedKey; readonly error: ZonesealError }[];
}

/**
 * How long a creation may take before others remove what is there of it. Longer than any request that was sent may take to
 * arrive, so that a secret does not turn up after it was looked for.
 */
export const CREATION_PATIENCE_SECONDS = 900;

/**
 * Makes, stores and destroys secrets so that none is left in the key store without anyone knowing of it: what is about to be made is written to
 * the database first, with a random token that the secret has in its name, and is finished by the row that uses it. What a crash left in between is found
 * by that token, and removed.
 */
export class KeyMaker {
  readonly #options: KeyMakerOptions;

  constructor(options: KeyMakerOptions) {
    this.#options = options;
  }

  /**
   * Makes a key, stores it, reads it back, and proves it by a signature. The zone's key set does not have it yet.
   * @throws ZonesealError KEY_UNSUPPORTED, KEY_TAG_TAKEN, KEY_SELF_TEST_FAILED, and as storeKey
   */
  async createKey(request: KeyRequest): Promise<CreatedKey> {
    const { zone, view, ...wanted } = request;
    const key = await generateKey(wanted);
    try {
      return await this.storeKey(zone, key, view);
    } finally {
      key.pkcs8.fill(0);
    }
  }

  /**
   * Stores a private key that is at hand, reads it back, and proves it by a signature.
   * @throws ZonesealError KEYSTORE_UNAVAILABLE, KEYSTORE_FORBIDDEN, KEYSTORE_QUOTA, KEYSTORE_REFUSED, KEY_MISMATCH, naming zone, key tag, cause and next step
   */
  async storeKey(
    zone: Name,
    key: Pick<NewKey, 'algorithm' | 'role' | 'flags' | 'keyTag' | 'publicKey' | 'pkcs8' | 'privateKey'>,
    view: string | null,
  ): Promise<CreatedKey> {
    const { algorithm, role, flags, keyTag, publicKey } = key;
    const text = zone.toLower().toString();
    const { name: kind, bits } = kindOf(algorithm, key.privateKey.asymmetricKeyDetails?.modulusLength);
    try {
      const stored = await this.#store({
        plan: { kind: 'zone-key', zone: text, role, algorithm: String(algorithm), keyTag, bits, view },
        name: `${zoneKeyPrefix(zone)}${role} ${algorithm} ${keyTag}`,
        secret: { type: 'private', payload: key.pkcs8, contentType: 'application/pkcs8' },
        kind: { algorithm: kind, bitLength: bits },
        metadata: {
          zone: text,
          role,
          algorithm: String(algorithm),
          'key-tag': String(keyTag),
          ...(view === null ? {} : { view }),
        },
        consumer: zoneConsumer(zone),
        prove: async (payload) => {
          const decoded = await decodePrivateKey(payload);
          checkHalves(key, decoded);
          decoded.pkcs8.fill(0);
        },
      });
      return { ...stored, algorithm, role, flags, keyTag, publicKey, view };
    } catch (error) {
      throw keyError({ zone: text, keyTag, algorithm, role }, error);
    }
  }

  /**
   * Stores a secret of a TSIG key, and compares it with what is read back.
   * @throws ZonesealError as storeKey
   */
  async storeTsigSecret(name: Name, algorithm: TsigAlgorithm, octets: Uint8Array): Promise<StoredSecret> {
    const text = name.toLower().toString();
    try {
      return await this.#store({
        plan: { kind: 'tsig', tsigKey: text, algorithm },
        name: `${tsigKeyPrefix(name)}${algorithm}`,
        secret: { type: 'symmetric', payload: octets, contentType: 'application/octet-stream' },
        kind: { algorithm: 'hmac', bitLength: octets.length * 8 },
        metadata: { 'tsig-key': text, algorithm },
        consumer: tsigConsumer(name),
        prove: (payload) => {
          if (Buffer.compare(payload, octets) === 0) return Promise.resolve();
          throw new ZonesealError('KEY_MISMATCH', 'the key store gives back another secret than was stored');
        },
      });
    } catch (error) {
      const known = error instanceof ZonesealError ? error : undefined;
      const reason = known?.message ?? 'its secret cannot be stored';
      throw new ZonesealError(known?.code ?? 'KEYSTORE_REFUSED', `TSIG key ${text}: ${reason}`, {
        ...known?.fields,
        tsigKey: text,
      });
    }
  }

  /** Removes what was made and is not wanted after all. Never throws: what is left, others remove later. */
  async discard({ token, secretRef }: StoredSecret): Promise<void> {
    await this.#undo(token, secretRef, true);
  }

  /**
   * Deletes the private key of a zone's key for good; one that is gone already is fine. A secret that other keys use as well stays, and so does
   * one that was not put into the key store from here for this zone. The row of the key is to be deleted afterwards: the other way about, a crash
   * would leave the secret behind.
   * @param whosever whether a secret that an operator has put there goes as well
   * @throws ZonesealError KEYSTORE_UNAVAILABLE, KEYSTORE_FORBIDDEN, naming zone and key tag
   */
  async destroyKey(
    key: Pick<ZoneKey, 'zone' | 'keyTag' | 'algorithm' | 'role' | 'secretRef'>,
    whosever = false,
  ): Promise<SecretFate> {
    try {
      return await this.#destroyOfZone(key, 1, whosever);
    } catch (error) {
      throw keyError(key, error);
    }
  }

  /**
   * Deletes a secret that a TSIG key had; one that is gone already is fine, one that other keys use as well stays.
   * @throws ZonesealError KEYSTORE_UNAVAILABLE, KEYSTORE_FORBIDDEN; it is removed later then
   */
  async removeTsigSecret(name: Name, { token, secretRef }: StoredSecret): Promise<'deleted' | 'shared'> {
    const outcome = await this.#destroy(secretRef, tsigConsumer(name), 0);
    await this.#options.creations.removed(token);
    return outcome;
  }

  async #destroy(
    secretRef: string,
    consumer: SecretConsumer,
    ownUses: number,
  ): Promise<'deleted' | 'shared'> {
    const { keeper, creations } = this.#options;
    const isShared = (await creations.countUses(secretRef)) > ownUses;
    await keeper.removeConsumer(secretRef, consumer);
    if (isShared) return 'shared';
    await keeper.deleteSecret(secretRef);
    return 'deleted';
  }

  /**
   * Removes from the key store what creations have left that were not finished in time, whoever began them.
   * @throws ZonesealError of the database; what the key store refuses is in the result
   */
  async resolve(patienceSeconds: number = CREATION_PATIENCE_SECONDS): Promise<Resolved> {
    const { creations } = this.#options;
    const removed: SecretCreation[] = [];
    const failed: { creation: SecretCreation; error: ZonesealError }[] = [];
    for (const creation of await creations.left(patienceSeconds)) {
      if (!(await creations.giveUp(creation.token))) continue;
      try {
        await this.#removeAll(creation);
      } catch (error) {
        if (!(error instanceof ZonesealError)) throw error;
        failed.push({ creation, error });
        continue;
      }
      await creations.removed(creation.token);
      removed.push(creation);
    }
    return { removed, failed };
  }

  /**
   * Destroys the private keys of deleted zones whose retention is over: those that were made or stored from here, as their metadata say. What an operator
   * has put into the key store stays there, and what other keys use as well.
   * @throws ZonesealError of the database; what the key store refuses is in the result
   */
  async destroyDeleted(): Promise<DestroyedKeys> {
    const { creations } = this.#options;
    const destroyed: DeletedKey[] = [];
    const kept: DeletedKey[] = [];
    const failed: { key: DeletedKey; error: ZonesealError }[] = [];
    for (const key of await creations.deletedKeys()) {
      if (!(await creations.takeDeleted(key.secretRef))) continue;
      try {
        const fate = await this.#destroyOfZone(key, 0, false);
        (fate === 'deleted' ? destroyed : kept).push(key);
      } catch (error) {
        if (!(error instanceof ZonesealError)) throw error;
        failed.push({ key, error: keyError(key, error) });
        continue;
      }
      await creations.forgetDeleted(key.secretRef);
    }
    return { destroyed, kept, failed };
  }

  async #destroyOfZone(
    { zone, secretRef }: Pick<ZoneKey, 'zone' | 'secretRef'>,
    ownUses: number,
    whosever: boolean,
  ): Promise<SecretFate> {
    const { keeper } = this.#options;
    const consumer = zoneConsumer(Name.parse(zone));
    try {
      const metadata = whosever ? {} : await keeper.readMetadata(secretRef);
      const isOurs = metadata['creation'] !== undefined && metadata['zone'] === zone;
      if (whosever || isOurs) return await this.#destroy(secretRef, consumer, ownUses);
      await keeper.removeConsumer(secretRef, consumer);
      return 'kept';
    } catch (error) {
      // somebody has deleted it
      if (error instanceof ZonesealError && error.code === 'KEY_MISSING') return 'deleted';
      throw error;
    }
  }

  async #removeAll(creation: SecretCreation): Promise<void> {
    const { keeper, creations } = this.#options;
    if (creation.secretRef !== undefined && (await creations.countUses(creation.secretRef)) === 0)
      await keeper.deleteSecret(creation.secretRef);
    const namePrefix =
      creation.kind === 'zone-key'
        ? zoneKeyPrefix(Name.parse(creation.zone))
        : tsigKeyPrefix(Name.parse(creation.tsigKey));
    for await (const { reference, name } of keeper.listSecrets({ namePrefix })) {
      if (name?.endsWith(` ${creation.token}`) !== true) continue;
      // somebody may have brought it into use by its reference before it was proved
      if ((await creations.countUses(reference)) === 0) await keeper.deleteSecret(reference);
    }
  }

  async #store(making: Making): Promise<StoredSecret> {
    const { keeper, creations, createdBy, access } = this.#options;
    const token = randomBytes(16).toString('hex');
    await creations.begin({ ...making.plan, token, createdBy });
    let secretRef: string | undefined;
    let mayArrive = false;
    try {
      try {
        const { kind, secret, name } = making;
        secretRef = await keeper.storeSecret({ ...secret, ...kind, name: `${name} ${token}` });
      } catch (error) {
        mayArrive = mayHaveArrived(error);
        throw error;
      }
      // shut first: what follows takes a while
      if (access.isPrivate) await keeper.writeAcl(secretRef, { projectAccess: false, users: access.readers });
      const metadata = { ...making.metadata, 'created-by': createdBy, creation: token };
      await keeper.writeMetadata(secretRef, metadata);
      await keeper.addConsumer(secretRef, making.consumer);
      const { payload } = await keeper.fetchPayload(secretRef);
      await making.prove(payload);
      payload.fill(0);
      if (await creations.prove(token, secretRef)) return { token, secretRef };
      throw new ZonesealError('KEY_MISSING', 'making it took too long and was given up; make it again');
    } catch (error) {
      await this.#undo(token, secretRef, !mayArrive);
      throw error;
    }
  }

  /** @param isCertain whether nothing of it can be in the key store but what the reference names */
  async #undo(token: string, secretRef: string | undefined, isCertain: boolean): Promise<void> {
    const { keeper, creations } = this.#options;
    try {
      if (!(await creations.giveUp(token))) return;
      if (secretRef !== undefined) await keeper.deleteSecret(secretRef);
      if (isCertain) await creations.removed(token);
    } catch {
      // what was begun is in the database still, and is resolved from there
    }
  }
}

/** What was being made and by whom, for people. */
export function creationText(creation: SecretCreation): string {
  const what =
    creation.kind === 'zone-key'
      ? `key ${creation.keyTag} (${creation.role}) of zone ${creation.zone}`
      : `a secret of TSIG key ${creation.tsigKey}`;
  return `${what} that ${creation.createdBy} has begun to make or to delete`;
}

/** A key of a deleted zone, for people. */
export function deletedKeyText({ zone, role, keyTag, secretRef }: DeletedKey): string {
  return `key ${keyTag} (${role}) of zone ${zone}, which was deleted: ${secretRef}`;
}

/** All that one creation needs. */
interface Making {
  readonly plan: SecretPlan;
  /** Without the token. */
  readonly name: string;
  readonly secret: Pick<Parameters<SecretKeeper['storeSecret']>[0], 'type' | 'payload' | 'contentType'>;
  readonly kind: { readonly algorithm: string; readonly bitLength: number };
  readonly metadata: Readonly<Record<string, string>>;
  readonly consumer: SecretConsumer;
  /** @throws ZonesealError when what was read back is not what was stored */
  readonly prove: (payload: Uint8Array) => Promise<void>;
}

function mayHaveArrived(error: unknown): boolean {
  if (!(error instanceof ZonesealError)) return true;
  if (error.code === 'KEYSTORE_ANSWER_INVALID') return true;
  return error.code === 'KEYSTORE_UNAVAILABLE' && error.fields['unsent'] !== true;
}

/** How Barbican's users call the kind of a key, and its bits. */
function kindOf(number: number, modulusBits: number | undefined): { name: string; bits: number } {
  const algorithm = ALGORITHMS.get(number);
  if (algorithm?.family === 'ecdsa') return { name: 'ec', bits: algorithm.coordinateOctets * 8 };
  if (algorithm?.family === 'eddsa') {
    return { name: algorithm.curve.toLowerCase(), bits: algorithm.curve === 'Ed25519' ? 256 : 456 };
  }
  return { name: 'rsa', bits: modulusBits ?? 2048 };
}

function zoneConsumer(zone: Name): SecretConsumer {
  return { service: 'zoneseal', resourceType: 'zone', resourceId: shortText(zone) };
}

function tsigConsumer(name: Name): SecretConsumer {
  return { service: 'zoneseal', resourceType: 'tsig-key', resourceId: shortText(name) };
}
