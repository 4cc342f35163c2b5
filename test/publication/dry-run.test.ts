import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { formatRdata } from '../../src/dns/rdata/index.js';
import { typeToText } from '../../src/dns/types.js';
import { generateKey } from '../../src/keys/generate.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { parsePolicy } from '../../src/keys/policy.js';
import { type DryRun, dryRun } from '../../src/publication/dry-run.js';
import type { Publication } from '../../src/publication/ports.js';
import { FORMAT_VERSION, produce } from '../../src/publication/produce.js';
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
const keyRing = new KeyRing({
  fetchPayload: () => Promise.resolve({ contentType: 'application/pkcs8', payload: made.pkcs8 }),
});

const row = (owner: string, type: string, ...data: string[]): ZoneRow => ({
  owner,
  sortKey: Name.parse(owner).sortKey(),
  type,
  ttl: 300,
  data,
  views: null,
});
const soa = (host = 'host'): ZoneRow => row(ZONE, 'SOA', `ns.z. ${host}.z. 1 3600 600 86400 300`);
const BEGIN = [
  row(ZONE, 'NS', 'ns.z.'),
  soa(),
  row('a.z.', 'A', '192.0.2.1'),
  row('c.z.', 'A', '192.0.2.3'),
  row('ns.z.', 'A', '192.0.2.53'),
];

const newStore = (): MemoryPublicationStore => {
  const store = new MemoryPublicationStore(ZONE, 'external');
  store.keySet = [key];
  store.rows = BEGIN;
  return store;
};

async function publish(store: MemoryPublicationStore): Promise<Publication & { made: [number, number] }> {
  const allocation = await store.allocate(store.zone, {
    formatVersion: FORMAT_VERSION,
    nextSerial: () => store.publications.length + 1,
  });
  if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
  const { publication } = allocation;
  const dependencies = { store, keyRing, signer: new InlineSigner() };
  const produced = await produce(
    { publication, gateway: 'g', image: undefined, distrusted: new Set() },
    dependencies,
  );
  const { result, changes } = produced;
  await store.markReady(publication.id, 'g', result, changes);
  const ready = (await store.newestReady('1', 'external')) as Publication;
  return { ...ready, made: [result.signatures, result.reused] };
}

/** What a publication of the present state is made from. */
function presentOf(store: MemoryPublicationStore, base: Publication | undefined): Publication {
  return {
    ...store.zone,
    id: '0',
    serial: 99,
    zoneVersion: store.version,
    policyName: 'default',
    policyVersion: store.policyVersion,
    keySetVersion: store.keySetVersion,
    time: store.now,
    formatVersion: FORMAT_VERSION,
    notBefore: store.notBefore,
    state: 'building',
    cause: 'change',
    error: null,
    previous: base?.id ?? null,
    generation: null,
    resignAt: null,
    expiresAt: null,
    soa: null,
    zonemd: null,
    maxTtl: null,
    records: null,
    octets: null,
    journal: null,
  };
}

function show({ changes }: DryRun): string[] {
  return changes.map((change) => {
    if (change.kind === 'signed') return `~ ${change.owner} ${typeToText(change.type)}`;
    const { owner, type, rdata } = change.record;
    const sign = change.kind === 'added' ? '+' : '-';
    return `${sign} ${owner} ${typeToText(type)} ${formatRdata(type, rdata[0] as Uint8Array)}`;
  });
}

