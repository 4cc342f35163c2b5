import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judgeZonemd, ZONEMD_SERVERS, type ZonemdServer } from '../lib/zonemd-servers.js';
import { type AlterationName, alterBy } from './alterations.js';
import { CORPUS } from './corpus.js';
import type { Edition, ValidatorLab } from './lab.js';
import { DENIALS, SIGNED, WITH_ZONEMD } from './variants.js';

/** Zones whose digest a server cannot compute. */
const UNABLE: Readonly<Record<ZonemdServer, readonly string[]>> = {
  // Knot DNS 3.2 has no room for RRsets this large, and puts the label \000\000 before names below \000
  knotd: ['large', 'octets'],
  unbound: [],
};

/** What a digest shows and no signature does, and the digest itself. */
const CHANGES: readonly AlterationName[] = ['glue', 'digest', 'data'];

/** Servers take each apex once: the zones of the corpus that can be side by side. */
const SIDE_BY_SIDE = CORPUS.filter((zone, i) => CORPUS.findIndex(({ apex }) => apex === zone.apex) === i);

/** ZONEMD as nameservers check it when they load a zone; ldns-verify-zone and Zoneseal's verifier do so with every edition. */
export function describeDigests(lab: () => ValidatorLab): void {
  describe.each(ZONEMD_SERVERS)('%s with ZONEMD', (server) => {
    const editions = async (denial: (typeof DENIALS)[number]): Promise<Edition[]> => {
      const able = SIDE_BY_SIDE.filter(({ name }) => !UNABLE[server].includes(name));
      const published = await Promise.all(
        able.map((zone) => {
          const variants =
            zone.zonemd === true
              ? SIGNED.filter(({ algorithm, keys }) => algorithm === 13 && keys === 'split')
              : WITH_ZONEMD;
          const variant = variants.find((it) => it.denial === denial);
          if (variant === undefined) throw new Error(`no variant for ${denial}`);
          return lab().publish(zone, variant);
        }),
      );
      return published.map((views) => views[0] as Edition);
    };

    it.each(DENIALS)('loads every zone with %s', async (denial) => {
      const zones = await editions(denial);
      const verdicts = await judgeZonemd(server, zones);
      expect(verdicts.filter(({ outcome }) => outcome !== 'accepted')).toEqual([]);
    });

    it.each(CHANGES)('loads no zone in which one bit is changed: %s', async (kind) => {
      const altered = (await editions('nsec')).flatMap((edition, i) => {
        const copy = alterBy(kind, edition.records, i);
        if (copy === undefined) return [];
        const file = edition.file.replace(/\.zone$/, `.${kind}.${server}.zone`);
        writeFileSync(file, copy.text);
        return [{ ...edition, file }];
      });
      expect(altered.length).toBeGreaterThan(4);
      const verdicts = await judgeZonemd(server, altered);
      expect(verdicts.filter(({ outcome }) => outcome !== 'rejected')).toEqual([]);
    });
  });
}
