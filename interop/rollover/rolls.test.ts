import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RCODE } from '../../src/dns/message.js';
import { RRType, typeToText } from '../../src/dns/types.js';
import { Cluster } from '../lib/cluster.js';
import { queryWithDo } from '../lib/dnssec-query.js';
import { announcePeers } from '../lib/peers.js';
import { waitUntil } from '../lib/processes.js';
import { Random } from '../lib/random.js';
import { Unbound } from '../lib/unbound.js';
import { Killer } from './killer.js';
import { PARENT_TTL, ParentLab } from './parent-lab.js';
import { Prober } from './prober.js';

const PARENT = 'registry.';
const ZONE = 'roll.registry.';
/** Of all that the zone has, its negative answers included, in seconds. */
const ZONE_TTL = 2;
const POLICY = {
  dnskeyTtl: ZONE_TTL,
  propagationDelay: 3,
  publishSafety: 1,
  parentDsTtl: PARENT_TTL,
  parentPropagationDelay: 1,
  keyRetention: 4,
  zskLifetime: 0,
};
/** A roll takes some twenty seconds with these, and up to half a minute more for each gateway that is killed. */
const PATIENCE = 240_000;

let cluster: Cluster;
let parent: ParentLab;
const resolvers = new Map<string, Unbound>();
const prober = new Prober();
const random = Random.fromEnvironment('gateways that are killed while keys roll');
const kills: object[] = [];

interface Key {
  readonly role: string;
  readonly keyTag: number;
  readonly algorithm: number;
  readonly signs: boolean;
  readonly published: boolean;
  readonly removedAt: unknown;
}

beforeAll(async () => {
  cluster = await Cluster.start({
    gateways: 2,
    config: { publication: { poll: 1, lease: 5 }, fleet: { parentPoll: 1, parentRecheck: 10 } },
  });
  cluster.psql(`
    insert into zoneseal.policies (name, document) values ('rolls', '${JSON.stringify(POLICY)}');
    insert into zoneseal.zones (name, policy) values ('${ZONE}', 'rolls');
    insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
      select zoneseal.zone_id('${ZONE}'), owner, type, ${ZONE_TTL}, array[data], views from (values
        ('${ZONE}', 'SOA', 'ns.${ZONE} host.${ZONE} 1 3600 600 86400 ${ZONE_TTL}', null),
        ('${ZONE}', 'NS', 'ns.${ZONE}', null),
        ('ns.${ZONE}', 'A', '127.0.0.1', null),
        ('www.${ZONE}', 'A', '192.0.2.1', '{internal}'::text[]),
        ('www.${ZONE}', 'A', '192.0.2.2', '{external}'),
        ('inside.${ZONE}', 'A', '192.0.2.3', '{internal}')
      ) t (owner, type, data, views)`);
  await cluster.gateway(0).command(['keys', 'generate', ZONE]);
  cluster.serve(ZONE);
  // not knotd, which with dnssec-validation takes neither a roll of a CSK nor a zone that becomes unsigned
  await cluster.startSecondaries([ZONE], ['internal'], ['nsd']);
  await cluster.startSecondaries([ZONE], ['external'], ['named']);
  await announcePeers(cluster);
  const [inside, outside] = cluster.secondaries.map(({ secondary }) => secondary.target);
  parent = await ParentLab.start(PARENT, ZONE, () => outside as NonNullable<typeof outside>);
  await cluster
    .gateway(0)
    .command([
      'parent',
      'set',
      PARENT,
      '--server',
      `127.0.0.1:${parent.target.port}`,
      '--trust-anchor',
      await anchorFile(),
    ]);
  await waitUntil('the parent has no DS', () => parent.ds.length > 0, PATIENCE);
  for (const [label, server] of [
    ['internal', inside],
    ['external', outside],
  ] as const) {
    const anchors = new Map([[PARENT, [await parent.anchor()]]]);
    const servers = new Map([
      [PARENT, parent.target],
      [ZONE, server as NonNullable<typeof server>],
    ]);
    resolvers.set(label, await Unbound.start({ label, anchors, servers }));
  }
  prober.start(resolvers, ZONE);
}, 300_000);