describe('a dry run', () => {
  it('says what a change takes away, puts in and signs anew, with its neighbours in the chain', async () => {
    const store = newStore();
    const base = await publish(store);
    store.version++;
    store.rows = [
      ...BEGIN.slice(0, 2),
      row('b.z.', 'A', '192.0.2.2'),
      ...BEGIN.slice(2, 3),
      ...BEGIN.slice(4),
    ];
    const run = await dryRun(presentOf(store, base), store, { limit: 100 });
    expect(show(run)).toEqual([
      '- a.z. NSEC c.z. A RRSIG NSEC',
      '+ a.z. NSEC b.z. A RRSIG NSEC',
      '~ a.z. NSEC',
      '+ b.z. A 192.0.2.2',
      '~ b.z. A',
      '+ b.z. NSEC ns.z. A RRSIG NSEC',
      '~ b.z. NSEC',
      '- c.z. A 192.0.2.3',
      '- c.z. NSEC ns.z. A RRSIG NSEC',
    ]);
    expect(run).toMatchObject({ isChanged: true, isCut: false, base: { id: base.id } });
    const real = await publish(store);
    expect(run).toMatchObject({ difference: real.journal, records: real.records });
    expect([run.signatures, run.reused]).toEqual(real.made);
  });

  it.each([
    ['a policy that makes another chain', { denial: 'nsec3' }, 0],
    ['ZONEMD', { zonemd: true }, 0],
    ['all signatures anew', {}, 1_790_000_000],
  ])('says what the whole made anew differs in: %s', async (_, document, notBefore) => {
    const store = newStore();
    const base = await publish(store);
    store.policy = parsePolicy('default', document);
    store.policyVersion++;
    store.notBefore = notBefore;
    const run = await dryRun(presentOf(store, base), store, { limit: 100, pageOctets: 100 });
    const real = await publish(store);
    expect(run.isChanged).toBe(true);
    expect(run.records).toBe(real.records);
    expect([run.signatures, run.reused]).toEqual(real.made);
    expect(run.difference).toMatchObject({ removed: real.journal?.removed ?? expect.anything() });
    expect(show(run).some((line) => line.startsWith('~'))).toBe(true);
  });

  it('lists a bounded number of changes of each kind, and counts all', async () => {
    const store = newStore();
    const run = await dryRun(presentOf(store, undefined), store, { limit: 2 });
    expect(show(run).filter((line) => line.startsWith('+'))).toHaveLength(3); // the SOA beside them
    expect(show(run).filter((line) => line.startsWith('~'))).toHaveLength(2);
    expect(run).toMatchObject({ isCut: true, isChanged: true, difference: undefined, base: undefined });
    expect(run.records).toBe((await publish(store)).records);
  });

  it('says that nothing would change, and what of the SOA would', async () => {
    const store = newStore();
    const base = await publish(store);
    expect(await dryRun(presentOf(store, base), store, { limit: 9 })).toMatchObject({
      isChanged: false,
      changes: [],
      difference: { removed: 0, added: 0 },
    });
    store.version++;
    store.rows = [BEGIN[0] as ZoneRow, soa('other'), ...BEGIN.slice(2)];
    expect(show(await dryRun(presentOf(store, base), store, { limit: 9 }))).toEqual([
      '- z. SOA ns.z. host.z. 1 3600 600 86400 300',
      '+ z. SOA ns.z. other.z. 99 3600 600 86400 300',
    ]);
  });

  it('meets the errors that would stop the publication', async () => {
    const store = newStore();
    const base = await publish(store);
    store.version++;
    store.rows = [...BEGIN, row('x.z.', 'A', '192.0.2.300')];
    await expect(dryRun(presentOf(store, base), store, { limit: 9 })).rejects.toMatchObject({
      message: expect.stringContaining('x.z.') as unknown,
    });
    store.keySet = [];
    store.keySetVersion++;
    await expect(dryRun(presentOf(store, base), store, { limit: 9 })).rejects.toMatchObject({
      code: 'KEY_SET_INVALID',
    });
  });

  it('stores nothing', async () => {
    const store = newStore();
    const base = await publish(store);
    store.version++;
    store.rows = [...BEGIN, row('x.z.', 'A', '192.0.2.30')];
    const kept = (): string => JSON.stringify([[...store.pages], [...store.journals]]);
    const before = kept();
    await dryRun(presentOf(store, base), store, { limit: 9 });
    await dryRun({ ...presentOf(store, base), notBefore: store.now }, store, { limit: 9 });
    expect(store.publications).toHaveLength(1);
    expect(kept()).toBe(before);
  });
});
