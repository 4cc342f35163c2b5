import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { tagsOf } from '../../src/dnssec/dnskey.js';
import { ZonesealError } from '../../src/errors.js';
import { generateKey } from '../../src/keys/generate.js';
import { type CreatedKey, KeyMaker, type SecretAccess, type StoredSecret } from '../../src/keys/key-maker.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import type { SecretCreations } from '../../src/keys/secret-creations.js';
import type { SecretKeeper } from '../../src/keys/secret-keeper.js';
import type { Database } from '../../src/store/database.js';
import { SecretCreationStore } from '../../src/store/secret-creation-store.js';
import { openMigrated } from '../embedded-database.js';
import { Fixture } from '../store/fixture.js';
import { MemoryKeeper } from './memory-keeper.js';

const folder = mkdtempSync(join(tmpdir(), 'zoneseal-keys-'));
let database: Database;
let fixture: Fixture;
let creations: SecretCreationStore;

beforeAll(async () => {
  database = await openMigrated(folder);
  fixture = new Fixture(database);
  await fixture.prepare();
  creations = new SecretCreationStore(database);
});

afterAll(async () => {
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

const OPEN: SecretAccess = { isPrivate: false, readers: [] };

function makerOf(
  keeper: SecretKeeper,
  access: SecretAccess = OPEN,
  by: SecretCreations = creations,
): KeyMaker {
  return new KeyMaker({ keeper, creations: by, createdBy: 'test', access });
}

async function refusal(promise: Promise<unknown>): Promise<ZonesealError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(ZonesealError);
  return thrown as ZonesealError;
}

const request = (zone: string, more: object = {}) => ({
  zone: Name.parse(zone),
  role: 'ZSK' as const,
  algorithm: 13,
  view: null,
  takenTags: new Set<number>(),
  ...more,
});

async function addRow(zone: string, key: CreatedKey): Promise<string> {
  const { token: _, ...row } = key;
  const [id] = await fixture.keys.add(zone, [{ ...row, signs: true, published: true }]);
  return id as string;
}

/** Creations of which something may be left, however young. */
const left = async (): Promise<number> => (await creations.left(0)).length;

describe('a key that is made', () => {
  it.each([
    [8, 'rsa', 2048],
    [10, 'rsa', 2048],
    [13, 'ec', 256],
    [14, 'ec', 384],
    [15, 'ed25519', 256],
    [16, 'ed448', 456],
  ])('of algorithm %i says what it is, and is proved', async (algorithm, kind, bitLength) => {
    const keeper = new MemoryKeeper();
    const zone = (await fixture.newZone()).name;
    const key = await makerOf(keeper).createKey(request(zone, { algorithm, role: 'KSK' }));
    const secret = keeper.secrets.get(key.secretRef);
    expect(secret).toMatchObject({ type: 'private', algorithm: kind, bitLength });
    expect(secret?.name).toBe(`zoneseal key ${zone} KSK ${algorithm} ${key.keyTag} ${key.token}`);
    expect(keeper.metadata.get(key.secretRef)).toEqual({
      zone,
      role: 'KSK',
      algorithm: String(algorithm),
      'key-tag': String(key.keyTag),
      'created-by': 'test',
      creation: key.token,
    });
    expect(keeper.consumers.get(key.secretRef)).toEqual([
      { service: 'zoneseal', resourceType: 'zone', resourceId: zone },
    ]);
    expect(keeper.acls.size).toBe(0);
    expect(await left()).toBe(1);
    const id = await addRow(zone, key);
    expect(await left()).toBe(0);
    const row = (await fixture.keys.list(zone)).find((it) => it.id === id);
    expect(row).toBeDefined();
    if (row !== undefined) await new KeyRing(keeper).privateKey(row);
  });

  it('is closed to the project where that is wanted, but for its readers', async () => {
    const keeper = new MemoryKeeper();
    const maker = makerOf(keeper, { isPrivate: true, readers: ['gateway'] });
    const key = await maker.createKey(request((await fixture.newZone()).name));
    expect(keeper.acls.get(key.secretRef)).toEqual({ projectAccess: false, users: ['gateway'] });
    await maker.discard(key);
    expect([keeper.secrets.size, await left()]).toEqual([0, 0]);
  });

  it('and discarded cannot come into use', async () => {
    const keeper = new MemoryKeeper();
    const zone = (await fixture.newZone()).name;
    const maker = makerOf(keeper);
    const key = await maker.createKey(request(zone));
    await maker.discard(key);
    const error = await refusal(addRow(zone, key));
    expect([error.code, error.message]).toEqual(['DATA_REFUSED', expect.stringContaining('given up')]);
    expect(await fixture.keys.list(zone)).toEqual([]);
  });

  it('and used is not discarded', async () => {
    const keeper = new MemoryKeeper();
    const zone = (await fixture.newZone()).name;
    const maker = makerOf(keeper);
    const key = await maker.createKey(request(zone));
    await addRow(zone, key);
    await maker.discard(key);
    await maker.resolve(0);
    expect(keeper.secrets.size).toBe(1);
  });
});

describe('a key that cannot be made', () => {
  const forbidden = new ZonesealError('KEYSTORE_FORBIDDEN', 'Barbican: no', { refusal: 'role' });

  it.each(['storeSecret', 'writeMetadata', 'writeAcl', 'addConsumer', 'fetchPayload'] as const)(
    'as %s fails leaves nothing, and says for which zone and key, and what to do',
    async (operation) => {
      const keeper = new MemoryKeeper();
      keeper.failures.set(operation, forbidden);
      const zone = (await fixture.newZone()).name;
      const maker = makerOf(keeper, { isPrivate: true, readers: [] });
      const error = await refusal(maker.createKey(request(zone)));
      expect(error.code).toBe('KEYSTORE_FORBIDDEN');
      expect(error.message).toMatch(
        new RegExp(
          `^zone ${zone.replaceAll('.', '\\.')}, key \\d+ \\(algorithm 13, ZSK\\): Barbican: no; give the user a role`,
        ),
      );
      expect([keeper.secrets.size, await left()]).toEqual([0, 0]);
    },
  );

  it('as what is read back is another is not used', async () => {
    const keeper = new MemoryKeeper();
    const other = await generateKey({ algorithm: 13, role: 'ZSK' });
    const fetch = keeper.fetchPayload.bind(keeper);
    keeper.fetchPayload = async (reference) => ({
      ...(await fetch(reference)),
      payload: other.pkcs8.slice(),
    });
    const error = await refusal(makerOf(keeper).createKey(request((await fixture.newZone()).name)));
    expect(error.code).toBe('KEY_MISMATCH');
    expect([keeper.secrets.size, await left()]).toEqual([0, 0]);
  });

  it('as an answer was lost is looked for later, and removed', async () => {
    const keeper = new MemoryKeeper();
    const storeSecret = keeper.storeSecret.bind(keeper);
    keeper.storeSecret = async (secret) => {
      await storeSecret(secret);
      throw new ZonesealError('KEYSTORE_UNAVAILABLE', 'the connection was cut', { transient: true });
    };
    const zone = (await fixture.newZone()).name;
    await refusal(makerOf(keeper).createKey(request(zone)));
    expect([keeper.secrets.size, await left()]).toEqual([1, 1]);
    const maker = makerOf(keeper);
    // not at once: it may still be on its way
    expect((await maker.resolve()).removed).toEqual([]);
    expect((await maker.resolve(0)).removed).toMatchObject([{ zone, role: 'ZSK', createdBy: 'test' }]);
    expect([keeper.secrets.size, await left()]).toEqual([0, 0]);
  });
});

/** The process that is killed: from its n-th step on, before or after the effect, nothing more is done by it. */
class Killed {
  #steps = 0;
  isDead = false;

  constructor(
    readonly step: number,
    readonly when: 'before' | 'after',
  ) {}

  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (object, name) => {
        const value = Reflect.get(object, name) as unknown;
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          const isNow = ++this.#steps === this.step;
          if (this.isDead || (isNow && this.when === 'before')) this.#die();
          const result = await (value as (...args: unknown[]) => Promise<unknown>).apply(object, args);
          if (isNow) this.#die();
          return result;
        };
      },
    });
  }

  #die(): never {
    this.isDead = true;
    throw new Error('killed');
  }
}

