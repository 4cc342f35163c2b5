import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMessage } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType } from '../../src/dns/types.js';
import { verifyZone } from '../../src/dnssec/verify/index.js';
import { ZonesealError } from '../../src/errors.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { parsePolicy } from '../../src/keys/policy.js';
import { PublicationManager } from '../../src/publication/manager.js';
import { pagesOf } from '../../src/publication/page-builder.js';
import { type PackedPage, unpackPage } from '../../src/signing/page-codec.js';
import { InlineSigner } from '../../src/signing/signer.js';
import { ImageStore } from '../../src/transfer/image-store.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';

const ZONE = 'quickstart.example.';
const zone = Name.parse(ZONE);
const keysDev = new URL('../../keys-dev/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', keysDev), 'utf8')) as {
  secrets: { id: string; file: string }[];
  keys: {
    role: 'KSK' | 'ZSK';
    algorithm: number;
    keyTag: number;
    flags: number;
    publicKey: string;
    secret: string;
  }[];
};
const keySet: ZoneKey[] = manifest.keys.map((key, i) => ({
  ...key,
  id: String(i),
  zone: ZONE,
  publicKey: new Uint8Array(Buffer.from(key.publicKey, 'base64')),
  secretRef: key.secret,
  view: null,
  signs: true,
  published: true,
}));

function row(owner: string, type: string, ...data: string[]): ZoneRow {
  return { owner, sortKey: Name.parse(owner).sortKey(), type, ttl: 300, data, views: null };
}

const base = [
  row(ZONE, 'NS', `ns.${ZONE}`),
  row(ZONE, 'SOA', `ns.${ZONE} hostmaster.${ZONE} 1 3600 600 86400 300`),
  row(`ns.${ZONE}`, 'A', '192.0.2.1'),
];

const folder = mkdtempSync(join(tmpdir(), 'zoneseal-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

let store: MemoryPublicationStore;
let manager: PublicationManager;
let keystoreFault: Error | undefined;
let fetches = 0;
const logged: { level: string; fields: Record<string, unknown>; message: string }[] = [];
const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [
    level,
    (fields: Record<string, unknown>, message: string) => void logged.push({ level, fields, message }),
  ]),
) as Record<'debug' | 'info' | 'warn' | 'error', (fields: object, message: string) => void>;

beforeEach(async () => {
  store = new MemoryPublicationStore(ZONE, 'internal');
  store.rows = base;
  store.keySet = keySet;
  keystoreFault = undefined;
  fetches = 0;
  logged.length = 0;
  manager = makeManager(await ImageStore.open({ folder, memoryImageOctets: 16_384 }));
});

function makeManager(images: ImageStore): PublicationManager {
  const keyRing = new KeyRing({
    fetchPayload: (id) => {
      fetches++;
      if (keystoreFault !== undefined) return Promise.reject(keystoreFault);
      const { file } = manifest.secrets.find((it) => it.id === id) as { file: string };
      const payload = new Uint8Array(readFileSync(new URL(file, keysDev)));
      return Promise.resolve({ contentType: 'text/plain', payload });
    },
  });
  return new PublicationManager({
    store,
    dependencies: { keyRing, signer: new InlineSigner() },
    images,
    log,
    limits: { productions: 2, heldOctets: 1 << 20, freshSeconds: 0, remembered: 10 },
    gateway: 'test',
    leaseSeconds: 60,
  });
}

afterEach(() => manager.close());

/** All messages of what is served now, SOA first and last. */
async function fetchRecords(): Promise<ResourceRecord[]> {
  const served = await manager.find(zone, 'internal');
  if (served === undefined) throw new Error('not served');
  const reader = await served.openImage();
  try {
    const records: ResourceRecord[] = [];
    for await (const message of reader.messages()) records.push(...readMessage(message).answer);
    return records;
  } finally {
    reader.release();
  }
}

const serialOf = (soa: ResourceRecord | undefined): number =>
  Buffer.from((soa as ResourceRecord).rdata).readUInt32BE((soa as ResourceRecord).rdata.length - 20);

