import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import type { RRset } from '../../src/dns/record.js';
import { parseType, RRType, typeToText } from '../../src/dns/types.js';
import { parseRrsig, signedOctets } from '../../src/dnssec/rrsig.js';
import { parsePolicy } from '../../src/keys/policy.js';
import { BatchWriter, SignedReader } from '../../src/signing/batch.js';
import { type SigningInput, type SigningResult, signZone } from '../../src/signing/sign-zone.js';
import { inTransferOrder, type SignedRRset } from '../../src/signing/signed-node.js';
import { InlineSigner, type Signer } from '../../src/signing/signer.js';
import { WorkerPool } from '../../src/signing/worker-pool.js';
import type { ZoneNode } from '../../src/zone/node.js';

const zone = Name.parse('example.');
const NOW = 1_790_000_000;

function rrset(owner: string, type: string, ttl: number, ...rdata: string[]): RRset {
  const number = parseType(type);
  return {
    owner: Name.parse(owner),
    type: number,
    ttl,
    rdata: rdata.map((text) => parseRdataText(number, text, zone)),
  };
}

const node = (kind: ZoneNode['kind'], ...rrsets: RRset[]): ZoneNode => ({
  name: (rrsets[0] as RRset).owner,
  kind,
  rrsets,
});

const nodes: ZoneNode[] = [
  node(
    'apex',
    rrset('example.', 'NS', 3600, 'ns.example.'),
    rrset('example.', 'SOA', 3600, 'ns.example. hostmaster.example. 7 3600 600 86400 300'),
  ),
  node('delegation', rrset('child.example.', 'NS', 600, 'ns.child.example.')),
  node('occluded', rrset('ns.child.example.', 'A', 600, '192.0.2.9')),
  node('authoritative', rrset('ns.example.', 'A', 600, '192.0.2.1', '192.0.2.2')),
  node(
    'delegation',
    rrset('safe.example.', 'NS', 600, 'ns.example.'),
    rrset('safe.example.', 'DS', 600, `1 13 2 ${'ab'.repeat(32)}`),
  ),
  node('authoritative', rrset('*.w.example.', 'TXT', 60, '"wild"')),
];

async function* batches(of: readonly ZoneNode[], size: number): AsyncGenerator<readonly ZoneNode[]> {
  for (let i = 0; i < of.length; i += size) yield of.slice(i, i + size);
}

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

async function signAll(
  signer: Signer,
  policy: object,
  source: readonly ZoneNode[] = nodes,
  digest?: SigningInput['digest'],
): Promise<{ signed: SignedRRset[]; result: SigningResult }> {
  const handle = signer.register({ key: pair.privateKey, algorithm: 13 });
  const key = { handle, algorithm: 13, keyTag: 4711, print: 1 };
  const stream = signZone(batches(source, 2), {
    zone,
    time: NOW,
    serial: 99,
    policy: parsePolicy('test', policy),
    keyRrsets: [
      { owner: zone, type: RRType.DNSKEY, ttl: 3600, rdata: [Uint8Array.of(1, 0, 3, 13, 1, 2, 3)] },
    ],
    keySigning: [{ ...key, keyTag: 1 }],
    zoneSigning: [key],
    signer,
    ...(digest === undefined ? {} : { digest }),
  });
  const signed: SignedRRset[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done === true) {
      signer.unregister(handle);
      const { zonemd } = next.value;
      return { signed: zonemd === undefined ? signed : [...signed, zonemd], result: next.value };
    }
    for (const step of next.value) signed.push(...inTransferOrder(step.node));
  }
}

