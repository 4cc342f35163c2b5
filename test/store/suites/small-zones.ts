import { describe, expect, it } from 'vitest';
import type { ServedZone } from '../../../src/publication/ports.js';
import { nextSerial } from '../../../src/publication/serial.js';
import { type Fixture, FORMAT, resultOf } from '../fixture.js';

const request = { gateway: 'g1', leaseSeconds: 30, formatVersion: FORMAT, nextSerial };

/** Publications of many small zones at once. */
export function smallZonesSuite(open: () => Fixture): void {
  describe('publications of many zones', () => {
    async function zones(
      f: Fixture,
      count: number,
      rows = 1,
    ): Promise<(ServedZone & { name: string; id: string })[]> {
      const made = [];
      for (let i = 0; i < count; i++) {
        const zone = await f.newZone([
          ['@', 'SOA', 'ns. host. 7 3600 600 86400 300'],
          ...Array.from({ length: rows }, (_, n) => [`h${n}`, 'A', '192.0.2.1'] as const),
        ]);
        made.push({ ...zone, zoneId: zone.id, zone: zone.name, view: 'external' });
      }
      return made;
    }

    it('are allocated at once, each with a serial of its own line; what others are at is left out', async () => {
      const f = open();
      const [a, b, c, large] = [...(await zones(f, 3)), ...(await zones(f, 1, 201))] as [
        never,
        never,
        never,
        never,
      ];
      const all: readonly (ServedZone & { name: string; id: string })[] = [a, b, c, large];
      const busy = await f.allocate(all[1] as never, 'internal', 'g2');
      expect(busy.kind).toBe('allocated');
      const publications = await f.publications.allocateMany(all, request);
      expect(new Set(publications.map(({ zone }) => zone))).toEqual(new Set([all[0]?.name, all[2]?.name]));
      for (const publication of publications) {
        expect(publication).toMatchObject({
          state: 'building',
          cause: 'first',
          zoneVersion: 1,
          previous: null,
        });
        expect(await f.publications.renewLease(publication.id, 'g1', 30)).toBe(true);
      }
      expect(await f.publications.allocateMany(all, request)).toEqual([]);
    });

    it('are read with what they are made from, each at its version', async () => {
      const f = open();
      const [zone] = await zones(f, 1, 2);
      if (zone === undefined) return;
      const [first] = await f.publications.allocateMany([zone], request);
      if (first === undefined) throw new Error('not allocated');
      await f.insert(zone.name, [['later', 'A', '192.0.2.1']]);
      const [content] = await f.publications.readSmallZones([first]);
      expect(content?.rows.map(({ owner }) => owner.split('.')[0])).toHaveLength(3);
      expect(content).toMatchObject({
        ready: [],
        keySet: { keys: [], deleteSentinel: false },
        changes: { kind: 'owners', keys: [] },
      });
      const page = {
        chain: false,
        firstKey: Buffer.from('k'),
        chained: true,
        expires: 1,
        content: Buffer.from('c'),
      };
      const changes = { replaced: [], pages: [page], journal: [] };
      const finished = { publication: first, result: resultOf(first), changes };
      expect(await f.publications.markManyReady('g2', [finished])).toEqual(new Set());
      expect(await f.publications.markManyReady('g1', [finished])).toEqual(new Set([first.id]));
      expect(await f.publications.newestReady(zone.id, 'external')).toMatchObject({
        id: first.id,
        soa: finished.result.soa,
        generation: first.id,
      });
      const [second] = await f.publications.allocateMany([zone], request);
      if (second === undefined) throw new Error('not allocated');
      const [next] = await f.publications.readSmallZones([second]);
      expect(next?.rows).toHaveLength(4);
      expect(next?.changes).toMatchObject({ kind: 'owners' });
      expect(next?.changes.kind === 'owners' && next.changes.keys).toHaveLength(1);
      expect(next?.ready.map(({ pages }) => pages.map((it) => Buffer.from(it.content).toString()))).toEqual([
        ['c'],
      ]);
    });
  });
}