describe('a publication', () => {
  it.each([
    ['NSEC', {}],
    ['NSEC3', { denial: 'nsec3' }],
    ['NSEC and ZONEMD', { zonemd: true }],
    ['NSEC3 and ZONEMD', { denial: 'nsec3', zonemd: true }],
  ])('with %s opens and closes with one SOA and passes the verifier', async (_, policy) => {
    store.policy = parsePolicy('default', policy);
    const many = Array.from({ length: 300 }, (_unused, i) => row(`h${i + 1000}.${ZONE}`, 'A', '192.0.2.7'));
    store.rows = [...base.slice(0, 2), ...many, ...base.slice(2)];
    const records = await fetchRecords();
    expect(records[0]?.type).toBe(RRType.SOA);
    expect(records.at(-1)?.type).toBe(RRType.SOA);
    expect(serialOf(records.at(-1))).toBe(store.publications[0]?.serial);
    const report = await verifyZone(records.slice(0, -1), { apex: zone, now: store.now });
    expect(report.faults).toEqual([]);
    expect(report.ok).toBe(true);
  });

  it('is made once for all who ask, and its image is held', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => fetchRecords()));
    expect(store.publications.length).toBe(1);
    expect(store.reads).toBe(1);
    for (const records of all) expect(records).toEqual(all[0]);
    await manager.settled();
    expect(await fetchRecords()).toEqual(all[0]);
    expect(store.reads).toBe(1);
    expect(manager.counters.heldImages).toBe(1);
    expect(fetches).toBe(2);
  });

  it('is announced only when it is ready; until then the one before it is served', async () => {
    await manager.makeDue();
    await manager.settled();
    const first = await manager.find(zone, 'internal');
    store.version++;
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const readChanges = store.readChanges.bind(store);
    store.readChanges = (...question) => gate.then(() => readChanges(...question));
    store.rows = [...base, row(`www.${ZONE}`, 'A', '192.0.2.2')];
    await manager.makeDue();
    while (store.publications.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    expect((await manager.find(zone, 'internal'))?.soa).toEqual(first?.soa);
    expect(serialOf((await fetchRecords())[0])).toBe(store.publications[0]?.serial);
    release();
    await manager.settled();
    const second = await fetchRecords();
    expect(serialOf(second[0])).toBe(store.publications[1]?.serial);
    expect(store.publications.map((it) => it.state)).toEqual(['ready', 'ready']);
  });
});

describe('a first transfer', () => {
  it('has its first messages before the last row is read, and a client that stalls holds nothing back', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => row(`h${i + 1000}.${ZONE}`, 'A', '192.0.2.7'));
    store.rows = [...base.slice(0, 2), ...many];
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    store.onBatch = (read) => (read >= 2500 ? gate : undefined);
    const served = await manager.find(zone, 'internal');
    const [reader, stalled] = [await served?.openImage(), await served?.openImage()];
    const messages = (reader as NonNullable<typeof reader>).messages()[Symbol.asyncIterator]();
    const first = await messages.next();
    expect(readMessage(first.value as Uint8Array).answer[0]?.type).toBe(RRType.SOA);
    expect(store.publications[0]?.state).toBe('building');
    // the other reader never reads; the rows are read to their end all the same
    release();
    await manager.settled();
    expect(store.publications[0]?.state).toBe('ready');
    let last = first;
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) last = next;
    expect(readMessage(last.value as Uint8Array).answer.at(-1)?.type).toBe(RRType.SOA);
    reader?.release();
    stalled?.release();
  });

  describe('of a zone that another gateway signs', () => {
    let other: PublicationManager;
    let release = (): void => undefined;
    const many = Array.from({ length: 3000 }, (_, i) => row(`h${i + 1000}.${ZONE}`, 'A', '192.0.2.7'));

    beforeEach(async () => {
      store.rows = [...base.slice(0, 2), ...many];
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      store.onBatch = (read) => (read >= 2500 ? gate : undefined);
      other = makeManager(await ImageStore.open({ folder, memoryImageOctets: 16_384 }));
      await other.makeDue();
    });
    afterEach(() => other.close());

    it.each([
      ['NSEC', {}],
      ['NSEC3 and ZONEMD', { denial: 'nsec3', zonemd: true }],
    ])('begins before it is ready, with the signatures that the other one makes (%s)', async (_, policy) => {
      store.policy = parsePolicy('default', policy);
      const reader = await (await manager.find(zone, 'internal'))?.openImage();
      const messages = (reader as NonNullable<typeof reader>).messages()[Symbol.asyncIterator]();
      const records = [...readMessage((await messages.next()).value as Uint8Array).answer];
      expect(store.publications.map(({ state }) => state)).toEqual(['building']);
      release();
      for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
        records.push(...readMessage(next.value).answer);
      }
      reader?.release();
      await other.settled();
      expect(store.publications.map(({ state }) => state)).toEqual(['ready']);
      expect(await fetchRecords()).toEqual(records);
      expect((await verifyZone(records.slice(0, -1), { apex: zone, now: store.now })).faults).toEqual([]);
    });

    it('gets no closing SOA when the other one fails', async () => {
      const reader = await (await manager.find(zone, 'internal'))?.openImage();
      const messages = (reader as NonNullable<typeof reader>).messages()[Symbol.asyncIterator]();
      await messages.next();
      store.onBatch = () => Promise.reject(new ZonesealError('DATABASE_UNAVAILABLE', 'gone'));
      release();
      const all = async (): Promise<void> => {
        for (let next = await messages.next(); next.done !== true; ) next = await messages.next();
      };
      await expect(all()).rejects.toMatchObject({ code: 'PUBLICATION_NOT_READY' });
      reader?.release();
    });
  });
});

