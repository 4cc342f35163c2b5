import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { type CreatedKey, KeyMaker } from '../../src/keys/key-maker.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { readStoredKeys } from '../../src/keys/key-vault.js';
import type { Database } from '../../src/store/database.js';
import { grantRoles, readMigrations } from '../../src/store/migrate.js';
import { PostgresRolloverStore } from '../../src/store/rollover-store.js';
import { SecretCreationStore } from '../../src/store/secret-creation-store.js';
import { openMigrated } from '../embedded-database.js';
import { Fixture } from '../store/fixture.js';
import { MemoryKeeper } from './memory-keeper.js';

const folder = mkdtempSync(join(tmpdir(), 'zoneseal-secret-ids-'));
const keeper = new MemoryKeeper();
let database: Database;
let fixture: Fixture;
let creations: SecretCreationStore;
let maker: KeyMaker;

beforeAll(async () => {
  database = await openMigrated(folder);
  fixture = new Fixture(database);
  await fixture.prepare();
  creations = new SecretCreationStore(database);
  maker = new KeyMaker({ keeper, creations, createdBy: 'test', access: { isPrivate: false, readers: [] } });
});

afterAll(async () => {
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

const idOf = (reference: string): string => reference.slice(-36);
/** Other ways to write a reference to the same secret. */
const SPELLINGS: readonly (readonly [string, (reference: string) => string])[] = [
  ['the id alone', idOf],
  ['the id in upper case', (it) => idOf(it).toUpperCase()],
  ['another host', (it) => `https://elsewhere.test:9311/key-manager/v1/secrets/${idOf(it)}`],
  ['a slash at the end', (it) => `${it}/`],
];

async function newZone(): Promise<string> {
  return (await fixture.newZone()).name;
}

const make = (zone: string): Promise<CreatedKey> =>
  maker.createKey({
    zone: Name.parse(zone),
    role: 'ZSK',
    algorithm: 13,
    view: null,
    takenTags: new Set<number>(),
  });

async function use(zone: string, made: CreatedKey, secretRef = made.secretRef): Promise<void> {
  const { token: _, ...row } = made;
  await fixture.keys.add(zone, [{ ...row, secretRef, signs: true, published: true }]);
}

const keyOf = async (zone: string): Promise<ZoneKey> => (await fixture.keys.list(zone))[0] as ZoneKey;

const due = (): Promise<number> =>
  database.execute("update zoneseal.deleted_keys set destroy_at = now() - interval '1 s'");

describe.each(SPELLINGS)('a secret that is written as %s', (_, respell) => {
  it('and is a live zone’s stays when the zone that it was made for is deleted', async () => {
    const [own, other] = [await newZone(), await newZone()];
    const key = await make(own);
    await use(own, key);
    await use(other, key, respell(key.secretRef));
    await fixture.zones.deleteZone(own);
    await due();
    expect((await maker.destroyDeleted()).kept).toMatchObject([{ zone: own }]);
    expect(keeper.secrets.has(key.secretRef)).toBe(true);
    // the other way about: it is forgotten with the last one
    await fixture.zones.deleteZone(other);
    await due();
    await maker.destroyDeleted();
    expect(await creations.deletedKeys()).toEqual([]);
  });

  it('stays when a roll takes it out of another zone', async () => {
    const [own, other] = [await newZone(), await newZone()];
    const key = await make(own);
    await use(own, key);
    await use(other, key, respell(key.secretRef));
    expect(await maker.destroyKey(await keyOf(own))).toBe('shared');
    expect(keeper.secrets.has(key.secretRef)).toBe(true);
  });

  it('comes back into use after its zone was deleted, and not once it is being destroyed', async () => {
    const [own, again] = [await newZone(), await newZone()];
    const [key, late] = [await make(own), await make(own)];
    for (const it of [key, late]) await use(own, it);
    await fixture.zones.deleteZone(own);
    await use(again, key, respell(key.secretRef));
    await due();
    expect(await creations.takeDeleted(late.secretRef)).toBe(true);
    await expect(use(again, late, respell(late.secretRef))).rejects.toThrow('is being destroyed');
    const { destroyed } = await maker.destroyDeleted();
    expect(destroyed.map(({ secretRef }) => secretRef)).toEqual([late.secretRef]);
    expect(keeper.secrets.has(key.secretRef)).toBe(true);
  });

  it('ends its creation when it comes into use, and cannot come into use once that was given up', async () => {
    const zone = await newZone();
    const [key, late] = [await make(zone), await make(zone)];
    await use(zone, key, respell(key.secretRef));
    expect(await creations.giveUp(key.token)).toBe(false);
    expect(await creations.giveUp(late.token)).toBe(true);
    await expect(use(zone, late, respell(late.secretRef))).rejects.toThrow('was given up');
    await maker.discard(late);
  });

  it('is used by a TSIG key too', async () => {
    const name = Name.parse(`k${Math.random().toString(36).slice(2)}.`);
    const stored = await maker.storeTsigSecret(name, 'hmac-sha256', Buffer.from('a secret'));
    const add = (column: string): Promise<number> =>
      database.execute(
        `insert into zoneseal.tsig_keys (name, algorithm, secret_ref, next_secret_ref, next_since)
         values ($1, 'hmac-sha256', ${column === 'secret_ref' ? '$2, null, null' : "'other', $2, now()"})`,
        [`${column.slice(0, 1)}.${name.toString()}`, respell(stored.secretRef)],
      );
    await add('secret_ref');
    expect(await creations.giveUp(stored.token)).toBe(false);
    await add('next_secret_ref');
    expect(await creations.countUses(stored.secretRef)).toBe(2);
    expect(await maker.removeTsigSecret(name, stored)).toBe('shared');
    await database.execute('delete from zoneseal.tsig_keys');
  });

  it('is one secret among those of deleted zones', async () => {
    const zones = [await newZone(), await newZone()] as const;
    const key = await make(zones[0]);
    await use(zones[0], key);
    await use(zones[1], key, respell(key.secretRef));
    for (const zone of zones) await fixture.zones.deleteZone(zone);
    await due();
    expect(await creations.deletedKeys()).toMatchObject([{ zone: zones[1] }]);
    await creations.forgetDeleted(respell(key.secretRef));
    expect(await creations.deletedKeys()).toEqual([]);
  });

  it('is kept by the whole reference that the key store has', async () => {
    const zone = await newZone();
    const { secretRef } = await make(zone);
    const { keys } = await readStoredKeys(keeper, Name.parse(zone), [{ reference: respell(secretRef) }]);
    expect(keys[0]?.secretRef).toBe(secretRef);
  });
});

describe('a secret that was not proved', () => {
  it('and is in use by its reference all the same is not removed with what is left of its creation', async () => {
    const zone = await newZone();
    const key = await make(zone);
    await database.execute('update zoneseal.secret_creations set secret_ref = null where token = $1', [
      key.token,
    ]);
    await use(zone, key);
    await maker.resolve(0);
    expect(keeper.secrets.has(key.secretRef)).toBe(true);
  });
});

describe('rows of before', () => {
  it('of one deleted secret become one: what is being destroyed, else what is kept longest', async () => {
    const id = '7e0e57a5-0000-4000-8000-00000000000';
    await database.execute('drop index zoneseal.deleted_keys_secret_id');
    const insert = `insert into zoneseal.deleted_keys (secret_ref, zone, role, algorithm, key_tag, destroy_at, taken_at) values
      ('${id}1', 'a.', 'ZSK', 13, 1, '2100-01-01', null), ('http://h/secrets/${id}1', 'b.', 'ZSK', 13, 1, '2100-01-02', null),
      ('${id}2', 'c.', 'ZSK', 13, 1, '2100-01-01', now()), ('http://h/secrets/${id}2', 'd.', 'ZSK', 13, 1, '2100-01-02', null)`;
    await database.execute(insert);
    const sql = (await readMigrations()).find(({ name }) => name === '021-secret-ids')?.sql ?? '';
    await database.execute(/^delete from zoneseal\.deleted_keys[^;]+/m.exec(sql)?.[0] ?? '');
    await database.execute(/^create unique index deleted_keys_secret_id[^;]+/m.exec(sql)?.[0] ?? '');
    const rows = await database.query<{ zone: string }>(
      "select zone from zoneseal.deleted_keys where destroy_at >= '2100-01-01' order by zone",
    );
    expect(rows.map(({ zone }) => zone)).toEqual(['b.', 'c.']);
  });
});

describe('the id of a secret', () => {
  it.each([
    ['7E0E57A5-0000-4000-8000-000000000001', '7e0e57a5-0000-4000-8000-000000000001'],
    ['https://h/v1/secrets/7e0e57a5-0000-4000-8000-000000000001/', '7e0e57a5-0000-4000-8000-000000000001'],
    ['file:0123456789abcdef', 'file:0123456789abcdef'],
    ['https://h/v1/Secrets/NONE', 'https://h/v1/Secrets/NONE'],
  ])('of %s is %s', async (reference, id) => {
    expect(await database.query('select zoneseal.secret_id($1) as id', [reference])).toEqual([{ id }]);
  });
});

describe('a secret that an operator has put into the key store', () => {
  it.each([
    ['without metadata', undefined],
    ['for another zone', { creation: '0123456789abcdef0123456789abcdef', zone: 'elsewhere.' }],
  ])('%s stays there when its key goes, without the note of its consumer', async (_, metadata) => {
    const zone = await newZone();
    const { secretRef, ...made } = await make(zone);
    await use(zone, { ...made, secretRef });
    if (metadata === undefined) keeper.metadata.delete(secretRef);
    else keeper.metadata.set(secretRef, metadata);
    const key = await keyOf(zone);
    expect(await maker.destroyKey(key)).toBe('kept');
    expect([keeper.secrets.has(secretRef), keeper.consumers.get(secretRef)]).toEqual([true, []]);
    expect(await maker.destroyKey(key, true)).toBe('deleted');
    expect(keeper.secrets.has(secretRef)).toBe(false);
  });
});

describe('the roles of least privilege', () => {
  it.each(['zoneseal_gateway', 'zoneseal_admin'])(
    '%s may use and count secrets by their ids',
    async (role) => {
      await grantRoles(database, true);
      const zone = await newZone();
      const key = await make(zone);
      await database.transaction(async (transaction) => {
        await transaction.query(`set local role ${role}`);
        const id = 'zoneseal.secret_id(secret_ref) = zoneseal.secret_id($1)';
        await transaction.execute(
          `insert into zoneseal.zone_keys (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref, secret_expires_at)
         values (zoneseal.zone_id($1), 'ZSK', 13, 256, $2, $3, $4, null)`,
          [zone, key.keyTag, Buffer.from(key.publicKey), key.secretRef],
        );
        expect(
          await transaction.query(`select count(*)::int as n from zoneseal.zone_keys where ${id}`, [
            idOf(key.secretRef),
          ]),
        ).toEqual([{ n: 1 }]);
        await transaction.execute(`delete from zoneseal.deleted_keys where ${id}`, [key.secretRef]);
      });
      expect(await creations.giveUp(key.token)).toBe(false);
    },
  );
});

describe('the expiration of a secret', () => {
  it('is known to gateways with the key set, and to rolls, until the key has another secret', async () => {
    const zone = await newZone();
    const { token: _, ...row } = await make(zone);
    const secretExpires = 1_900_000_000;
    const [id] = await fixture.keys.add(zone, [{ ...row, signs: true, published: true, secretExpires }]);
    const known = async (): Promise<unknown[]> => [
      (await fixture.keys.keySet(zone)).keys[0]?.secretExpires,
      (await new PostgresRolloverStore(database).load(zone))?.state.keys[0]?.secretExpires,
    ];
    expect(await known()).toEqual([secretExpires, secretExpires]);
    await fixture.keys.update(id as string, { published: true });
    expect(await known()).toEqual([secretExpires, secretExpires]);
    await fixture.keys.update(id as string, { secretRef: idOf(row.secretRef) });
    expect(await known()).toEqual([undefined, undefined]);
  });
});
