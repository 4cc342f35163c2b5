/** What docs/runbook.md says of keys that are lost or compromised, done as it says, with a real Barbican, a parent and validators. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CONTRACT_ACCOUNTS, contractCredentials } from '../../test/barbican/contract-target.js';
import { Cluster } from '../lib/cluster.js';
import { Openstack } from '../lib/openstack.js';
import { announcePeers } from '../lib/peers.js';
import { waitUntil } from '../lib/processes.js';
import { Unbound } from '../lib/unbound.js';
import { PARENT_TTL, ParentLab } from './parent-lab.js';
import { Prober } from './prober.js';

const PARENT = 'registry.';
const ZONE = 'book.registry.';
/** So long that a command and the publication after it come while a resolver still has what it fetched before. */
const DNSKEY_TTL = 15;
const DATA_TTL = 1;
/** For how long resolvers keep an answer that they found bogus; 60 unless they are told otherwise. */
const BOGUS_TTL = 1;
/** For a resolver that is slow to answer, seconds. */
const SLACK = 4;
const POLICY = {
  dnskeyTtl: DNSKEY_TTL,
  propagationDelay: 2,
  publishSafety: 1,
  parentDsTtl: PARENT_TTL,
  parentPropagationDelay: 1,
  keyRetention: 1,
  zskLifetime: 0,
};
const PATIENCE = 90_000;

interface Key {
  readonly role: string;
  readonly keyTag: number;
  readonly publicKey: string;
  readonly secretRef: string;
  readonly signs: boolean;
  readonly activeAt: unknown;
}

let cluster: Cluster;
let parent: ParentLab;
let resolver: Unbound | undefined;
let prober: Prober;
let hosts = 0;

beforeAll(async () => {
  const openstack = await Openstack.start({ accounts: CONTRACT_ACCOUNTS });
  const { keystoneUrl, barbicanUrl } = openstack;
  cluster = await Cluster.start({
    gateways: 1,
    barbican: {
      keystoneUrl,
      barbicanUrl,
      credentials: contractCredentials('signer'),
      close: () => openstack.close(),
    },
    config: { publication: { poll: 1, lease: 5 }, fleet: { parentPoll: 1, parentRecheck: 10 } },
  });
  cluster.psql(`
    insert into zoneseal.policies (name, document) values ('book', '${JSON.stringify(POLICY)}');
    insert into zoneseal.zones (name, policy) values ('${ZONE}', 'book');
    insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
      select zoneseal.zone_id('${ZONE}'), owner, type, ${DATA_TTL}, array[data] from (values
        ('${ZONE}', 'SOA', 'ns.${ZONE} host.${ZONE} 1 3600 600 86400 ${DATA_TTL}'),
        ('${ZONE}', 'NS', 'ns.${ZONE}'),
        ('ns.${ZONE}', 'A', '127.0.0.1'),
        ('www.${ZONE}', 'A', '192.0.2.1')
      ) t (owner, type, data)`);
  await zoneseal('keys', 'generate', ZONE);
  cluster.serve(ZONE, ['external']);
  await cluster.startSecondaries([ZONE], ['external'], ['named']);
  await announcePeers(cluster);
  // a registrar's: its DS are changed by hand alone
  parent = await ParentLab.start(PARENT, ZONE);
  const anchor = join(parent.folder, 'anchor');
  writeFileSync(anchor, `${await parent.anchor()}\n`);
  const server = `127.0.0.1:${parent.target.port}`;
  await zoneseal('parent', 'set', PARENT, '--server', server, '--trust-anchor', anchor);
  await parent.putDs(await wantedDs());
  await untilSettled([]);
}, 300_000);

afterEach(async () => {
  await prober?.stop();
  await resolver?.stop();
});

afterAll(async () => {
  await parent?.stop();
  await cluster?.stop();
});

const zoneseal = (...args: string[]): Promise<string> => cluster.gateway(0).command(args);

/** The keys that have not been removed. */
function keys(): Key[] {
  const text =
    cluster.psql(`select coalesce(jsonb_agg(jsonb_build_object('role', role, 'keyTag', key_tag, 'signs', signs,
    'publicKey', translate(encode(public_key, 'base64'), E'\\n', ''), 'secretRef', secret_ref, 'activeAt', active_at)), '[]')
    from zoneseal.zone_keys where zone_id = zoneseal.zone_id('${ZONE}') and removed_at is null`);
  return JSON.parse(text) as Key[];
}

/** The one key of a role that signs. */
function keyOf(role: string): Key {
  const key = keys().find((it) => it.role === role && it.signs);
  if (key === undefined) throw new Error(`${ZONE} has no ${role} that signs`);
  return key;
}

