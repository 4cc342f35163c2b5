import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeRunningGateway, writeRunningGateway } from '../../src/running-gateway.js';
import type { Database } from '../../src/store/database.js';
import { TsigStore } from '../../src/store/tsig-store.js';
import { ZoneStore } from '../../src/store/zone-store.js';
import { openMigrated } from '../embedded-database.js';
import { type Run, zonesealHere } from './run.js';

// what a running gateway has open
let folder = '';
let database: Database;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zoneseal-cli-'));
  await writeFile(join(folder, 'zoneseal.yaml'), 'data: ./data\n');
  const data = join(folder, 'data');
  database = await openMigrated(join(data, 'database'));
  writeRunningGateway(data, { pid: process.pid });
  const zones = new ZoneStore(database);
  for (const view of ['internal', 'external']) await zones.addView(view);
  await zones.createZone('example.', { views: ['internal', 'external'] });
  const secretRef = 'https://barbican/1';
  await new TsigStore(database).add({
    name: 'transfer-key.',
    algorithm: 'hmac-sha256',
    secretRef,
    grants: [],
  });
});

afterAll(async () => {
  removeRunningGateway(join(folder, 'data'));
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

function run(args: string): Promise<Run> {
  return zonesealHere([...args.split(' '), '--config', join(folder, 'zoneseal.yaml')]);
}

/** Runs a command that has to succeed. */
async function done(args: string): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect(stderr, args).not.toContain('error');
  expect(code, args).toBe(0);
  return stdout;
}

async function json(args: string): Promise<unknown> {
  return JSON.parse(await done(`${args} --json`));
}

describe('peers', () => {
  it('are added with address, port, key and zones, listed and deleted', async () => {
    await done('peer add NS1 --view internal --address 192.0.2.53 --tsig transfer-key');
    await done(
      'peer add ns2.example.net. --view internal --address [2001:DB8::53]:5353 --zone Example --zone other',
    );
    await done('peer add ns3 --view external --address 192.0.2.54 --port 54');
    expect(await json('peer list')).toEqual([
      expect.objectContaining({ name: 'ns3', view: 'external', port: 54, key: null, zones: null }),
      {
        name: 'ns1',
        view: 'internal',
        address: '192.0.2.53',
        port: 53,
        key: 'transfer-key.',
        zones: null,
        states: { pending: 1 },
      },
      {
        name: 'ns2.example.net.',
        view: 'internal',
        address: '2001:db8::53',
        port: 5353,
        key: null,
        zones: ['example.', 'other.'],
        states: { pending: 1 },
      },
    ]);
    expect(await done('peer list')).toMatch(
      /ns2\.example\.net\. +internal +\[2001:db8::53\]:5353 +- +example\.,other\. +1 pending/,
    );
    const { code, stderr } = await run('tsig delete transfer-key');
    expect([code, stderr]).toEqual([1, expect.stringContaining('zoneseal peer delete')]);
    await done('peer delete ns2.example.net.');
    expect((await run('peer delete ns2.example.net.')).stderr).toContain(
      'there is no peer "ns2.example.net."',
    );
  });

  it.each([
    ['peer add ns9 --view internal --address 192.0.2', 2, 'Write 192.0.2.53'],
    ['peer add ns9 --view internal --address 192.0.2.1:70000', 2, 'Write 192.0.2.53'],
    ['peer add ns9 --view internal --address 192.0.2.1:53 --port 54', 2, '--port says 54'],
    ['peer add -ns9 --view internal --address 192.0.2.1', 2, 'unknown option'],
    ['peer add ns9 --view nowhere --address 192.0.2.1', 1, 'there is no view "nowhere"'],
    ['peer add ns9 --view internal --address 192.0.2.1 --tsig nokey', 1, 'there is no TSIG key "nokey."'],
    ['peer add ns1 --view internal --address 192.0.2.1', 1, 'there is a peer "ns1" already'],
  ])('that cannot be are refused: %s', async (args, code, reason) => {
    const result = await run(args);
    expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(reason)]);
  });

  it('are in the status of each zone, and one that is late makes the exit code 1', async () => {
    const fresh = await run('status example');
    expect([fresh.code, fresh.stderr]).toEqual([0, '']);
    expect(fresh.stdout).toMatch(/^ZONE +VIEW +SERIAL +PEER +STATE +SEEN +WHEN +PROBLEM\n/);
    expect(fresh.stdout).toMatch(/example\. +internal +- +ns1 +pending +- +-/);
    expect(fresh.stdout).toContain(
      '2 zones and views, 2 without a publication; of their peers 0 current, 2 pending, 0 behind, 0 unreachable\n',
    );
    await database.execute(
      "insert into zoneseal.gateways (name, release, schema_level, format_version, page_format) values ('gw1', '9.9', 1, 1, 1)",
    );
    expect((await run('status')).stdout).toMatch(
      /\n\nGATEWAY +RELEASE +STARTED +SEEN\ngw1 +9\.9 +\d{4}-\S+Z +\d+s ago\n/,
    );
    await database.execute(
      `update zoneseal.peer_states set state = 'behind', serial_seen = 7, seen_at = now() - interval '90 s', problem = 'SOA: SERVFAIL'
       where view = 'internal'`,
    );
    const late = await run('status');
    expect(late.code).toBe(1);
    expect(late.stdout).toMatch(/example\. +internal +- +ns1 +behind +7 +1m30s ago +SOA: SERVFAIL/);
    expect(late.stdout.split('\n')[1]).toContain('behind'); // the worst first
    const one = await run('status --limit 1 --json');
    expect(one.code).toBe(1);
    expect(JSON.parse(one.stdout)).toMatchObject({
      states: { behind: 1, pending: 1 },
      rows: [{ zone: 'example.', view: 'internal', peer: 'ns1', state: 'behind', serialSeen: 7 }],
      gateways: [
        {
          name: 'gw1',
          release: '9.9',
          startedAt: expect.stringMatching(/Z$/) as unknown,
          seenAt: expect.stringMatching(/Z$/) as unknown,
        },
      ],
    });
    expect((await run('status --limit 1')).stdout).toContain('; 1 shown');
    const missing = await run('status nowhere');
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringContaining('there is no zone in a view "nowhere."'),
    ]);
    await done('peer delete ns1');
    await done('peer delete ns3');
    expect((await run('status')).code).toBe(0);
  });
});