/** begin, store, ACL, metadata, consumer, read back, note that it is proved, the row */
const STEPS = 8;
const MOMENTS = Array.from({ length: STEPS }, (_, i) => i + 1).flatMap((step) =>
  (['before', 'after'] as const).map((when) => ({ step, when })),
);

describe('a maker that is killed', () => {
  async function make(killed: Killed, keeper: MemoryKeeper, run: (maker: KeyMaker) => Promise<void>) {
    const maker = new KeyMaker({
      keeper: killed.wrap(keeper),
      creations: killed.wrap(creations),
      createdBy: 'killed',
      access: { isPrivate: true, readers: [] },
    });
    await run(maker).catch(() => undefined);
    expect(killed.isDead).toBe(true);
  }

  /** No secret that no row uses, and no row without its secret. */
  async function expectSound(keeper: MemoryKeeper, used: readonly string[]): Promise<void> {
    expect([...keeper.secrets.keys()]).toEqual(used);
    expect(await left()).toBe(0);
  }

  it.each(MOMENTS)('$when step $step of a key leaves nothing in use by nobody', async ({ step, when }) => {
    const killed = new Killed(step, when);
    const keeper = new MemoryKeeper();
    const zone = (await fixture.newZone()).name;
    await make(killed, keeper, async (maker) => {
      const { token: _, ...row } = await maker.createKey(request(zone));
      await killed.wrap(fixture.keys).add(zone, [{ ...row, signs: true, published: true }]);
    });
    const another = makerOf(keeper);
    await another.resolve(0);
    const rows = await fixture.keys.list(zone);
    expect(rows).toHaveLength(step === STEPS && when === 'after' ? 1 : 0);
    await expectSound(
      keeper,
      rows.map((row) => row.secretRef),
    );
    // and it can be made again
    await addRow(zone, await another.createKey(request(zone, { takenTags: new Set(rows.flatMap(tagsOf)) })));
    await another.resolve(0);
    expect(keeper.secrets.size).toBe(rows.length + 1);
  });

  it.each(MOMENTS)('$when step $step of a TSIG secret leaves nothing', async ({ step, when }) => {
    const killed = new Killed(step, when);
    const keeper = new MemoryKeeper();
    const name = Name.parse(`k${step}-${when}.`);
    await make(killed, keeper, async (maker) => {
      const { secretRef } = await maker.storeTsigSecret(name, 'hmac-sha256', new Uint8Array(32).fill(7));
      await killed
        .wrap(fixture.tsig)
        .add({ name: name.toString(), algorithm: 'hmac-sha256', secretRef, grants: [] });
    });
    await makerOf(keeper).resolve(0);
    const row = (await fixture.tsig.list()).find((key) => key.name === name.toString());
    expect(row !== undefined).toBe(step === STEPS && when === 'after');
    await expectSound(keeper, row === undefined ? [] : [row.secretRef]);
  });

  it('and was slow alone does not use what others have removed', async () => {
    const keeper = new MemoryKeeper();
    const zone = (await fixture.newZone()).name;
    const key = await makerOf(keeper).createKey(request(zone));
    await makerOf(keeper).resolve(0);
    expect(keeper.secrets.size).toBe(0);
    expect((await refusal(addRow(zone, key))).code).toBe('DATA_REFUSED');
  });

  it('leaves what the next one may not delete, which is told of and tried again', async () => {
    const keeper = new MemoryKeeper();
    const { name: zone } = await fixture.newZone();
    await makerOf(keeper).createKey(request(zone));
    keeper.failures.set('deleteSecret', new ZonesealError('KEYSTORE_FORBIDDEN', 'no'));
    expect(await makerOf(keeper).resolve(0)).toMatchObject({ removed: [], failed: [{ creation: { zone } }] });
    keeper.failures.clear();
    expect(await makerOf(keeper).resolve(0)).toMatchObject({ removed: [{ zone }], failed: [] });
    expect(keeper.secrets.size).toBe(0);
  });
});