/** What `keys test` says of a key: OK, or the code of what is wrong. */
async function proofOf({ keyTag }: Key): Promise<string> {
  const { stdout } = await cluster.gateway(0).run(['keys', 'test', ZONE, '--json']);
  const proofs = JSON.parse(stdout) as { keyTag: number; error?: { code: string } }[];
  const proof = proofs.find((it) => it.keyTag === keyTag);
  return proof === undefined ? 'not told of' : (proof.error?.code ?? 'OK');
}

/** The DS that the parent is to have, as rdata. */
async function wantedDs(): Promise<string[]> {
  const lines = (await zoneseal('keys', 'ds', ZONE, '--format', 'ds')).trim().split('\n');
  return lines.map((line) => line.split(/\s+/).slice(4).join(' '));
}

/** Why the newest publication failed; empty when it did not. */
const failure = (): string =>
  cluster.psql(`select error from zoneseal.publications where zone_id = zoneseal.zone_id('${ZONE}')
    order by id desc limit 1`);

/** The serial that the nameserver serves. */
const served = async (): Promise<number | undefined> => cluster.secondaries[0]?.secondary.serial(ZONE);

function addHost(): void {
  cluster.psql(`insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
    values (zoneseal.zone_id('${ZONE}'), 'host-${hosts++}.${ZONE}', 'A', ${DATA_TTL}, '{192.0.2.2}')`);
}

/** Does something, and waits until the nameserver has the publication that comes of it. */
async function untilServed(work: () => Promise<unknown> | undefined): Promise<void> {
  const before = await served();
  await work();
  const isServed = async (): Promise<boolean> => (await served()) !== before;
  await waitUntil(() => `nothing new is served\n${cluster.tail(0)}`, isServed, PATIENCE);
}

/** Deletes the secret of a key, so that nothing has it any more; its payload, for a backup. */
async function lose(key: Key): Promise<Uint8Array> {
  const barbican = cluster.connectBarbican();
  const { payload } = await barbican.fetchPayload(key.secretRef);
  await barbican.deleteSecret(key.secretRef);
  barbican.close();
  await cluster.gateway(0).stop();
  await cluster.gateway(0).serve();
  addHost();
  await waitUntil('the zone is published', () => failure() !== '', PATIENCE);
  const shown = await zoneseal('zone', 'show', ZONE);
  expect(shown).toMatch(new RegExp(`failed: .*\\n.*key ${key.keyTag} .*there is no such secret`));
  expect(await proofOf(key)).toBe('KEY_MISSING');
  expect(await zoneseal('keys', 'plan', ZONE)).toContain('cannot be published now');
  return payload;
}

/** Stores a payload under a new reference, and has a key point there, as the page says. */
async function pointTo(key: Key, payload: Uint8Array): Promise<void> {
  const barbican = cluster.connectBarbican();
  const reference = await barbican.storeSecret({
    name: 'from a backup',
    type: 'private',
    payload,
    contentType: 'application/pkcs8',
  });
  barbican.close();
  cluster.psql(`update zoneseal.zone_keys set secret_ref = '${reference}'
    where zone_id = zoneseal.zone_id('${ZONE}') and key_tag = ${key.keyTag}`);
}

/** A resolver that knows nothing, and one that asks it all the time. */
async function watch(): Promise<Unbound> {
  const target = cluster.secondaries[0]?.secondary.target as Unbound['target'];
  const started = await Unbound.start({
    label: 'resolver',
    anchors: new Map([[PARENT, [await parent.anchor()]]]),
    servers: new Map([
      [PARENT, parent.target],
      [ZONE, target],
    ]),
    settings: `    val-bogus-ttl: ${BOGUS_TTL}`,
  });
  resolver = started;
  prober = new Prober();
  prober.start(new Map([['external', started]]), ZONE);
  return started;
}

async function untilSecure(watched: Unbound, seconds: number): Promise<void> {
  await waitUntil(
    () => `the zone is not secure\n${watched.log.slice(-3000)}`,
    async () => (await watched.ask({ name: `www.${ZONE}`, type: 'A' })).security === 'secure',
    seconds * 1000,
  );
}

/** Waits until the zone has other keys than those, all in use, and nothing is to come. */
async function untilSettled(gone: readonly Key[]): Promise<void> {
  await waitUntil(
    () => `the keys do not settle\n${cluster.tail(0)}`,
    () => {
      const left = keys();
      return (
        left.length === 2 &&
        left.every(({ activeAt, keyTag }) => activeAt !== null && gone.every((it) => it.keyTag !== keyTag))
      );
    },
    PATIENCE,
  );
  await waitUntil('the zone is bogus', async () => !(await zoneseal('keys', 'plan', ZONE)).includes('bogus'));
  expect(failure()).toBe('');
}