function expectSigned({ rrset: set, signatures }: SignedRRset, publicKey: KeyObject): void {
  for (const rdata of signatures) {
    const { signature, labels } = parseRrsig(rdata);
    const octets = signedOctets(rdata.subarray(0, rdata.length - signature.length), set);
    expect(verify('sha256', octets, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    expect(labels).toBe(set.owner.labelCount - (set.owner.isWildcard ? 1 : 0));
  }
}

const names = (signed: readonly SignedRRset[]): string[] =>
  signed.map(({ rrset: set, signatures }) => `${set.owner} ${typeToText(set.type)} ${signatures.length}`);

describe.each(['inline', 'threads'])('a zone signed %s', (kind) => {
  let signer: Signer;
  beforeAll(() => {
    signer = kind === 'inline' ? new InlineSigner() : new WorkerPool(2);
  });
  afterAll(() => signer.close());

  it('comes SOA first, then in canonical order, NS of delegations and glue unsigned (RFC 4035 §2.2)', async () => {
    const { signed, result } = await signAll(signer, {});
    expect(names(signed)).toEqual([
      'example. SOA 1',
      'example. NS 1',
      'example. NSEC 1',
      'example. DNSKEY 1',
      'child.example. NS 0',
      'child.example. NSEC 1',
      'ns.child.example. A 0',
      'ns.example. A 1',
      'ns.example. NSEC 1',
      'safe.example. NS 0',
      'safe.example. DS 1',
      'safe.example. NSEC 1',
      '*.w.example. TXT 1',
      '*.w.example. NSEC 1',
    ]);
    for (const set of signed) expectSigned(set, pair.publicKey);
    expect(result.signatures).toBe(11);
    expect(result.records).toBe(15 + 11);
    expect(result.soa.rrset.rdata[0]).toEqual(
      parseRdataText(RRType.SOA, 'ns.example. hostmaster.example. 99 3600 600 86400 300'),
    );
    expect(result.resignAt).toBeGreaterThan(NOW);
  });

  it('gives denial records the lesser of SOA TTL and minimum (RFC 9077 §3)', async () => {
    const { signed } = await signAll(signer, {});
    const ttls = signed
      .filter(({ rrset: { type } }) => type === RRType.NSEC)
      .map(({ rrset: { ttl } }) => ttl);
    expect(new Set(ttls)).toEqual(new Set([300]));
  });

  it('has the NSEC3 chain after the names, and NSEC3PARAM at the apex', async () => {
    const { signed } = await signAll(signer, { denial: 'nsec3' });
    const types = signed.map(({ rrset: { type } }) => type);
    const first = types.indexOf(RRType.NSEC3);
    expect(types.slice(first).every((type) => type === RRType.NSEC3)).toBe(true);
    expect(types.length - first).toBe(6); // five names with data or a delegation, and w as an empty non-terminal
    expect(types).toContain(RRType.NSEC3PARAM);
    for (const set of signed) expectSigned(set, pair.publicKey);
  });

  it('ends with ZONEMD over everything before it, owners whole and in order', async () => {
    const seen: string[] = [];
    const { signed } = await signAll(signer, { zonemd: true }, nodes, () => {
      seen.push('asked');
      return Promise.resolve(new Uint8Array(48).fill(7));
    });
    expect(seen).toEqual(['asked']);
    expect(names(signed).slice(-1)).toEqual(['example. ZONEMD 1']);
    const owners = signed.slice(0, -1).map(({ rrset: { owner } }) => owner);
    const distinct = owners.filter((owner, i) => i === 0 || !owner.equals(owners[i - 1] as Name));
    expect(new Set(distinct.map((owner) => owner.key)).size).toBe(distinct.length);
  });

  it('keeps the order over thousands of RRsets', async () => {
    const many = Array.from({ length: 3000 }, (_, i) =>
      node(
        'authoritative',
        rrset(`h${String(i).padStart(5, '0')}.example.`, 'A', 60, `10.0.${i >> 8}.${i & 255}`),
      ),
    );
    const { signed } = await signAll(signer, {}, [nodes[0] as ZoneNode, ...many]);
    const owners = signed
      .filter(({ rrset: { type } }) => type === RRType.A)
      .map(({ rrset: { owner } }) => owner);
    expect(owners.map(String)).toEqual(many.map(({ name }) => name.toString()));
    for (const set of signed.slice(0, 50)) expectSigned(set, pair.publicKey);
  });

  it('fails when there is no apex', async () => {
    await expect(signAll(signer, {}, [])).rejects.toMatchObject({ code: 'ZONE_INVALID' });
  });
});

describe('the worker pool', () => {
  it('fails a block whose key is not held, and goes on', async () => {
    const pool = new WorkerPool(1);
    const block = Uint8Array.of(0, 9, 0, 0, 0, 0, 0, 1, 5);
    await expect(pool.sign(block)).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    const { signed } = await signAll(pool, {});
    expect(signed.length).toBe(14);
    await pool.close();
    await expect(pool.sign(Uint8Array.of(0))).rejects.toMatchObject({ code: 'SIGNER_CLOSED' });
  });

  it('signs small blocks together, each getting its own; one whose key is not held fails alone', async () => {
    const pool = new WorkerPool(2);
    const keys = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const handles = keys.map(({ privateKey }) => pool.register({ key: privateKey, algorithm: 13 }));
    const octets = (zoneNumber: number, item: number): Buffer =>
      Buffer.from(`zone ${zoneNumber} item ${item}`);
    const signed = await Promise.all(
      Array.from({ length: 60 }, async (_, zoneNumber) => {
        const writer = new BatchWriter();
        const handle = zoneNumber === 33 ? 999 : (handles[zoneNumber % 2] as number);
        for (let item = 0; item <= zoneNumber % 5; item++) {
          const signed = octets(zoneNumber, item);
          const at = writer.reserve(handle, 4, signed.length);
          writer.octets.set(signed, at);
        }
        return pool.sign(writer.take()).catch((error: unknown) => error);
      }),
    );
    signed.forEach((own, zoneNumber) => {
      if (zoneNumber === 33) return expect(own).toMatchObject({ code: 'SIGNER_FAILED' });
      const reader = new SignedReader(own as Uint8Array);
      const items = Array.from({ length: 1 + (zoneNumber % 5) }, () => reader.next());
      expect(() => reader.next()).toThrow(RangeError);
      const { publicKey } = keys[zoneNumber % 2] as { publicKey: KeyObject };
      const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
      items.forEach((signed, item) => {
        expect(Buffer.from(signed.subarray(0, 4)).toString()).toBe('zone');
        expect(verify('sha256', octets(zoneNumber, item), key, signed.subarray(4))).toBe(true);
      });
    });
    expect(pool.queued).toBe(0);
    await pool.close();
  });
});
