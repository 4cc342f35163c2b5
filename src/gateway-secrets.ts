import { type Clock, systemClock } from './clock.js';
import { type Config, readSecret, SECRET_VARIABLES } from './config.js';
import type { OpenKeyStore } from './gateway-parts.js';
import { creationText, deletedKeyText, KeyMaker } from './keys/key-maker.js';
import { KeyRing } from './keys/key-ring.js';
import { TsigSecretRing } from './keys/tsig-secret-ring.js';
import type { Log } from './log.js';
import type { SecretCreationStore } from './store/secret-creation-store.js';

export interface GatewaySecretsOptions {
  readonly config: Config;
  readonly keyStore: OpenKeyStore;
  readonly creations: SecretCreationStore;
  /** Names this process. */
  readonly gateway: string;
  readonly log: Log;
  readonly clock?: Clock;
}

/** The secrets in the memory of a gateway: fetched at need, dropped when nobody needs them, or when an operator says so. */
export class GatewaySecrets {
  readonly keyRing: KeyRing;
  readonly tsig: TsigSecretRing;
  /** Makes and destroys keys, as rollovers need it. */
  readonly maker: KeyMaker;
  readonly #options: GatewaySecretsOptions;
  readonly #told = new Set<string>();
  #locks: number | undefined;

  constructor(options: GatewaySecretsOptions) {
    this.#options = options;
    const { config, keyStore, creations, gateway, clock = systemClock } = options;
    const { client, access } = keyStore;
    const passphrase = readSecret(SECRET_VARIABLES.keyPassphrase, config.keyPassphraseFile);
    this.keyRing = new KeyRing(client, {
      maxKeys: config.limits.privateKeys,
      clock,
      ...(passphrase === undefined ? {} : { passphrase }),
    });
    this.tsig = new TsigSecretRing(client, { clock });
    this.maker = new KeyMaker({ keeper: client, creations, createdBy: `gateway ${gateway}`, access });
  }

  /** Forgets everything where an operator has said so since the last look. @throws ZonesealError of the database */
  async look(): Promise<void> {
    const { creations, log } = this.#options;
    const locks = await creations.locks();
    const isFirst = this.#locks === undefined;
    if (locks === this.#locks) return;
    this.#locks = locks;
    if (isFirst) return;
    const dropped = { privateKeys: this.keyRing.state.cached, tsigSecrets: this.tsig.state.cached };
    this.forget();
    log.warn(dropped, 'private keys and TSIG secrets were dropped from memory, as an operator wants it');
  }

  /**
   * Forgets keys that sign nothing any more and that nobody has asked for, removes what makers that were killed have left, and destroys the keys of
   * zones that were deleted long enough ago.
   * @throws ZonesealError of the database
   */
  async tidy(): Promise<void> {
    const { config, creations, log } = this.#options;
    await this.keyRing.dropIdle(config.keys.idle, (references) => creations.signing(references));
    const { removed, failed } = await this.maker.resolve();
    for (const creation of removed) {
      this.#told.delete(creation.token);
      log.info({ what: creationText(creation) }, 'what was left of a secret that was half made was removed');
    }
    for (const { creation, error } of failed) {
      if (this.#told.has(creation.token)) continue;
      this.#told.add(creation.token);
      const fields = { what: creationText(creation), reason: error.message, code: error.code };
      log.warn(fields, 'what is left of a secret that was half made cannot be removed from here');
    }
    await this.#destroyDeleted();
  }

  async #destroyDeleted(): Promise<void> {
    const { log } = this.#options;
    const { destroyed, kept, failed } = await this.maker.destroyDeleted();
    for (const key of destroyed) {
      this.#told.delete(key.secretRef);
      log.info({ what: deletedKeyText(key) }, 'the private key of a deleted zone was destroyed');
    }
    for (const key of kept) {
      log.info(
        { what: deletedKeyText(key) },
        'the private key of a deleted zone stays in the key store: other keys use it, or it was not put there from here',
      );
    }
    for (const { key, error } of failed) {
      if (this.#told.has(key.secretRef)) continue;
      this.#told.add(key.secretRef);
      const fields = { what: deletedKeyText(key), reason: error.message, code: error.code };
      log.warn(fields, 'the private key of a deleted zone cannot be destroyed; it is tried again');
    }
  }

  /** Forgets everything. */
  forget(): void {
    this.keyRing.clear();
    this.tsig.clear();
  }
}