const emergency = (key: Key): Promise<string> =>
  zoneseal('keys', 'roll', ZONE, `${key.keyTag}`, '--emergency', '--yes');

test('a key whose secret is stored anew: another secret is refused, the right one is found by the gateways', async () => {
  const key = keyOf('ZSK');
  const payload = await lose(key);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  await pointTo(key, other.export({ format: 'der', type: 'pkcs8' }));
  expect(await proofOf(key)).toBe('KEY_MISMATCH');
  await waitUntil('it is not refused', () => failure().includes('public half'), PATIENCE);
  await untilServed(() => pointTo(key, payload));
  expect(await proofOf(key)).toBe('OK');
  expect(failure()).toBe('');
});

test('a KSK that is gone: with its DS out first the zone is insecure, and bogus to nobody', async () => {
  const key = keyOf('KSK');
  await lose(key);
  const watched = await watch();
  prober.mayBeInsecure = true;
  await parent.putDs([]);
  await waitUntil('the DS is there', async () => {
    const rows = (await cluster.gateway(0).json(['parent', 'check', ZONE])) as { ds: string[] }[];
    return rows.length === 1 && rows.every(({ ds }) => ds.length === 0);
  });
  await waitUntil('a resolver has the DS', async () => {
    const { security } = await watched.ask({ name: `www.${ZONE}`, type: 'A' });
    return security === 'insecure';
  });
  await untilServed(() => emergency(key));
  const successor = keyOf('KSK');
  await waitUntil(
    'a resolver has the old DNSKEY RRset',
    async () => (await watched.ask({ name: ZONE, type: 'DNSKEY' })).text.includes(successor.publicKey),
    (DNSKEY_TTL + SLACK) * 1000,
  );
  // what the parent has not is nothing that makes the zone bogus, though the CDS asked for it until now
  await waitUntil(
    'it is called bogus',
    async () => !(await zoneseal('keys', 'plan', ZONE)).includes('is bogus'),
  );
  await parent.putDs(await wantedDs());
  await untilSecure(watched, 30);
  await prober.stop();
  expect(prober.faults).toEqual([]);
  expect(prober.counts).toMatchObject({ bogus: 0, insecure: expect.toSatisfy((it: number) => it > 10) });
  await untilSettled([key]);
});

test.each(['that is gone', 'that is compromised'])(
  'a ZSK %s: bogus for the largest TTL and what a resolver remembers as bogus, at the most',
  async (how) => {
    const key = keyOf('ZSK');
    if (how === 'that is gone') await lose(key);
    const asked = await cluster.gateway(0).run(['keys', 'roll', ZONE, `${key.keyTag}`, '--emergency']);
    expect(asked.status).toBe(1);
    expect(asked.stdout).toContain('validators will see bogus answers');
    const watched = await watch();
    await untilSecure(watched, 10);
    await untilServed(() => emergency(key));
    await waitUntil('nobody sees bogus answers', () => prober.counts.bogus > 0, DNSKEY_TTL * 1000);
    // nothing in a cache is as old
    const quiet = (BOGUS_TTL + DATA_TTL + 1) * 1000;
    await waitUntil('it stays bogus', () => prober.sinceBogus > quiet, 60_000);
    await untilSecure(watched, 10);
    expect(prober.outage).toBeGreaterThan(0);
    expect(prober.outage).toBeLessThanOrEqual((DNSKEY_TTL + BOGUS_TTL + SLACK) * 1000);
    expect(prober.counts.insecure).toBe(0);
    await untilSettled([key]);
  },
);

test('a KSK that is compromised: bogus to whoever fetches it anew, until the parent has the new DS', async () => {
  const key = keyOf('KSK');
  const said = await cluster.gateway(0).run(['keys', 'roll', ZONE, `${key.keyTag}`, '--emergency']);
  expect(said.stdout).toContain('changed by hand at the registrar');
  await untilServed(() => emergency(key));
  const watched = await watch();
  await waitUntil('it is not bogus', () => prober.counts.bogus > 0);
  expect((await cluster.gateway(0).run(['parent', 'check', ZONE])).status).toBe(1);
  await parent.putDs(await wantedDs());
  await untilSecure(watched, PARENT_TTL + BOGUS_TTL + 30);
  await zoneseal('parent', 'check', ZONE);
  await untilSettled([key]);
  expect(prober.counts.insecure).toBe(0);
});
