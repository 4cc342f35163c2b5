import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { formatRdata } from '../../src/dns/rdata/index.js';
import { RRType, typeToText } from '../../src/dns/types.js';
import { verifyZone } from '../../src/dnssec/verify/index.js';
import { readSignature } from '../../src/dnssec/verify/signature.js';
import { generateKey, type NewKey } from '../../src/keys/generate.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { parsePolicy } from '../../src/keys/policy.js';
import { dryRun } from '../../src/publication/dry-run.js';
import { apexRRset } from '../../src/publication/pack-image.js';
import { NEVER, type Publication, type PublishedRRset } from '../../src/publication/ports.js';
import { FORMAT_VERSION, produce } from '../../src/publication/produce.js';
import { publishedNodes } from '../../src/publication/published-nodes.js';
import { InlineSigner } from '../../src/signing/signer.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';

const ZONE = 'example.';
const apex = Name.parse(ZONE);

const made = new Map<string, NewKey>();
async function newKey(id: string, role: ZoneKey['role'], algorithm = 13): Promise<ZoneKey> {
  const key = await generateKey({ role, algorithm });
  made.set(id, key);
  const { flags, keyTag, publicKey } = key;
  const facts = { zone: ZONE, view: null, secretRef: 'x', signs: true, published: true };
  return { id, role, algorithm, flags, keyTag, publicKey, ...facts };
}
const [ksk, zsk, other] = await Promise.all([newKey('1', 'KSK'), newKey('2', 'ZSK'), newKey('3', 'CSK', 15)]);
const keyRing = {
  privateKeys: (keys: readonly ZoneKey[]) =>
    Promise.resolve(new Map(keys.map(({ id }) => [id, (made.get(id) as NewKey).privateKey]))),
};

function row(owner: string, type: string, ...data: string[]): ZoneRow {
  return { owner, sortKey: Name.parse(owner).sortKey(), type, ttl: 3600, data, views: null };
}
const ROWS = [
  row(ZONE, 'NS', 'ns.example.'),
  row(ZONE, 'SOA', 'ns.example. host.example. 1 3600 600 86400 300'),
  row('ns.example.', 'A', '192.0.2.53'),
  row('www.example.', 'A', '192.0.2.80'),
];

class Line extends MemoryPublicationStore {
  constructor(keySet: readonly ZoneKey[], policy: object = {}, rows: readonly ZoneRow[] = ROWS) {
    super(ZONE, 'v');
    this.keySet = keySet;
    this.policy = parsePolicy('default', policy);
    this.rows = rows;
  }

  change(to: Partial<Pick<Line, 'keySet' | 'policy' | 'deleteSentinel'>>): void {
    this.keySetVersion++;
    this.policyVersion++;
    Object.assign(this, to);
  }

  async publish(
    formatVersion = FORMAT_VERSION,
  ): Promise<{ publication: Publication; isUpdate: boolean; isChanged: boolean }> {
    // a preview leaves its attempt
    const left = this.publications.at(-1);
    if (left?.state === 'building') await this.markFailed(left.id, 'g', 'a preview', null);
    const nextSerial = (): number => this.publications.length + 1;
    const allocation = await this.allocate(this.zone, { formatVersion, nextSerial });
    if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
    const { publication } = allocation;
    const production = { publication, gateway: 'g', image: undefined, distrusted: new Set<string>() };
    const produced = await produce(production, { store: this, keyRing, signer: new InlineSigner() });
    await this.markReady(publication.id, 'g', produced.result, produced.changes);
    return {
      publication: (await this.newestReady()) as Publication,
      isUpdate: produced.changes !== undefined,
      isChanged: produced.isChanged,
    };
  }

