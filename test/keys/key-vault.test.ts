import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { ZonesealError } from '../../src/errors.js';
import { generateKey } from '../../src/keys/generate.js';
import type { KeyRole } from '../../src/keys/key-set.js';
import { findStoredKeys, readStoredKeys, type SecretKeeper, storeZoneKey } from '../../src/keys/key-vault.js';

/** Keeps secrets in memory, as Barbican does as far as the port goes. */
class MemoryKeeper implements SecretKeeper {
  readonly secrets = new Map<string, { name: string; payload: Uint8Array; contentType: string }>();
  readonly metadata = new Map<string, Readonly<Record<string, string>>>();
  refuseMetadata = false;

  storeSecret(secret: { name: string; payload: Uint8Array; contentType: string }): Promise<string> {
    const reference = `http://barbican.test/v1/secrets/${this.secrets.size + 1}`;
    this.secrets.set(reference, { ...secret, payload: secret.payload.slice() });
    return Promise.resolve(reference);
  }

  fetchPayload(reference: string): Promise<{ contentType: string; payload: Uint8Array }> {
    const secret = this.secrets.get(reference);
    if (secret === undefined)
      return Promise.reject(new ZonesealError('KEY_MISSING', 'there is no such secret'));
    return Promise.resolve({ contentType: secret.contentType, payload: secret.payload.slice() });
  }

  deleteSecret(reference: string): Promise<void> {
    this.secrets.delete(reference);
    return Promise.resolve();
  }

  readMetadata(reference: string): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve(this.metadata.get(reference) ?? {});
  }

  writeMetadata(reference: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    if (this.refuseMetadata) return Promise.reject(new ZonesealError('KEYSTORE_REFUSED', 'no'));
    this.metadata.set(reference, metadata);
    return Promise.resolve();
  }

  async *listSecrets({ namePrefix }: { namePrefix: string }): AsyncGenerator<{ reference: string }> {
    await Promise.resolve();
    for (const [reference, { name }] of this.secrets) if (name.startsWith(namePrefix)) yield { reference };
  }
}

const zone = Name.parse('example.');

async function store(
  keeper: MemoryKeeper,
  role: KeyRole,
  of: Name = zone,
  view: string | null = null,
): Promise<string> {
  return storeZoneKey(keeper, of, await generateKey({ algorithm: 13, role }), view);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (error instanceof ZonesealError ? error.code : String(error)),
  );
}

describe('keys in the key store', () => {
  it('are found again by their zone, with role and algorithm', async () => {
    const keeper = new MemoryKeeper();
    const references = [await store(keeper, 'KSK'), await store(keeper, 'ZSK')];
    await store(keeper, 'CSK', Name.parse('example.org.'));
    const { keys, privateKeys } = await findStoredKeys(keeper, Name.parse('EXAMPLE.'));
    expect(keys.map(({ role, algorithm, secretRef }) => ({ role, algorithm, secretRef }))).toEqual([
      { role: 'KSK', algorithm: 13, secretRef: references[0] },
      { role: 'ZSK', algorithm: 13, secretRef: references[1] },
    ]);
    expect([...privateKeys.keys()]).toEqual(keys.map((key) => key.id));
  });

  it('of one view are left out where no view is meant', async () => {
    const keeper = new MemoryKeeper();
    await store(keeper, 'CSK');
    await store(keeper, 'ZSK', zone, 'internal');
    expect((await findStoredKeys(keeper, zone)).keys.map((key) => key.role)).toEqual(['CSK']);
  });

  it('of a zone whose name is too long for a secret are found as well', async () => {
    const keeper = new MemoryKeeper();
    const long = Name.fromLabels(Array.from({ length: 4 }, () => new Uint8Array(60).fill(0xff)));
    await store(keeper, 'CSK', long);
    expect([...keeper.secrets.values()].every(({ name }) => name.length <= 255)).toBe(true);
    expect((await findStoredKeys(keeper, long)).keys).toHaveLength(1);
  });

  it('are an error where there are none', async () => {
    expect(await codeOf(findStoredKeys(new MemoryKeeper(), zone))).toBe('KEY_MISSING');
  });

  it('are not left behind when they cannot be marked', async () => {
    const keeper = new MemoryKeeper();
    keeper.refuseMetadata = true;
    expect(await codeOf(store(keeper, 'CSK'))).toBe('KEYSTORE_REFUSED');
    expect(keeper.secrets.size).toBe(0);
  });

  it('that are named take the role that is given, else that of their metadata, else CSK', async () => {
    const keeper = new MemoryKeeper();
    const reference = await store(keeper, 'KSK');
    const role = async (given?: KeyRole): Promise<KeyRole | undefined> =>
      (await readStoredKeys(keeper, zone, [given === undefined ? { reference } : { reference, role: given }]))
        .keys[0]?.role;
    expect(await role()).toBe('KSK');
    expect(await role('ZSK')).toBe('ZSK');
    keeper.metadata.clear();
    expect(await role()).toBe('CSK');
  });

  it('whose metadata names another algorithm are refused', async () => {
    const keeper = new MemoryKeeper();
    const reference = await store(keeper, 'CSK');
    keeper.metadata.set(reference, { algorithm: '15' });
    expect(await codeOf(readStoredKeys(keeper, zone, [{ reference }]))).toBe('KEY_MISMATCH');
  });
});