afterAll(async () => {
  await prober.stop();
  for (const resolver of resolvers.values()) await resolver.stop();
  await parent?.stop();
  await cluster?.stop();
});

async function anchorFile(): Promise<string> {
  const file = join(parent.folder, 'anchor');
  writeFileSync(file, `${await parent.anchor()}\n`);
  return file;
}

function keys(): Key[] {
  const text =
    cluster.psql(`select coalesce(jsonb_agg(jsonb_build_object('role', role, 'keyTag', key_tag, 'algorithm', algorithm,
    'signs', signs, 'published', published, 'removedAt', removed_at)), '[]') from zoneseal.zone_keys where zone_id = zoneseal.zone_id('${ZONE}')`);
  return JSON.parse(text) as Key[];
}

const tags = (role: string): number[] =>
  keys()
    .filter((key) => key.role === role && key.removedAt === null)
    .map(({ keyTag }) => keyTag);

/** Waits until just these roles are in use, with other keys than before, and the parent has the DS of the new one. */
async function untilRolled(
  roles: readonly string[],
  before: readonly number[],
  algorithm = 13,
): Promise<void> {
  await waitUntil(
    () => `the roll does not end: ${JSON.stringify(keys())}\n${cluster.tail(0)}\n${cluster.tail(1)}`,
    () => {
      const left = keys().filter(({ removedAt }) => removedAt === null);
      return (
        left.length === roles.length &&
        left.every(
          (key) => key.published && key.signs && key.algorithm === algorithm && !before.includes(key.keyTag),
        ) &&
        roles.every((role) => left.some((key) => key.role === role))
      );
    },
    PATIENCE,
  );
}

/** Waits until the NXDOMAIN of every nameserver is proved by records of a type, and by none of the other (RFC 5155 §2). */
async function untilDenialBy(type: number): Promise<void> {
  for (const { secondary } of cluster.secondaries) {
    const other = type === RRType.NSEC ? RRType.NSEC3 : RRType.NSEC;
    let found: string | undefined;
    await waitUntil(
      () => `${secondary.label} denies by ${found}, not by ${typeToText(type)}\n${cluster.tail(0)}`,
      async () => {
        const question = { name: `nothing.${ZONE}`, type: 'A' };
        const answer = await queryWithDo(secondary.target, question, { recursionDesired: false });
        const types = (answer?.authority ?? []).map((record) => record.type);
        found = `RCODE ${answer?.rcode} with ${types.map(typeToText).join()}`;
        return answer?.rcode === RCODE.NXDOMAIN && types.includes(type) && !types.includes(other);
      },
    );
  }
}

async function setPolicy(change: Readonly<Record<string, unknown>>): Promise<void> {
  cluster.psql(
    `update zoneseal.policies set document = document || '${JSON.stringify(change)}' where name = 'rolls'`,
  );
}

/** Does something while gateways are killed, one at a time, and are started again. */
async function whileKilling(work: () => Promise<void>): Promise<void> {
  const killer = new Killer(cluster, random);
  try {
    await work();
  } finally {
    await killer.stop();
    kills.push({ ...killer.counts, gateways: killer.killed.size });
  }
  expect(killer.counts.atSteps).toBeGreaterThanOrEqual(1);
  expect(killer.counts.atSteps + killer.counts.between).toBeGreaterThanOrEqual(3);
  expect(killer.killed.size).toBe(2);
}

const roll = (...more: string[]): Promise<unknown> =>
  cluster.gateway(0).command(['keys', 'roll', ZONE, ...more]);
const noFaults = (): void => expect(prober.faults).toEqual([]);