  /** All records of what is served. */
  async recordsOf(publication: Publication) {
    const rrsets = [apexRRset(apex, RRType.SOA, publication.soa as PublishedRRset)];
    for await (const nodes of publishedNodes(publication, this))
      rrsets.push(...nodes.flatMap((it) => it.rrsets));
    if (publication.zonemd !== null) rrsets.push(apexRRset(apex, RRType.ZONEMD, publication.zonemd));
    return rrsets.flatMap(({ rrset: { owner, type, ttl, rdata }, signatures }) => [
      ...rdata.map((octets) => ({ owner, type, ttl, rdata: octets })),
      ...signatures.map((octets) => ({ owner, type: RRType.RRSIG, ttl, rdata: octets })),
    ]);
  }

  async faults(publication: Publication, signed = true): Promise<string[]> {
    const report = await verifyZone(await this.recordsOf(publication), { apex, now: this.now, signed });
    return report.faults.map(({ severity, rule }) => `${severity} ${rule}`);
  }

  /** `type` and `rdata` of records at the apex of some types, and who signs them. */
  async atApex(publication: Publication, ...types: number[]): Promise<string[]> {
    const records = (await this.recordsOf(publication)).filter(({ owner }) => owner.equals(apex));
    return records.flatMap(({ type, ttl, rdata }) => {
      if (types.includes(type)) return [`${typeToText(type)} ${ttl} ${formatRdata(type, rdata)}`];
      if (type !== RRType.RRSIG) return [];
      const { typeCovered, keyTag } = readSignature(rdata, ttl);
      const signer = [ksk, zsk, other].find((it) => it.keyTag === keyTag)?.role;
      return types.includes(typeCovered) ? [`${typeToText(typeCovered)} by ${signer}`] : [];
    });
  }
}

const PARENT = [RRType.CDS, RRType.CDNSKEY];

describe('CDS and CDNSKEY of the key set', () => {
  it.each(['nsec', 'nsec3'])(
    'come and go with a change of the apex alone, signed by the KSK, with %s',
    async (denial) => {
      const line = new Line([ksk, zsk], { denial, dnskeyTtl: 900 });
      await line.publish();
      line.change({ keySet: [{ ...ksk, parent: true }, zsk] });
      const asked = await line.publish();
      expect(asked.isUpdate).toBe(true);
      expect(await line.faults(asked.publication)).toEqual([]);
      expect(await line.atApex(asked.publication, ...PARENT)).toEqual([
        expect.stringMatching(`^CDS 900 ${ksk.keyTag} 13 2 [0-9A-F]{64}$`),
        'CDS by KSK',
        expect.stringMatching('^CDNSKEY 900 257 3 13 '),
        'CDNSKEY by KSK',
      ]);
      line.change({ deleteSentinel: true });
      const sentinel = await line.publish();
      expect(await line.faults(sentinel.publication)).toEqual([]);
      expect(await line.atApex(sentinel.publication, ...PARENT)).toEqual([
        'CDS 900 0 0 0 00',
        'CDS by KSK',
        'CDNSKEY 900 0 3 0 AA==',
        'CDNSKEY by KSK',
      ]);
      line.change({ keySet: [ksk, zsk], deleteSentinel: false });
      const gone = await line.publish();
      expect(await line.faults(gone.publication)).toEqual([]);
      expect(await line.atApex(gone.publication, ...PARENT)).toEqual([]);
    },
  );

  it('are not made in the output format of before, as the release before makes none', async () => {
    const line = new Line([{ ...ksk, parent: true }, zsk]);
    const { publication } = await line.publish(2);
    expect(await line.atApex(publication, ...PARENT)).toEqual([]);
    const next = await line.publish();
    expect(await line.atApex(next.publication, ...PARENT)).toHaveLength(4);
  });

  it('of the operator are served, signed by the KSK, while the key set makes none', async () => {
    const stored = row(ZONE, 'CDS', '0 0 0 00');
    const line = new Line([ksk, zsk], {}, [stored, ...ROWS]);
    const { publication } = await line.publish();
    expect(await line.faults(publication)).toEqual([]);
    expect(await line.atApex(publication, ...PARENT)).toEqual(['CDS 3600 0 0 0 00', 'CDS by KSK']);
    line.change({ keySet: [{ ...ksk, parent: true }, zsk] });
    await expect(line.publish()).rejects.toMatchObject({
      code: 'ZONE_INVALID',
      message:
        'zone example.: example. CDS: is stored, and made from the key set as well, of which a key is wanted at the parent; delete the row, with: zoneseal rrset delete example. @ CDS',
    });
  });
});

