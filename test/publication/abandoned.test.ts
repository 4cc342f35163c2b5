import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { octetKey } from '../../src/dns/octet-key.js';
import { generateKey } from '../../src/keys/generate.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { parsePolicy } from '../../src/keys/policy.js';
import { FORMAT_VERSION, produce } from '../../src/publication/produce.js';
import type { Produced } from '../../src/publication/production.js';
import { unpackPage } from '../../src/signing/page-codec.js';
import { InlineSigner } from '../../src/signing/signer.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';

const ZONE = 'z.';
const made = await generateKey({ algorithm: 13, role: 'CSK' });
const key: ZoneKey = {
  ...made,
  id: '1',
  zone: ZONE,
  secretRef: 'x',
  view: null,
  signs: true,
  published: true,
};

function row(owner: string, type: string, ...data: string[]): ZoneRow {
  return { owner, sortKey: Name.parse(owner).sortKey(), type, ttl: 300, data, views: null };
}

const names = Array.from({ length: 600 }, (_, i) => row(`h${i + 1000}.${ZONE}`, 'A', '192.0.2.1'));

function newStore(policy: Readonly<Record<string, unknown>> = {}): MemoryPublicationStore {
  const store = new MemoryPublicationStore(ZONE, 'internal');
  store.policy = parsePolicy('default', policy);
  store.keySet = [key];
  store.rows = [row(ZONE, 'NS', 'ns.z.'), row(ZONE, 'SOA', 'ns.z. host.z. 1 3600 600 86400 300'), ...names];
  return store;
}

/** Makes a publication, with a signer of signatures that differ each time. */
async function publish(store: MemoryPublicationStore, view = 'internal'): Promise<Produced['result']> {
  const nextSerial = (): number => store.publications.length + 1;
  const request = { formatVersion: FORMAT_VERSION, nextSerial };
  const allocation = await store.allocate({ ...store.zone, view }, request);
  if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
  const { publication } = allocation;
  const keyRing = new KeyRing({
    fetchPayload: () => Promise.resolve({ contentType: 'application/pkcs8', payload: made.pkcs8.slice() }),
  });
  try {
    const { result, changes } = await produce(
      { publication, gateway: 'g', image: undefined, distrusted: new Set() },
      { store, keyRing, signer: new InlineSigner(), pageOctets: 1000 },
    );
    await store.markReady(publication.id, 'g', result, changes);
    return result;
  } catch (error) {
    await store.markFailed(publication.id, 'g', String(error), 0);
    throw error;
  }
}

/** The signatures that are stored of a publication. */
function signaturesOf(store: MemoryPublicationStore, id: string): string[] {
  const nodes = (store.pages.get(id) ?? []).flatMap(({ page }) => unpackPage(page.content, Name.parse(ZONE)));
  return nodes.flatMap(({ name, rrsets }) =>
    rrsets.flatMap(({ signatures }) => signatures.map((it) => `${name} ${octetKey(it)}`)),
  );
}

async function die(store: MemoryPublicationStore, read: number, view?: string): Promise<string[]> {
  store.onBatch = (rows) => (rows < read ? undefined : Promise.reject(new Error('killed')));
  await expect(publish(store, view)).rejects.toThrow('killed');
  store.onBatch = () => undefined;
  return signaturesOf(store, String(store.publications.length));
}

describe('a publication that died while it was made', () => {
  it.each([
    ['NSEC', {}],
    ['NSEC3', { denial: 'nsec3' }],
  ])('leaves the signatures that were stored to the next one, %s', async (_, policy) => {
    const store = newStore(policy);
    const stored = await die(store, 400);
    expect(stored.length).toBeGreaterThan(100);
    const { reused, signatures } = await publish(store);
    expect(reused).toBe(stored.length);
    const all = signaturesOf(store, '2');
    expect(all.slice(0, stored.length)).toEqual(stored);
    // and the SOA's
    expect(reused + signatures).toBe(all.length + 1);
  });

  it('leaves them through another one that got less far, and to another view', async () => {
    const store = newStore();
    const stored = await die(store, 500);
    expect((await die(store, 300)).length).toBeLessThan(stored.length);
    expect((await publish(store, 'external')).reused).toBe(stored.length);
    expect(signaturesOf(store, '3').slice(0, stored.length)).toEqual(stored);
  });

  it('leaves them to a change in another view as well', async () => {
    const store = newStore();
    store.rows = store.rows.slice(0, 2);
    await publish(store, 'external');
    store.version++;
    store.rows = newStore().rows;
    const stored = new Set(await die(store, 500));
    const first = names[0] as ZoneRow;
    store.version++;
    store.rows = [...store.rows.slice(0, 2), first];
    await publish(store, 'external');
    const own = signaturesOf(store, '1').filter((it) => it.startsWith(first.owner));
    expect(own).toHaveLength(2);
    // that of the data; its NSEC leads elsewhere
    expect(own.filter((it) => stored.has(it))).toHaveLength(1);
  });

  it('leaves what can be read of them', async () => {
    const store = newStore();
    const stored = await die(store, 400);
    const pages = store.pages.get('1') as { page: { content: Uint8Array } }[];
    const damaged = pages[3] as (typeof pages)[number];
    damaged.page = { ...damaged.page, content: Uint8Array.of(99) };
    const { reused } = await publish(store);
    expect(reused).toBeGreaterThan(0);
    expect(reused).toBeLessThan(stored.length);
  });

  it('leaves none to one that is ready already', async () => {
    const store = newStore();
    await die(store, 400);
    await publish(store);
    expect(await store.listAbandoned()).toEqual([]);
  });
});
