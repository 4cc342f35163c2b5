import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import { canonicalRdata } from '../../../src/dns/rdata/index.js';
import { RRType } from '../../../src/dns/types.js';
import { type VerifiableRecord, type VerifyProgress, verifyZone } from '../../../src/dnssec/verify/index.js';
import { makeKey, resign, show } from './resign.js';
import { APEX, readVector, VECTOR_NOW, VECTORS } from './vectors.js';

const options = { apex: APEX, now: VECTOR_NOW };
const DAY = 86_400;

describe.each(VECTORS)('the zone of $signer: algorithms $algorithms, $denial', ({ name, denial, zonemd }) => {
  it('is accepted', async () => {
    const report = await verifyZone(await readVector(name), options);
    expect(report.faults).toEqual([]);
    expect(report).toMatchObject({ ok: true, denial: denial === 'nsec' ? 'nsec' : 'nsec3' });
    expect(report.counts.signatures).toBeGreaterThanOrEqual(report.counts.signedSets);
    expect(report.firstExpiration).toBeGreaterThan(VECTOR_NOW + 29 * DAY);
  });

  it('is not accepted before and after, nor within a margin', async () => {
    const zone = await readVector(name);
    const rules = async (now: number, margin = 0) =>
      new Set((await verifyZone(zone, { ...options, now, margin })).faults.map((fault) => fault.rule));
    expect(await rules(VECTOR_NOW - 5 * DAY)).toEqual(new Set(['rrsig-not-yet-valid']));
    expect(await rules(VECTOR_NOW + 40 * DAY)).toEqual(new Set(['rrsig-expired']));
    expect(await rules(VECTOR_NOW, 40 * DAY)).toEqual(new Set(['rrsig-expires-soon']));
  });

  it('is judged alike in any order, and with the closing SOA of a transfer', async () => {
    const zone = await readVector(name);
    const soa = zone.find((record) => record.type === RRType.SOA) as VerifiableRecord;
    const others = zone.filter((record) => record !== soa);
    expect((await verifyZone([...zone].reverse(), options)).faults).toEqual([]);
    expect((await verifyZone([soa, ...others, soa], options)).faults).toEqual([]);
    expect((await verifyZone([soa, soa, ...others], options)).faults).toMatchObject([
      { rule: 'duplicate-record' },
    ]);
  });

  it(zonemd === undefined ? 'has no ZONEMD' : 'has a ZONEMD that is right', async () => {
    const report = await verifyZone(await readVector(name), { ...options, zonemd: 'required' });
    expect(report.faults.map((fault) => fault.rule)).toEqual(zonemd === undefined ? ['zonemd-missing'] : []);
  });

  it('is rejected for another zone', async () => {
    const report = await verifyZone(await readVector(name), { ...options, apex: Name.parse('sub.example.') });
    expect(report.faults.map((fault) => fault.rule)).toContain('out-of-zone');
    expect(report.faults.map((fault) => fault.rule)).toContain('soa-missing');
    expect(report.ok).toBe(false);
  });
});

describe('a zone with ZONEMD is rejected when', () => {
  const zones = ['knot-nsec-13', 'knot-nsec3-15'];

  it.each(zones)('any record is left out (%s)', async (name) => {
    const zone = await readVector(name);
    for (const record of zone) {
      const report = await verifyZone(
        zone.filter((other) => other !== record),
        options,
      );
      expect(report.ok, show(record)).toBe(false);
    }
  });

  it('a record is there twice', async () => {
    const zone = await readVector('knot-nsec-13');
    for (const record of zone.slice(1).filter((_, i) => i % 3 === 0)) {
      expect((await verifyZone([...zone, record], options)).ok, show(record)).toBe(false);
    }
  });

  it.each(zones)(
    'any bit of any rdata is changed, but for the case of letters in names (%s)',
    async (name) => {
      const zone = await readVector(name);
      await fc.assert(
        fc.asyncProperty(fc.nat(zone.length - 1), fc.nat(), async (index, bit) => {
          const record = zone[index] as VerifiableRecord;
          const rdata = record.rdata.slice();
          const at = Math.floor(bit / 8) % rdata.length;
          rdata[at] = (rdata[at] as number) ^ (1 << (bit % 8));
          const changed = zone.with(index, {
            ...record,
            rdata,
          } as (typeof zone)[number]);
          const isSame =
            Buffer.compare(safeCanonical(record.type, rdata), canonicalRdata(record.type, record.rdata)) ===
            0;
          expect((await verifyZone(changed, options)).ok, `${show(record)}, octet ${at}`).toBe(isSame);
        }),
        { numRuns: 50 },
      );
    },
  );

  it('a TTL or an owner is changed', async () => {
    const zone = await readVector('knot-nsec-13');
    const other = Name.parse('other', APEX);
    for (const [index, record] of zone.entries()) {
      if (index % 3 !== 0) continue;
      expect(
        (await verifyZone(zone.with(index, { ...record, ttl: record.ttl + 1 }), options)).ok,
        show(record),
      ).toBe(false);
      expect(
        (await verifyZone(zone.with(index, { ...record, owner: other }), options)).ok,
        show(record),
      ).toBe(false);
    }
  });
});

/** Canonical rdata; for rdata that is not well formed, itself. */
function safeCanonical(type: number, rdata: Uint8Array): Uint8Array {
  try {
    return canonicalRdata(type, rdata);
  } catch {
    return rdata;
  }
}

describe('RFC 4035 §2.2: algorithms', () => {
  it('one is enough when asked for', async () => {
    const [one, two] = [makeKey(15), makeKey(13)];
    const zone = resign(await readVector('ldns-nsec-13'), {
      keys: [one, two],
      signers: (_, type, keys) => (type === RRType.DNSKEY ? keys : [one]),
    });
    expect((await verifyZone(zone, options)).ok).toBe(false);
    expect(await verifyZone(zone, { ...options, requireAllAlgorithms: false })).toMatchObject({
      ok: true,
      faults: [],
    });
  });
});

describe('the report', () => {
  it('is bounded and counts everything', async () => {
    const zone = await readVector('knot-nsec-13');
    const report = await verifyZone(zone, { ...options, now: VECTOR_NOW + 40 * DAY, maxFaults: 5 });
    expect(report.faults).toHaveLength(5);
    expect(report.counts.errors).toBe(51);
  });

  it('comes with progress', async () => {
    const zone = await readVector('knot-nsec-13');
    const seen: VerifyProgress[] = [];
    await verifyZone(zone, { ...options, onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ phase: 'verify', done: 28, total: 28 });
  });

  it('is of an empty zone as well', async () => {
    const report = await verifyZone([], options);
    expect(report.faults.map((fault) => fault.rule)).toEqual([
      'ns-missing',
      'soa-missing',
      'denial-missing',
      'dnskey-missing',
    ]);
    expect(report).toMatchObject({
      ok: false,
      denial: 'none',
      serial: undefined,
      firstExpiration: undefined,
    });
  });

  it('passes on what the source throws', async () => {
    async function* broken(): AsyncGenerator<VerifiableRecord> {
      yield (await readVector('knot-nsec-13'))[0] as VerifiableRecord;
      throw new RangeError('connection lost');
    }
    await expect(verifyZone(broken(), options)).rejects.toThrow(RangeError);
  });
});