describe('an algorithm that signs before its key is published', () => {
  it('signs everything beside those that are', async () => {
    const line = new Line([ksk, zsk, { ...other, published: false }]);
    const { publication } = await line.publish();
    expect(new Set(await line.faults(publication))).toEqual(new Set(['warning rrsig-unknown-key']));
    expect(await line.atApex(publication, RRType.NS, RRType.DNSKEY)).toEqual(
      expect.arrayContaining(['NS by ZSK', 'NS by CSK', 'DNSKEY by KSK', 'DNSKEY by CSK']),
    );
  });
});

describe('a zone without keys whose policy wants no signatures', () => {
  const unsigned = { keySet: [], policy: parsePolicy('default', { signed: false }) };

  it.each([{}, { denial: 'nsec3' }, { zonemd: true }, { denial: 'nsec3', zonemd: true }])(
    'is served unsigned, and never due for new signatures: %o',
    async (policy) => {
      const line = new Line([], { ...policy, signed: false });
      const { publication } = await line.publish();
      expect(await line.faults(publication, false)).toEqual([]);
      expect(publication).toMatchObject({ resignAt: NEVER, expiresAt: NEVER });
      expect(publication.soa?.signatures).toEqual([]);
      expect(publication.zonemd?.signatures).toEqual('zonemd' in policy ? [] : undefined);
      line.version++;
      line.rows = [...ROWS, row('zz.example.', 'TXT', '"x"')];
      const next = await line.publish();
      expect(next.isUpdate).toBe(true);
      expect(await line.faults(next.publication, false)).toEqual([]);
    },
  );

  it('comes to have a digest, and to be without', async () => {
    const line = new Line([], { signed: false });
    await line.publish();
    for (const zonemd of [true, false]) {
      line.change({ policy: parsePolicy('default', { signed: false, zonemd }) });
      const { publication, isChanged } = await line.publish();
      expect([isChanged, publication.zonemd !== null]).toEqual([true, zonemd]);
    }
  });

  it('stays signed while its keys are published', async () => {
    const line = new Line([ksk, zsk], { signed: false });
    const { publication } = await line.publish();
    expect(await line.faults(publication)).toEqual([]);
  });

  it('goes from signed to unsigned and back; a dry run says so', async () => {
    const line = new Line([ksk, zsk]);
    await line.publish();
    line.change(unsigned);
    const kinds = new Set(
      (await dryRun(await preview(line), line, { limit: 100 })).changes.map((it) =>
        it.kind === 'signed' ? 'signed' : `${it.kind} ${typeToText(it.record.type)}`,
      ),
    );
    expect(kinds).toEqual(new Set(['removed DNSKEY', 'removed NSEC']));
    const bare = await line.publish();
    expect(await line.faults(bare.publication, false)).toEqual([]);
    line.change({ keySet: [ksk, zsk], policy: parsePolicy('default', {}) });
    const back = await line.publish();
    expect(await line.faults(back.publication)).toEqual([]);
  });

  it('is an error where the policy wants signatures', async () => {
    const line = new Line([], {});
    await expect(line.publish()).rejects.toMatchObject({ code: 'KEY_SET_INVALID' });
  });
});

/** What the next publication would be made from. */
async function preview(line: Line): Promise<Publication> {
  const allocation = await line.allocate(line.zone, {
    formatVersion: FORMAT_VERSION,
    nextSerial: () => line.publications.length + 1,
  });
  if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
  return allocation.publication;
}
