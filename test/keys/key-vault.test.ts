import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { ZonesealError } from '../../src/errors.js';
import { generateKey } from '../../src/keys/generate.js';
import { KeyMaker } from '../../src/keys/key-maker.js';
import type { KeyRole } from '../../src/keys/key-set.js';
import { findStoredKeys, readStoredKeys } from '../../src/keys/key-vault.js';
import type { SecretCreations } from '../../src/keys/secret-creations.js';
import { MemoryKeeper } from './memory-keeper.js';

const zone = Name.parse('example.');

async function store(
  keeper: MemoryKeeper,
  role: KeyRole,
  of: Name = zone,
  view: string | null = null,
): Promise<string> {
  const maker = new KeyMaker({
    keeper,
    creations: NO_CREATIONS,
    createdBy: 'test',
    access: { isPrivate: false, readers: [] },
  });
  return (await maker.storeKey(of, await generateKey({ algorithm: 13, role }), view)).secretRef;
}

/** Nobody is killed here. */
const NO_CREATIONS: SecretCreations = {
  begin: () => Promise.resolve(),
  prove: () => Promise.resolve(true),
  giveUp: () => Promise.resolve(true),
  removed: () => Promise.resolve(),
  left: () => Promise.resolve([]),
  countUses: () => Promise.resolve(0),
  deletedKeys: () => Promise.resolve([]),
  takeDeleted: () => Promise.resolve(false),
  forgetDeleted: () => Promise.resolve(),
};

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
