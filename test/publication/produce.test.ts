import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { ZonesealError } from '../../src/errors.js';
import { generateKey } from '../../src/keys/generate.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { parsePolicy } from '../../src/keys/policy.js';
import type { Publication } from '../../src/publication/ports.js';
import { FORMAT_VERSION, produce } from '../../src/publication/produce.js';
import { InlineSigner } from '../../src/signing/signer.js';
import { ImageStore } from '../../src/transfer/image-store.js';
import type { ZoneRow } from '../../src/zone/row.js';

const ZONE = 'example.';
const folder = mkdtempSync(join(tmpdir(), 'zoneseal-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function row(owner: string, type: string, ...data: string[]): ZoneRow {
  return { owner, sortKey: Name.parse(owner).sortKey(), type, ttl: 300, data, views: null };
}

const publication: Publication = {
  id: '1',
  zoneId: '1',
  zone: ZONE,
  view: 'internal',
  serial: 1,
  zoneVersion: 1,
  policyName: 'default',
  policyVersion: 1,
  keySetVersion: 1,
  time: 1_700_000_000,
  formatVersion: FORMAT_VERSION,
  state: 'building',
  error: null,
  resignAt: null,
  expiresAt: null,
  soa: null,
  notBefore: 0,
  cause: 'first',
  previous: null,
  generation: null,
  zonemd: null,
  maxTtl: null,
  records: null,
  octets: null,
  journal: null,
};

describe('a production that fails half way', () => {
  it('lets go of the rows that it was still reading', async () => {
    let open = 0;
    async function* readRows(): AsyncGenerator<readonly ZoneRow[], void, undefined> {
      open++;
      try {
        yield [
          row(ZONE, 'NS', `ns.${ZONE}`),
          row(ZONE, 'SOA', `ns.${ZONE} hostmaster.${ZONE} 1 3600 600 86400 300`),
        ];
        for (let i = 100; i < 900; i++) yield [row(`h${i}.${ZONE}`, 'A', '192.0.2.1')];
      } finally {
        open--;
      }
    }
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
    const store = {
      readRows,
      readPolicy: () => Promise.resolve(parsePolicy('default', {})),
      readKeySet: () => Promise.resolve({ keys: [key], deleteSentinel: false }),
      listReady: () => Promise.resolve([]),
      listAbandoned: () => Promise.resolve([]),
      savePages: () => Promise.reject(new ZonesealError('PUBLICATION_LOST', 'the lease was lost')),
    };
    const images = await ImageStore.open({ folder });
    const image = images.create('zone example.');
    const dependencies = { store: store as never, keyRing, signer: new InlineSigner() };
    const produced = produce({ publication, image, gateway: 'test', distrusted: new Set() }, dependencies);
    await expect(produced).rejects.toMatchObject({ code: 'PUBLICATION_LOST' });
    expect(open).toBe(0);
    image.release();
  });
});
