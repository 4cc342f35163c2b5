import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AdminServer } from '../../src/admin/http.js';
import { MetricsPage } from '../../src/admin/metrics.js';

let faults: string[] = [];
let total = 3;
const metrics = new MetricsPage([
  { name: 'spool_bytes', help: 'octets in the spool', kind: 'gauge', read: () => 42 },
  { name: 'queries_total', help: 'queries', kind: 'counter', read: () => total },
  {
    name: 'refused_total',
    help: 'refused',
    kind: 'counter',
    labels: ['limit'],
    read: () => [{ labels: { limit: 'connections' }, value: 7 }],
  },
]);
const server = new AdminServer({
  address: '127.0.0.1',
  port: 0,
  source: { metrics, faults: () => Promise.resolve(faults) },
});
let base = '';
const get = (path: string, init?: RequestInit): Promise<Response> => fetch(`${base}${path}`, init);

beforeAll(async () => {
  base = `http://127.0.0.1:${await server.start()}`;
});
afterAll(() => server.close());

describe('the admin server', () => {
  it('gives metrics in Prometheus form, counters as totals', async () => {
    expect(await (await get('/metrics')).text()).toContain('zoneseal_queries_total 3');
    total = 5;
    const text = await (await get('/metrics')).text();
    expect(text).toContain('zoneseal_queries_total 5');
    expect(text).toContain('zoneseal_spool_bytes 42');
    expect(text).toContain('zoneseal_refused_total{limit="connections"} 7');
  });

  it('is ready while nothing is at fault, and says what is', async () => {
    expect((await get('/ready')).status).toBe(200);
    faults = ['the database cannot be reached'];
    const answer = await get('/ready');
    expect(answer.status).toBe(503);
    expect(await answer.text()).toBe('the database cannot be reached\n');
    expect((await get('/health')).status).toBe(200);
  });

  it('says which setting to change when its port is taken', async () => {
    const port = Number(new URL(base).port);
    const second = new AdminServer({
      address: '127.0.0.1',
      port,
      source: { metrics, faults: () => Promise.resolve([]) },
    });
    await expect(second.start()).rejects.toThrow(/admin\.port/);
  });

  it('answers nothing else', async () => {
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics', { method: 'POST', body: 'x' })).status).toBe(405);
  });
});