describe('a key that is destroyed', () => {
  it('is gone with the note of its consumer, and one that is gone already is fine', async () => {
    const keeper = new MemoryKeeper();
    const { name: zone } = await fixture.newZone();
    const maker = makerOf(keeper);
    const id = await addRow(zone, await maker.createKey(request(zone)));
    const [key] = await fixture.keys.list(zone);
    if (key === undefined) throw new Error('no row');
    expect(await maker.destroyKey(key)).toBe('deleted');
    expect(await maker.destroyKey(key)).toBe('deleted');
    expect(keeper.secrets.size).toBe(0);
    expect(keeper.consumers.get(key.secretRef)).toEqual([]);
    await fixture.keys.update(id, { signs: false, published: false });
    expect(await fixture.keys.takeOut(id)).toBe(true);
    await fixture.keys.delete(id);
  });

  it('stays in the key store while another zone uses it', async () => {
    const keeper = new MemoryKeeper();
    const zones = [(await fixture.newZone()).name, (await fixture.newZone()).name] as const;
    const maker = makerOf(keeper);
    const made = await maker.createKey(request(zones[0]));
    for (const zone of zones) await addRow(zone, made);
    const [key] = await fixture.keys.list(zones[0]);
    if (key === undefined) throw new Error('no row');
    expect(await maker.destroyKey(key)).toBe('shared');
    expect(keeper.secrets.size).toBe(1);
  });
});

