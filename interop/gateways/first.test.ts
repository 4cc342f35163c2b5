import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertZone } from '../barbican/deployment.js';
import { FollowedTransfer, takeZone } from '../barbican/following.js';
import { Cluster } from '../lib/cluster.js';
import { waitUntil } from '../lib/processes.js';

const ZONE = 'first.example.';
const NAMES = 60_000;
let cluster: Cluster;

beforeAll(async () => {
  // a gateway that is stopped keeps its lease for as long as this takes
  cluster = await Cluster.start({ gateways: 2, config: { publication: { poll: 1, lease: 300 } } });
  insertZone(cluster.postgres, ZONE, { hosts: NAMES });
  await cluster.gateway(0).command(['keys', 'generate', ZONE]);
}, 240_000);

afterAll(() => cluster?.stop());

test('a zone that one gateway signs for the first time is streamed by another meanwhile, with the same signatures', async () => {
  const [maker, follower] = [cluster.gateway(0), cluster.gateway(1)];
  follower.signal('SIGSTOP');
  cluster.serve(ZONE, ['internal']);
  await waitUntil(
    'no page is stored',
    () => cluster.psql('select count(*) > 3 from zoneseal.signed_pages').trim() === 't',
    60_000,
  );
  maker.signal('SIGSTOP');
  follower.signal('SIGCONT');
  const isBuilding = (): boolean =>
    cluster
      .psql("select state from zoneseal.publications where zone_id = zoneseal.zone_id('first.example.')")
      .trim() === 'building';
  const transfer = await FollowedTransfer.begin(follower.target, ZONE, cluster.tsigKey('internal'));
  try {
    expect(await transfer.read(1)).toBe(true);
    expect(transfer.soaRecords).toBe(1);
    expect(isBuilding()).toBe(true);
    maker.signal('SIGCONT');
    expect(await transfer.read()).toBe(true);
    expect({ soa: transfer.soaRecords, authentic: transfer.isAuthentic }).toEqual({
      soa: 2,
      authentic: true,
    });
    expect(transfer.records).toBeGreaterThan(4 * NAMES);
    const { digest } = await takeZone(maker.target, ZONE, cluster.tsigKey('internal'));
    expect(transfer.digest()).toBe(digest);
  } finally {
    transfer.close();
  }
  expect(cluster.psql('select count(*) from zoneseal.publications').trim()).toBe('1');
}, 240_000);
