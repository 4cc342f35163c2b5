import { expect, it } from 'vitest';
import { Failures } from '../../src/publication/failures.js';
import type { Publication } from '../../src/publication/ports.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';

it('signatures that could not be renewed: the log says until when those that are served are safe', async () => {
  const store = new MemoryPublicationStore('z.', 'internal');
  const warned: object[] = [];
  const nothing = (): void => undefined;
  const log = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (fields: object) => void warned.push(fields),
  };
  const allocate = async (): Promise<Publication> => {
    const allocation = await store.allocate(store.zone, {
      formatVersion: 1,
      nextSerial: () => 1,
      force: 'refresh',
    });
    if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
    return allocation.publication;
  };
  const expiresAt = Date.UTC(2026, 10, 25, 12) / 1000;
  // expire is 86,400 s of it
  const rdata = Uint8Array.from([0, 0, 0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 2, 88, 0, 1, 81, 128, 0, 0, 1, 44]);
  const { id } = await allocate();
  await store.markReady(id, 'g', {
    generation: id,
    soa: { ttl: 300, rdata, signatures: [] },
    zonemd: undefined,
    resignAt: expiresAt - 9,
    expiresAt,
    safeUntil: 0,
    dnskeyTtl: 300,
    maxTtl: 3600,
    records: 1,
    octets: 1,
    signatures: 1,
    reused: 0,
    journal: undefined,
  });
  const failures = new Failures({ store, log, gateway: 'g' }, nothing);
  await failures.tell(await allocate(), new Error('no key'));
  expect(warned).toEqual([
    {
      zone: 'z.',
      view: 'internal',
      safeUntil: '2026-11-24T11:00:00.000Z',
      expiresAt: '2026-11-25T12:00:00.000Z',
    },
  ]);
});
