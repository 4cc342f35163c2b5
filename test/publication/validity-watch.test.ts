import { describe, expect, it } from 'vitest';
import { ValidityWatch } from '../../src/publication/validity-watch.js';
import { MemoryPublicationStore } from '../lib/memory-publication-store.js';

describe('too little validity', () => {
  const store = new MemoryPublicationStore('z.', 'internal');
  const warned: object[] = [];
  const nothing = (): void => undefined;
  const log = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (fields: object) => void warned.push(fields),
  };
  const watch = new ValidityWatch(store, log);

  it('is warned of once, and again when it comes back', async () => {
    await watch.look();
    expect([watch.count, warned.length]).toEqual([0, 0]);
    store.unsafe = [{ ...store.zone, since: 1, expiresAt: 1_790_000_000 }];
    await watch.look();
    await watch.look();
    expect(warned).toEqual([{ zone: 'z.', view: 'internal', expiresAt: '2026-09-21T14:13:20.000Z' }]);
    expect(watch.count).toBe(1);
    store.unsafe = [];
    await watch.look();
    store.unsafe = [{ ...store.zone, since: 1, expiresAt: 1_790_000_000 }];
    await watch.look();
    expect(warned.length).toBe(2);
  });

  it('of many lines is summed up', async () => {
    warned.length = 0;
    store.unsafe = Array.from({ length: 50 }, (_, i) => ({
      ...store.zone,
      zoneId: `9${i}`,
      since: 1,
      expiresAt: 2,
    }));
    await watch.look();
    expect(warned.length).toBe(21);
    expect(warned.at(-1)).toEqual({ lines: 50 });
  });
});
