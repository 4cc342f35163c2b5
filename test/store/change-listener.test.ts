import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, expect, it, vi } from 'vitest';
import { ChangeListener } from '../../src/store/change-listener.js';
import { Database } from '../../src/store/database.js';

afterEach(() => {
  vi.restoreAllMocks();
});

// nobody listens on port 1
const away = { url: 'postgresql://zoneseal@127.0.0.1:1/zoneseal', connectTimeout: 1000 };

async function waitFor(check: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !check(); i++) await sleep(10);
  expect(check()).toBe(true);
}

it('leaves nothing behind of connections that could not be made, however many', async () => {
  const added = vi.spyOn(AbortSignal.prototype, 'addEventListener');
  const database = new Database(away);
  let failures = 0;
  const listener = new ChangeListener(database, {
    onChange: () => undefined,
    onError: () => failures++,
    firstDelay: 1,
  });
  await waitFor(() => failures === 8);
  const signal = added.mock.contexts[0] as AbortSignal;
  // at the most that of the connection being made and that of the wait before it
  expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(2);
  await listener.close();
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  await database.close();
});

it('makes no connection when it is closed before its first one', async () => {
  const connect = vi.spyOn(pg.Client.prototype, 'connect');
  let recovered = (): void => undefined;
  const recover = (): Promise<void> =>
    new Promise((resolve) => {
      recovered = resolve;
    });
  const database = new Database({ ...away, recover });
  const listener = new ChangeListener(database, { onChange: () => undefined });
  const closed = listener.close();
  recovered();
  await closed;
  expect(connect).not.toHaveBeenCalled();
  await database.close();
});