describe('a publication made again', () => {
  it.each([{}, { denial: 'nsec3', zonemd: true }])(
    'is the same octets on every gateway, without keys (%o)',
    async (policy) => {
      store.policy = parsePolicy('default', policy);
      const before = await fetchRecords();
      await manager.settled();
      manager.makeRoom(Number.MAX_SAFE_INTEGER);
      expect(manager.counters.heldImages).toBe(0);
      keystoreFault = new ZonesealError('KEYSTORE_UNAVAILABLE', 'Barbican does not answer');
      expect(await fetchRecords()).toEqual(before);
      expect(store.publications.length).toBe(1);
    },
  );

  it('whose pages are gone makes way for a new one', async () => {
    await fetchRecords();
    await manager.settled();
    manager.makeRoom(Number.MAX_SAFE_INTEGER);
    store.pages.clear();
    const records = await fetchRecords();
    expect(serialOf(records[0])).toBe(store.publications[1]?.serial);
    expect(store.publications.map(({ cause }) => cause)).toEqual(['first', 'pages']);
  });
});

describe('what goes wrong', () => {
  it('is an update that the gate refuses: what is ready is served until all is made anew from the rows', async () => {
    const next = row(`x.${ZONE}`, 'A', '192.0.2.9');
    store.rows = [...base, next];
    const before = await fetchRecords();
    await manager.settled();
    // a stored page that reads well, but lacks a name that the chain leads to
    const stored = store.pages.get('1') as { page: PackedPage }[];
    const nodes = stored.flatMap(({ page }) => unpackPage(page.content, zone));
    const [lacking] = pagesOf(nodes.slice(0, 1).concat(nodes.slice(2)), zone);
    (stored[0] as { page: PackedPage }).page = lacking as PackedPage;
    const added = row(`a.${ZONE}`, 'A', '192.0.2.9');
    store.version++;
    store.rows = [...base.slice(0, 2), added, ...base.slice(2), next];
    await manager.makeDue();
    await manager.settled();
    expect(store.publications.at(-1)).toMatchObject({ state: 'failed', previous: '1' });
    expect(store.publications.at(-1)?.error).toMatch(
      /^zone quickstart\.example\. in view internal, serial \d+: /,
    );
    expect(store.retries).toEqual([0]);
    expect((await fetchRecords())[0]).toEqual(before[0]);
    // due at once in the database
    store.listDue = () => Promise.resolve([store.zone]);
    await manager.makeDue();
    await manager.settled();
    expect(store.publications.map(({ state }) => state)).toEqual(['ready', 'failed', 'ready']);
    const report = await verifyZone((await fetchRecords()).slice(0, -1), { apex: zone, now: store.now });
    expect(report).toMatchObject({ ok: true, faults: [] });
  });

  it('is no room for the image of a first publication: it becomes ready all the same, and is served when there is', async () => {
    await manager.close();
    const many = Array.from({ length: 2000 }, (_, i) => row(`h${i + 1000}.${ZONE}`, 'A', '192.0.2.7'));
    store.rows = [...base.slice(0, 2), ...many, ...base.slice(2)];
    const small = { folder, memoryImageOctets: 0, maxMemoryOctets: 0, maxSpoolOctets: 40_000 };
    manager = makeManager(await ImageStore.open(small));
    await expect(fetchRecords()).rejects.toMatchObject({ code: 'SPOOL_FULL' });
    await manager.settled();
    expect(store.publications.map(({ state }) => state)).toEqual(['ready']);
    expect(manager.counters.heldImages).toBe(0);
    await manager.close();
    manager = makeManager(await ImageStore.open({ folder }));
    expect((await fetchRecords()).at(-1)?.type).toBe(RRType.SOA);
  });

  it('is a database that says nothing: what is remembered is served after a second', async () => {
    const before = await fetchRecords();
    await manager.settled();
    await manager.find(zone, 'internal');
    store.findLine = () => new Promise(() => undefined);
    const begun = performance.now();
    expect(await fetchRecords()).toEqual(before);
    expect(performance.now() - begun).toBeLessThan(4000);
  });

  it('is a stop in the middle of a production: it is given up and may be made anew at once', async () => {
    store.onBatch = () => new Promise((resolve) => setTimeout(resolve, 50));
    await manager.makeDue();
    while (store.publications.length < 1) await new Promise((resolve) => setTimeout(resolve, 1));
    await manager.close(0);
    expect(store.publications[0]).toMatchObject({ state: 'failed' });
    expect(store.retries).toEqual([0]);
  });

  it('in the rows: no closing SOA, the reason recorded, the one before it served, no retry before a change', async () => {
    await manager.makeDue();
    await manager.settled();
    store.version++;
    store.rows = [...base, row(`www.${ZONE}`, 'A', 'not an address')];
    await manager.makeDue();
    await manager.settled();
    expect(store.publications.at(-1)).toMatchObject({ state: 'failed' });
    expect(store.publications.at(-1)?.error).toMatch(/www\.quickstart\.example\. A/);
    expect(store.retries).toEqual([null]);
    expect(serialOf((await fetchRecords())[0])).toBe(store.publications[0]?.serial);
    expect(logged.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  it('while a first one streams: the reader gets an error and never the closing SOA', async () => {
    const many = Array.from({ length: 2000 }, (_, i) => row(`h${i + 1000}.${ZONE}`, 'A', '192.0.2.7'));
    store.rows = [...base.slice(0, 2), ...many];
    store.onBatch = (read) => {
      if (read > 1500) store.fault = new ZonesealError('DATABASE_UNAVAILABLE', 'the database went away');
    };
    const served = await manager.find(zone, 'internal');
    const reader = await served?.openImage();
    let messages = 0;
    const follow = async (): Promise<void> => {
      for await (const message of reader?.messages() ?? []) {
        messages++;
        const soas = readMessage(message).answer.filter(({ type }) => type === RRType.SOA);
        expect(soas.length).toBe(messages === 1 ? 1 : 0);
      }
    };
    await expect(follow()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    reader?.release();
    await manager.settled();
    expect(messages).toBeGreaterThan(0);
    store.fault = undefined;
    store.onBatch = () => undefined;
    expect((await fetchRecords()).at(-1)?.type).toBe(RRType.SOA);
    expect(store.publications.map((it) => it.serial)).toEqual([
      ...new Set(store.publications.map((it) => it.serial)),
    ]);
  });

  it('with the database away: what is ready goes on being served', async () => {
    const before = await fetchRecords();
    await manager.settled();
    await manager.find(zone, 'internal');
    store.fault = new ZonesealError('DATABASE_UNAVAILABLE', 'the database went away');
    expect(await fetchRecords()).toEqual(before);
    await expect(manager.makeDue()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  });

  it('with the database away: what was made here and never asked for is served as well', async () => {
    await manager.makeDue();
    await manager.settled();
    store.fault = new ZonesealError('DATABASE_UNAVAILABLE', 'the database went away');
    expect((await fetchRecords()).at(-1)?.type).toBe(RRType.SOA);
  });

  it('with the database away when a failure is to be recorded: it is recorded when the database is back', async () => {
    store.onBatch = () => {
      store.fault = new ZonesealError('DATABASE_UNAVAILABLE', 'the database went away');
    };
    await manager.makeDue();
    await manager.settled();
    expect(store.publications[0]?.state).toBe('building');
    store.fault = undefined;
    store.onBatch = () => undefined;
    await manager.makeDue();
    expect(store.publications[0]).toMatchObject({ state: 'failed', error: 'the database went away' });
  });

  it('with the key store away: a first publication fails, and is made when it is back', async () => {
    keystoreFault = new ZonesealError('KEYSTORE_UNAVAILABLE', 'Barbican does not answer');
    await expect(fetchRecords()).rejects.toMatchObject({ code: 'KEYSTORE_UNAVAILABLE' });
    await manager.settled();
    expect(store.retries).toEqual([5]);
    keystoreFault = undefined;
    expect((await fetchRecords()).at(-1)?.type).toBe(RRType.SOA);
  });

  it('with the lease lost: what was made is not served', async () => {
    store.leaseIsOurs = false;
    await expect(fetchRecords()).rejects.toMatchObject({ code: 'PUBLICATION_LOST' });
    await manager.settled();
    expect(manager.counters.heldImages).toBe(0);
  });

  it('without keys: the error says how to make some', async () => {
    store.keySet = [];
    await expect(fetchRecords()).rejects.toThrow(/zoneseal keys generate quickstart\.example\./);
  });

  it('with a zone that is not served: it is not found', async () => {
    expect(await manager.find(Name.parse('other.example.'), 'internal')).toBeUndefined();
    await fetchRecords();
    store.served = false;
    manager.forget();
    expect(await manager.find(zone, 'internal')).toBeUndefined();
  });
});
