import { randomUUID } from 'node:crypto';
import { ZonesealError } from '../../src/errors.js';
import type { SecretPayload } from '../../src/keys/key-ring.js';
import type { SecretConsumer, SecretKeeper } from '../../src/keys/secret-keeper.js';

export interface MemorySecret {
  readonly name: string;
  readonly type?: string;
  readonly payload: Uint8Array;
  readonly contentType: string;
  readonly algorithm?: string;
  readonly bitLength?: number;
  readonly expiration?: number;
}

const ROOT = 'http://barbican.test/v1/secrets/';

/** As Barbican's client takes references: by the id at their end. */
const whole = (reference: string): string => {
  const id = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=\/?$)/i.exec(reference)?.[0];
  return id === undefined ? reference : `${ROOT}${id.toLowerCase()}`;
};

/** Keeps secrets in memory, as Barbican does as far as the port goes. */
export class MemoryKeeper implements SecretKeeper {
  readonly secrets = new Map<string, MemorySecret>();
  readonly metadata = new Map<string, Readonly<Record<string, string>>>();
  readonly acls = new Map<string, { readonly projectAccess: boolean; readonly users: readonly string[] }>();
  readonly consumers = new Map<string, readonly SecretConsumer[]>();
  /** What operations fail with, by name. */
  readonly failures = new Map<keyof SecretKeeper, ZonesealError>();

  #check(operation: keyof SecretKeeper): void {
    const failure = this.failures.get(operation);
    if (failure !== undefined) throw failure;
  }

  async storeSecret(secret: MemorySecret): Promise<string> {
    await Promise.resolve();
    this.#check('storeSecret');
    const reference = `${ROOT}${randomUUID()}`;
    this.secrets.set(reference, { ...secret, payload: secret.payload.slice() });
    return reference;
  }

  async fetchPayload(reference: string): Promise<SecretPayload> {
    await Promise.resolve();
    this.#check('fetchPayload');
    const secret = this.#find(reference);
    const { contentType, payload, expiration } = secret;
    const expires = expiration === undefined ? {} : { expiration };
    return { contentType, payload: payload.slice(), reference: whole(reference), ...expires };
  }

  async deleteSecret(reference: string): Promise<void> {
    await Promise.resolve();
    this.#check('deleteSecret');
    this.secrets.delete(whole(reference));
  }

  async readMetadata(reference: string): Promise<Readonly<Record<string, string>>> {
    await Promise.resolve();
    return this.metadata.get(whole(reference)) ?? {};
  }

  async writeMetadata(reference: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    await Promise.resolve();
    this.#check('writeMetadata');
    this.#find(reference);
    this.metadata.set(whole(reference), metadata);
  }

  async writeAcl(
    reference: string,
    acl: { readonly projectAccess: boolean; readonly users: readonly string[] },
  ): Promise<void> {
    await Promise.resolve();
    this.#check('writeAcl');
    this.#find(reference);
    this.acls.set(whole(reference), acl);
  }

  async addConsumer(reference: string, consumer: SecretConsumer): Promise<void> {
    await Promise.resolve();
    this.#check('addConsumer');
    this.#find(reference);
    this.consumers.set(whole(reference), [...(this.consumers.get(whole(reference)) ?? []), consumer]);
  }

  async removeConsumer(reference: string, consumer: SecretConsumer): Promise<void> {
    await Promise.resolve();
    this.#check('removeConsumer');
    const others = (this.consumers.get(whole(reference)) ?? []).filter(
      ({ resourceType, resourceId }) =>
        resourceType !== consumer.resourceType || resourceId !== consumer.resourceId,
    );
    this.consumers.set(whole(reference), others);
  }

  async *listSecrets({ namePrefix }: { namePrefix: string }): AsyncGenerator<{
    reference: string;
    name: string;
  }> {
    await Promise.resolve();
    this.#check('listSecrets');
    for (const [reference, { name }] of this.secrets) {
      if (name.startsWith(namePrefix)) yield { reference, name };
    }
  }

  #find(reference: string): MemorySecret {
    const secret = this.secrets.get(whole(reference));
    if (secret === undefined) throw new ZonesealError('KEY_MISSING', 'there is no such secret');
    return secret;
  }
}