describe('a key roll from its start to its end: no answer is bogus, in either view', () => {
  test('of a ZSK', async () => {
    const [before] = tags('ZSK') as [number];
    await roll(String(before));
    await waitUntil('it does not end', () => !tags('ZSK').includes(before), PATIENCE);
    expect(tags('ZSK')).toHaveLength(1);
    noFaults();
  }, 300_000);

  test.each([
    ['double-signature, with gateways killed at its steps and between', 'double-signature', true],
    ['double-ds', 'double-ds', false],
  ] as const)(
    'of a KSK, by %s',
    async (_, kskRoll, isKilling) => {
      await setPolicy({ kskRoll });
      const [before] = tags('KSK') as [number];
      const { changes } = parent;
      const rollIt = async (): Promise<void> => {
        await roll(String(before));
        await waitUntil(
          () => `it does not end\n${cluster.tail(0)}\n${cluster.tail(1)}`,
          () => !tags('KSK').includes(before),
          PATIENCE,
        );
      };
      await (isKilling ? whileKilling(rollIt) : rollIt());
      expect(parent.changes - changes).toBe(kskRoll === 'double-ds' ? 2 : 1);
      expect(parent.ds.map((ds) => Number(ds.split(' ')[0]))).toEqual(tags('KSK'));
      noFaults();
    },
    300_000,
  );

  test('to another algorithm, with gateways killed at its steps and between', async () => {
    const before = [...tags('KSK'), ...tags('ZSK')];
    await whileKilling(async () => {
      await setPolicy({ algorithm: 15 });
      await untilRolled(['KSK', 'ZSK'], before, 15);
    });
    noFaults();
  }, 300_000);

  test('to a CSK, and of it', async () => {
    const before = [...tags('KSK'), ...tags('ZSK')];
    await setPolicy({ keys: 'csk' });
    await untilRolled(['CSK'], before, 15);
    const [first] = tags('CSK') as [number];
    await roll(String(first));
    await untilRolled(['CSK'], [first], 15);
    noFaults();
  }, 300_000);

  test('from NSEC to NSEC3 and back', async () => {
    await setPolicy({ denial: 'nsec' });
    await untilDenialBy(RRType.NSEC);
    for (const [denial, type] of [
      ['nsec3', RRType.NSEC3],
      ['nsec', RRType.NSEC],
    ] as const) {
      const before = { ...prober.counts };
      await setPolicy({ denial });
      await untilDenialBy(type);
      // what caches hold of the denial before runs out while answers are watched
      await sleep((ZONE_TTL + 2) * 1000);
      const { secure, insecure, bogus } = prober.counts;
      expect({ insecure, bogus }).toEqual({ insecure: before.insecure, bogus: before.bogus });
      expect(secure - before.secure).toBeGreaterThan(40);
    }
    noFaults();
  }, 300_000);

  test('to an insecure zone and back', async () => {
    prober.mayBeInsecure = true;
    await setPolicy({ signed: false });
    await waitUntil(
      () => `it stays signed: ${JSON.stringify(keys())}\n${cluster.tail(0)}`,
      () => keys().every((key) => key.removedAt !== null),
      PATIENCE,
    );
    expect(parent.ds).toEqual([]);
    await setPolicy({ signed: true, keys: 'ksk+zsk', algorithm: 13 });
    await untilRolled(['KSK', 'ZSK'], []);
    await waitUntil('the parent has no DS', () => parent.ds.length > 0, PATIENCE);
    noFaults();
    await waitUntil('it is not secure', async () => {
      const found = await resolvers.get('external')?.ask({ name: `www.${ZONE}`, type: 'A' });
      return found?.security === 'secure';
    });
    prober.mayBeInsecure = false;
  }, 400_000);

  test('was watched all the time', () => {
    console.log(
      `rolls: ${JSON.stringify(prober.counts)}, ${parent.changes} changes of the DS set, kills: ${JSON.stringify(kills)}`,
    );
    noFaults();
    expect(prober.counts.bogus).toBe(0);
    expect(prober.counts.secure).toBeGreaterThan(500);
    expect(prober.counts.insecure).toBeGreaterThan(20);
  });
});
