import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import { Fixture } from '../../test/store/fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';

const page = readFileSync(new URL('../../docs/database.md', import.meta.url), 'utf8');

/** The SQL of the page, and as whom it is typed in. */
const examples = [...page.matchAll(/^```sql(?: as=(\w+))?\n([\s\S]*?)^```/gm)].map(
  ([, role = 'writer', sql = '']) => ({ role, sql }),
);

let server: TestPostgres;
let f: Fixture;

beforeAll(async () => {
  server = await startPostgres();
  f = new Fixture(new Database({ url: server.url }));
  await migrate(f.database);
  await f.prepare();
  const zone = await f.zones.createZone('example.com.', { views: ['internal', 'external'] });
  expect(zone.version).toBe(0);
});

afterAll(async () => {
  await f?.database.close();
  server?.remove();
});

describe('docs/database.md', () => {
  it('has examples that work as they stand', async () => {
    expect(examples.length).toBeGreaterThan(6);
    for (const { sql } of examples.filter(({ role }) => role === 'owner')) server.psql(sql);
    for (const { role, sql } of examples.filter((example) => example.role !== 'owner')) {
      server.psql(`set role zoneseal_${role};\n${sql}`);
    }
    expect(await f.version('example.com.')).toBe(5);
    const rows = await f.rrsets.list('example.com.');
    expect(rows.map((row) => `${row.owner} ${row.type} ${row.data.join(' ')}`)).toEqual([
      'example.com. NS ns1.example.com. ns2.example.com.',
      'example.com. SOA ns1.example.com. hostmaster.example.com. 1 3600 600 1209600 300',
      'example.com. TXT "v=spf1 -all" "a text with \\"quotes\\""',
      'ns1.example.com. A 192.0.2.153',
      'ns2.example.com. A 198.51.100.53',
      'www.example.com. A 192.0.2.80',
      'www.example.com. A 10.0.0.80',
    ]);
    expect(server.psql('set role provisioning; select count(*) from zoneseal.rrsets').trim()).toBe('7');
  });

  it('names every table and role there is', () => {
    const tables = server
      .psql("select relname from pg_class where relnamespace = 'zoneseal'::regnamespace and relkind = 'r'")
      .trim()
      .split('\n');
    expect(tables.length).toBeGreaterThan(15);
    for (const table of tables) expect(page).toContain(`\`${table}\``);
    const roles = server
      .psql("select rolname from pg_roles where rolname like 'zoneseal%'")
      .trim()
      .split('\n');
    for (const role of roles) expect(page).toContain(`| \`${role}\` |`);
  });
});