describe('parents', () => {
  const DS = '12345 13 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766';

  it('are in the status beside zones that the DS at the parent makes bogus, which make the exit code 1 as well', async () => {
    await database.execute(
      `insert into zoneseal.parent_looks (zone_id, awaits, fault, fault_since)
       select id, false, 'zone example. is bogus: so it is', now() from zoneseal.zones where name = 'example.'`,
    );
    const { code, stdout } = await run('status example');
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining('unreachable\nzone example. is bogus: so it is\n'),
    ]);
    expect(JSON.parse((await run('status --json')).stdout)).toMatchObject({ bogus: [{ zone: 'example.' }] });
    await database.execute('delete from zoneseal.parent_looks');
  });

  it('are written down with servers, whom to tell and a trust anchor, in place of what was said before', async () => {
    const anchors = join(folder, 'anchors');
    await writeFile(anchors, `; the parent's keys\nExample. IN DS ${DS}\n\nexample. 3600 IN DS ${DS}\n`);
    await done(
      `parent set Example. --server 192.0.2.1 --server [2001:db8::1]:5353 --trust-anchor ${anchors}`,
    );
    await done('parent set . --server 127.0.0.1:9');
    const root = { name: '.', servers: ['127.0.0.1:9'], notify: [], trustAnchors: [] };
    const example = { name: 'example.', servers: ['192.0.2.1:53', '[2001:db8::1]:5353'], notify: [] };
    expect(await json('parent list')).toEqual([root, { ...example, trustAnchors: [DS, DS] }]);
    expect(await done('parent list')).toMatch(
      /^example\. +192\.0\.2\.1:53, \[2001:db8::1\]:5353 +- +12345, 12345$/m,
    );
    await done('parent set example. --server 192.0.2.2 --notify 192.0.2.3:5300');
    expect(await json('parent list')).toEqual([
      root,
      { name: 'example.', servers: ['192.0.2.2:53'], notify: ['192.0.2.3:5300'], trustAnchors: [] },
    ]);
    await done('parent delete example.');
    expect(await json('parent list')).toEqual([root]);
    expect((await run('parent delete example.')).stderr).toContain('see: zoneseal parent list');
  });

  it('are asked by hand; who does not answer is named, and the exit code is 1', async () => {
    await done('parent set test. --server 127.0.0.1:9');
    const { code, stdout } = await run('parent check www.test --json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual([
      { server: '127.0.0.1:9', problem: expect.stringMatching(/ECONNREFUSED|no answer/) },
    ]);
    await done('parent delete test.');
    await done('parent delete .');
    expect((await run('parent check www.test')).stderr).toContain('zoneseal parent set');
  });

  it('are refused where a trust anchor is of another zone, or is none', async () => {
    const anchors = join(folder, 'wrong');
    await writeFile(anchors, `other. IN DS ${DS}\n`);
    const { code, stderr } = await run(`parent set example. --server 192.0.2.1 --trust-anchor ${anchors}`);
    expect(code).toBe(2);
    expect(stderr).toContain('line 1: it is of other., not of example.');
    await writeFile(anchors, '; nothing\n');
    expect((await run(`parent set example. --server 192.0.2.1 --trust-anchor ${anchors}`)).stderr).toContain(
      'no DS or DNSKEY',
    );
    expect((await run('parent set example. --server 192.0.2.1 --server 192.0.2.1:53')).stderr).toContain(
      'given twice',
    );
  });
});