describe('a TSIG secret', () => {
  it('that is read back as another is not used', async () => {
    const keeper = new MemoryKeeper();
    const fetch = keeper.fetchPayload.bind(keeper);
    keeper.fetchPayload = async (reference) => ({
      ...(await fetch(reference)),
      payload: Buffer.from('other'),
    });
    const store = (): Promise<StoredSecret> =>
      makerOf(keeper).storeTsigSecret(Name.parse('k.'), 'hmac-sha256', Buffer.from('secret'));
    const error = await refusal(store());
    expect([error.code, error.message]).toEqual(['KEY_MISMATCH', expect.stringMatching(/^TSIG key k\.: /)]);
    expect([keeper.secrets.size, await left()]).toEqual([0, 0]);
  });
});

describe('keys of a zone that is deleted', () => {
  const due = (secretRef: string): Promise<number> =>
    database.execute(
      "update zoneseal.deleted_keys set destroy_at = now() - interval '1 s' where secret_ref = $1",
      [secretRef],
    );
  const retentionOf = async (secretRef: string): Promise<number | undefined> =>
    (
      await database.query<{ days: number }>(
        'select round(extract(epoch from destroy_at - deleted_at) / 86400)::int as days from zoneseal.deleted_keys where secret_ref = $1',
        [secretRef],
      )
    )[0]?.days;

  it('are destroyed when the keyRetention of its policy is over, and not before', async () => {
    const keeper = new MemoryKeeper();
    const maker = makerOf(keeper);
    const { name: zone } = await fixture.newZone();
    await fixture.zones.setPolicy('brief', { keyRetention: '2d' });
    await fixture.zones.assignPolicy(zone, 'brief');
    const key = await maker.createKey(request(zone));
    await addRow(zone, key);
    await fixture.zones.deleteZone(zone);
    expect(await retentionOf(key.secretRef)).toBe(2);
    expect(await maker.destroyDeleted()).toEqual({ destroyed: [], kept: [], failed: [] });
    expect(keeper.secrets.size).toBe(1);
    await due(key.secretRef);
    keeper.failures.set('deleteSecret', new ZonesealError('KEYSTORE_UNAVAILABLE', 'Barbican: away'));
    expect((await maker.destroyDeleted()).failed).toMatchObject([{ key: { zone, keyTag: key.keyTag } }]);
    keeper.failures.clear();
    expect((await maker.destroyDeleted()).destroyed).toMatchObject([{ zone, role: 'ZSK' }]);
    expect([keeper.secrets.size, await retentionOf(key.secretRef)]).toEqual([0, undefined]);
  });

  it('stay where they were put into the key store by somebody else, or other zones use them', async () => {
    const keeper = new MemoryKeeper();
    const maker = makerOf(keeper);
    const [one, other] = [(await fixture.newZone()).name, (await fixture.newZone()).name];
    const own = await maker.createKey(request(one));
    const contentType = 'application/pkcs8';
    const payload = new Uint8Array(8);
    const secretRef = await keeper.storeSecret({ name: 'of an operator', contentType, payload });
    const { token: _, ...row } = own;
    await fixture.keys.add(one, [
      { ...row, signs: true, published: true },
      { ...row, publicKey: new Uint8Array(64).fill(9), secretRef, signs: true, published: true },
    ]);
    await fixture.keys.add(other, [{ ...row, signs: true, published: true }]);
    await fixture.zones.deleteZone(one);
    for (const reference of [own.secretRef, secretRef]) await due(reference);
    const { destroyed, kept } = await maker.destroyDeleted();
    expect([destroyed.length, kept.length, keeper.secrets.size]).toEqual([0, 2, 2]);
    expect(await retentionOf(own.secretRef)).toBeUndefined();
  });

  it('can be taken into use again until they are destroyed', async () => {
    const keeper = new MemoryKeeper();
    const maker = makerOf(keeper);
    const [zone, again] = [(await fixture.newZone()).name, (await fixture.newZone()).name];
    const key = await maker.createKey(request(zone));
    const late = await maker.createKey(request(zone));
    for (const it of [key, late]) await addRow(zone, it);
    await fixture.zones.deleteZone(zone);
    await addRow(again, key);
    expect(await retentionOf(key.secretRef)).toBeUndefined();
    await due(late.secretRef);
    expect(await creations.takeDeleted(late.secretRef)).toBe(true);
    expect((await refusal(addRow(again, late))).message).toContain('is being destroyed');
    expect((await maker.destroyDeleted()).destroyed).toHaveLength(1);
    expect(keeper.secrets.has(key.secretRef)).toBe(true);
  });

  it.each([
    ['7d', 604_800],
    ['1h30m', 5400],
    ['3600', 3600],
    ['2W', 1_209_600],
    ['soon', null],
  ])('has the retention that a policy says as %s', async (text, seconds) => {
    const [row] = await database.query('select zoneseal.duration_seconds($1) as seconds', [text]);
    expect(row).toEqual({ seconds });
  });
});
