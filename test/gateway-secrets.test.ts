import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../src/clock.js';
import { loadConfig } from '../src/config.js';
import { Name } from '../src/dns/name.js';
import { ZonesealError } from '../src/errors.js';
import type { OpenKeyStore } from '../src/gateway-parts.js';
import { GatewaySecrets } from '../src/gateway-secrets.js';
import { generateKey } from '../src/keys/generate.js';
import type { ZoneKey } from '../src/keys/key-set.js';
import type { Database } from '../src/store/database.js';
import { SecretCreationStore } from '../src/store/secret-creation-store.js';
import { openMigrated } from './embedded-database.js';
import { MemoryKeeper } from './keys/memory-keeper.js';
import { Fixture } from './store/fixture.js';
import { ListLog } from './transfer/fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'zoneseal-secrets-'));
let database: Database;
let fixture: Fixture;
let creations: SecretCreationStore;
let keeper: MemoryKeeper;
let log: ListLog;
let seconds = 1_800_000_000;

const clock: Clock = { seconds: () => seconds, milliseconds: () => seconds * 1000 };

beforeAll(async () => {
  database = await openMigrated(folder);
  fixture = new Fixture(database);
  await fixture.prepare();
  creations = new SecretCreationStore(database);
});
beforeEach(() => {
  keeper = new MemoryKeeper();
  log = new ListLog();
});
afterAll(async () => {
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): GatewaySecrets {
  return new GatewaySecrets({
    config: loadConfig(undefined, {}),
    keyStore: { client: keeper, access: { isPrivate: false, readers: [] } } as unknown as OpenKeyStore,
    creations,
    gateway: 'one',
    log,
    clock,
  });
}

async function storedKey(): Promise<ZoneKey> {
  const { name: zone } = await fixture.newZone();
  const { algorithm, role, keyTag, flags, publicKey, pkcs8 } = await generateKey({
    algorithm: 13,
    role: 'ZSK',
  });
  const contentType = 'application/pkcs8';
  const secretRef = await keeper.storeSecret({ name: 'key', contentType, payload: pkcs8 });
  const row = {
    algorithm,
    role,
    keyTag,
    flags,
    publicKey,
    secretRef,
    view: null,
    signs: true,
    published: true,
  };
  await fixture.keys.add(zone, [row]);
  return (await fixture.keys.list(zone))[0] as ZoneKey;
}

describe('secrets in the memory of a gateway', () => {
  it('stay while their key signs, however idle, and leave when it does not and nobody asks', async () => {
    const secrets = open();
    const [staying, leaving] = [await storedKey(), await storedKey()];
    for (const key of [staying, leaving]) await secrets.keyRing.privateKey(key);
    await fixture.keys.update(leaving.id, { signs: false });
    seconds += 3599;
    await secrets.tidy();
    expect(secrets.keyRing.state.cached).toBe(2);
    seconds += 1;
    await secrets.tidy();
    expect([secrets.keyRing.has(staying), secrets.keyRing.has(leaving)]).toEqual([true, false]);
    seconds += 100_000;
    await secrets.tidy();
    // the key store is away: what signs goes on
    keeper.failures.set('fetchPayload', new ZonesealError('KEYSTORE_UNAVAILABLE', 'away'));
    await secrets.keyRing.privateKey(staying);
  });

  it('are all dropped when an operator says so, whether that is heard or found out later', async () => {
    const secrets = open();
    await secrets.look();
    const key = await storedKey();
    const record = { name: 'k.', algorithm: 'hmac-sha256', secretRef: key.secretRef } as const;
    await secrets.keyRing.privateKey(key);
    await secrets.tsig.key(record);
    await secrets.look();
    expect(secrets.keyRing.has(key)).toBe(true);
    await creations.lock();
    await secrets.look();
    expect([secrets.keyRing.state.cached, secrets.tsig.state.cached]).toEqual([0, 0]);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { privateKeys: 1, tsigSecrets: 1 } }]);
    await secrets.keyRing.privateKey(key);
    await secrets.look();
    expect(secrets.keyRing.has(key)).toBe(true);
  });

  it('that were on their way are not kept either', async () => {
    const secrets = open();
    await secrets.look();
    const key = await storedKey();
    const fetching = secrets.keyRing.privateKey(key);
    await creations.lock();
    secrets.forget();
    await fetching;
    expect(secrets.keyRing.has(key)).toBe(false);
  });
});

describe('what was half made', () => {
  it('is removed by any gateway, and told of once where it may not', async () => {
    const secrets = open();
    const { name: zone } = await fixture.newZone();
    const request = { zone: Name.parse(zone), role: 'ZSK', algorithm: 13 } as const;
    await secrets.maker.createKey({ ...request, view: null, takenTags: new Set() });
    await database.execute("update zoneseal.secret_creations set created_at = created_at - interval '1 h'");
    keeper.failures.set('deleteSecret', new ZonesealError('KEYSTORE_FORBIDDEN', 'no'));
    await secrets.tidy();
    await secrets.tidy();
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
    keeper.failures.clear();
    await open().tidy();
    expect(keeper.secrets.size).toBe(0);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  });
});
