import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DsUse, RolloverState, Step } from '../../src/keys/rollover/model.js';
import type { Look, MadeKey } from '../../src/keys/rollover/ports.js';
import { Database } from '../../src/store/database.js';
import { grantRoles, migrate } from '../../src/store/migrate.js';
import { OperatorStore } from '../../src/store/operator-store.js';
import { PostgresPeerStateStore } from '../../src/store/peer-state-store.js';
import { PeerStore } from '../../src/store/peer-store.js';
import { prune } from '../../src/store/prune.js';
import { PostgresRolloverStore } from '../../src/store/rollover-store.js';
import { Fixture } from '../../test/store/fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';

const ROLES = ['writer', 'gateway', 'admin', 'reader'] as const;

let server: TestPostgres;
let owner: Fixture;
const as = {} as Record<(typeof ROLES)[number], Fixture>;

beforeAll(async () => {
  server = await startPostgres();
  // the owner of the schema is no superuser, as with a managed PostgreSQL
  server.psql('create role owning login createrole; create database owned owner owning;', 'postgres');
  const url = (user: string): string => `postgres://${user}@127.0.0.1:${server.port}/owned`;
  const database = new Database({ url: url('owning') });
  await migrate(database);
  await grantRoles(database, true);
  owner = new Fixture(database);
  await owner.prepare();
  for (const role of ROLES) {
    server.psql(`create role a_${role} login in role zoneseal_${role}`, 'postgres');
    as[role] = new Fixture(new Database({ url: url(`a_${role}`) }));
  }
});

afterAll(async () => {
  for (const fixture of Object.values(as)) await fixture.database.close();
  await owner?.database.close();
  server?.remove();
});

const forbidden = { code: 'DATABASE_FORBIDDEN' };

describe('zoneseal_writer', () => {
  it('writes zone data with plain SQL, which makes versions, history and changes', async () => {
    const zone = await owner.newZone([]);
    await as.writer.insert(zone.name, [
      ['a', 'A', '192.0.2.1'],
      ['b', 'A', '192.0.2.1', ['internal']],
    ]);
    await as.writer.database.execute(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (zoneseal.zone_id($1), 'a.' || $1, 'A', 60, '{192.0.2.9}')
       on conflict (zone_id, sort_key, type, (coalesce(views, '{}'))) do update set ttl = excluded.ttl, data = excluded.data`,
      [zone.name],
    );
    await as.writer.database.execute("delete from zoneseal.rrsets where owner = 'b.' || $1", [zone.name]);
    expect(await owner.version(zone.name)).toBe(3);
    expect(await owner.changes(zone.name)).toEqual([
      '1 a A - *',
      '1 b A - internal',
      '2 a A * *',
      '3 b A internal -',
    ]);
    await as.writer.database.query('select zoneseal.zone_recheck($1)', [zone.name]);
    expect(await owner.version(zone.name)).toBe(4);
  });

  it.each([
    'update zoneseal.zones set version = 99',
    "update zoneseal.zones set policy = 'default'",
    "insert into zoneseal.zones (name) values ('mine.')",
    'delete from zoneseal.zones',
    'update zoneseal.serial_lines set last_serial = 1',
    'select last_serial from zoneseal.serial_lines',
    'select soa_rdata from zoneseal.publications',
    "update zoneseal.publications set state = 'failed'",
    'select secret_ref from zoneseal.zone_keys',
    'delete from zoneseal.zone_keys',
    'select secret_ref from zoneseal.tsig_keys',
    'select * from zoneseal.tsig_grants',
    "update zoneseal.policies set document = '{}'",
    'select * from zoneseal.key_set_uses',
    'select * from zoneseal.ds_sightings',
    'select * from zoneseal.key_events',
    'update zoneseal.zones set delete_sentinel = true',
    'delete from zoneseal.rrset_history',
    'delete from zoneseal.rrset_births',
    'delete from zoneseal.changes',
    'insert into zoneseal.zone_writes values (1)',
    'select address from zoneseal.peers',
    'delete from zoneseal.peers',
    'select serial_seen from zoneseal.peer_states',
    "update zoneseal.peer_states set state = 'current'",
    'select zoneseal.fill_states_of_peer(1)',
    "select zoneseal.zone_thaw('z1.test.')",
    "select zoneseal.zone_resign('z1.test.')",
    "select zoneseal.ask_publication('z1.test.', null)",
    "select zoneseal.operated_zone('z1.test.')",
    'truncate zoneseal.rrsets',
    "insert into zoneseal.rrsets (id, zone_id, owner, type, ttl, data) overriding system value values (5, 1, 'a.', 'A', 1, '{x}')",
    'alter table zoneseal.rrsets disable trigger all',
    "select zoneseal.touch_zones('{1}')",
    'select zoneseal.settle_zone(1)',
    'select zoneseal.grant_roles(true)',
    'create table zoneseal.mine (a int)',
  ])('may not: %s', async (statement) => {
    await expect(as.writer.database.execute(statement)).rejects.toMatchObject(forbidden);
  });

  it('cannot slip functions of its own under the triggers', async () => {
    const zone = await owner.newZone([]);
    await as.writer.database.transaction(async (t) => {
      await t.execute(
        'create temporary table zones (id bigint, name text, version bigint, written_by xid8, written_at timestamptz, readable_from bigint)',
      );
      await t.execute('set local search_path = pg_temp, zoneseal, public');
      await as.writer.insert(zone.name, [['a', 'A', '192.0.2.1']], t);
    });
    expect(await owner.version(zone.name)).toBe(1);
  });
});

describe('zoneseal_gateway', () => {
  it('makes publications and prunes, and reads what they are made from', async () => {
    const zone = await owner.newZone();
    await owner.keys.add(zone.name, [
      {
        role: 'CSK',
        algorithm: 13,
        keyTag: 1,
        flags: 257,
        publicKey: Uint8Array.of(1),
        secretRef: 'https://barbican/1',
        view: null,
        signs: true,
        published: true,
      },
    ]);
    await as.gateway.publish(zone);
    await owner.insert(zone.name, [['x', 'A', '192.0.2.1']]);
    expect(await as.gateway.due(zone)).toContain('external');
    const allocation = await as.gateway.allocate(zone);
    if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
    const { id } = allocation.publication;
    expect(await as.gateway.publications.renewLease(id, 'g1', 30)).toBe(true);
    await as.gateway.publications.markFailed(id, 'g1', 'no', 0);
    expect(await as.gateway.read(zone.id, 1)).toHaveLength(1);
    expect((await as.gateway.publications.readKeySet(zone.id, 1)).keys).toHaveLength(1);
    expect(await as.gateway.publications.readPolicy('default', 1)).toMatchObject({ algorithm: 13 });
    expect(await as.gateway.tsig.read()).toEqual([]);
    const peer = {
      name: 'ns1',
      view: 'external',
      address: '127.0.0.1',
      port: 53,
      key: null,
      zones: [zone.name],
    };
    await new PeerStore(owner.database).add(peer);
    const states = new PostgresPeerStateStore(as.gateway.database);
    const [claim] = await states.claim('g1', 30, { total: 9, perPeer: 9, exceptions: new Map() });
    if (claim === undefined) throw new Error('nothing is due');
    const { attempts, unanswered, polls, silent, problem } = claim;
    const update = { state: 'current', attempts, unanswered, polls, silent, problem, dueSeconds: 9 } as const;
    expect(await states.record([{ claim, update }])).toBe(0);
    expect((await states.counts()).states.current).toBe(1);
    await states.recordSeen(claim.peerId, zone.id, 1);
    await new PeerStore(owner.database).delete('ns1');
    expect(await prune(as.gateway.database, { holder: 'g1', keep: 1 })).toMatchObject({ ran: true });
    expect(await migrate(as.gateway.database)).toMatchObject({ applied: [] });
  });

  it('rolls keys', async () => {
    const zone = await owner.newZone(undefined, ['external']);
    const store = new PostgresRolloverStore(as.gateway.database);
    const state = async () => (await store.load(zone.name))?.state as RolloverState;
    expect((await store.listDue(1000)).map(({ zone: name }) => name)).toContain(zone.name);
    const made: MadeKey = {
      role: 'CSK',
      algorithm: 13,
      keyTag: 1,
      flags: 257,
      publicKey: Uint8Array.of(1),
      secretRef: 'https://barbican/1',
      view: null,
      signs: false,
      published: false,
    };
    const reason = 'a test';
    const create: Step = { kind: 'create', role: 'CSK', algorithm: 13, view: null, replaces: null, reason };
    expect(await store.apply(await state(), create, [], made)).toBe(true);
    const id = (await state()).keys[0]?.id as string;
    await as.gateway.publish(zone);
    await store.recordDs(
      zone.name,
      ['192.0.2.1'],
      [{ server: '192.0.2.1', ds: [], ttl: 60, isTtlProved: false }],
    );
    await store.recordDs(
      zone.name,
      ['192.0.2.1'],
      [{ server: '192.0.2.1', ds: [], ttl: 60, isTtlProved: false }],
    );
    const ds: DsUse = { keys: [id], algorithms: [13], since: 1, seenAt: null, until: null, ttl: null };
    const change: Step = {
      kind: 'change',
      keys: [{ id, signs: true, published: true, parent: true, keySetsOnly: true, goal: 'out', activeAt: 1 }],
      deleteSentinel: true,
      reason,
    };
    expect(await store.apply(await state(), change, [ds])).toBe(true);
    const out = { id, signs: false, published: false, parent: false, removedAt: 2 };
    expect(await store.apply(await state(), { kind: 'change', keys: [out], reason }, [])).toBe(true);
    expect(await store.apply(await state(), { kind: 'destroy', key: id, reason }, [])).toBe(true);
    const loaded = await store.load(zone.name);
    await store.noteLooked(loaded?.look as Look, 5);
    const admin = new PostgresRolloverStore(as.admin.database);
    await admin.hold(zone.name, true, reason);
    await admin.recordDsByHand(zone.name, [], null);
    expect((await admin.load(zone.name))?.state).toMatchObject({ isHeld: true, deleteSentinel: true });
    expect(await store.listEvents(zone.name, 9)).toHaveLength(7);
  });

  it.each([
    "insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (1, 'a.', 'A', 1, '{x}')",
    'delete from zoneseal.rrsets',
    'update zoneseal.zone_keys set secret_ref = $$x$$',
    'update zoneseal.zone_keys set public_key = $$x$$',
    'update zoneseal.key_set_uses set gone_at = now()',
    'insert into zoneseal.key_set_uses (zone_id, view, version, since, max_ttl, dnskey_ttl) values (1, $$v$$, 1, now(), 1, 1)',
    'update zoneseal.key_set_versions set delete_sentinel = true',
    'update zoneseal.key_events set why = $$x$$',
    'select zoneseal.note_gone_uses(1, $$external$$)',
    'update zoneseal.tsig_keys set secret_ref = $$x$$',
    'insert into zoneseal.tsig_grants (key_id, view) values (1, $$internal$$)',
    'delete from zoneseal.zones',
    'update zoneseal.zones set policy = $$default$$',
    'delete from zoneseal.serial_lines',
    "select zoneseal.zone_recheck('z1.test.')",
    "select * from zoneseal.zone_freeze('z1.test.')",
    "select * from zoneseal.move_serial('z1.test.', 'external', 1)",
    "insert into zoneseal.peers (name, view, address) values ('x', 'internal', '127.0.0.1')",
    'update zoneseal.peers set port = 1',
    'delete from zoneseal.peer_states',
  ])('may not: %s', async (statement) => {
    await expect(as.gateway.database.execute(statement)).rejects.toMatchObject(forbidden);
  });
});

describe('zoneseal_admin', () => {
  it('does what the command line does', async () => {
    const { zones, rrsets, keys, tsig } = as.admin;
    const name = Fixture.freshName();
    await zones.addView('partner');
    await zones.setPolicy('strict', { denial: 'nsec3' });
    await zones.setPolicy('strict', { zonemd: true });
    await zones.createZone(name, { policy: 'strict', views: ['partner'] });
    await rrsets.set(name, { owner: name, type: 'SOA', ttl: 1, data: ['ns. h. 1 1 1 1 1'], views: null });
    await rrsets.import({
      zone: name,
      tag: ['partner'],
      rows: [
        [
          {
            owner: `a.${name}`,
            sortKey: new Uint8Array(),
            type: 'A',
            ttl: 1,
            data: ['192.0.2.1'],
            views: ['partner'],
          },
        ],
      ],
    });
    await zones.assignPolicy(name, 'default');
    await zones.assignView(name, 'internal');
    await zones.unassignView(name, 'internal');
    const [id] = await keys.add(name, [
      {
        role: 'CSK',
        algorithm: 13,
        keyTag: 1,
        flags: 257,
        publicKey: Uint8Array.of(1),
        secretRef: 'https://barbican/1',
        view: null,
        signs: true,
        published: true,
      },
    ]);
    await keys.update(id as string, { signs: false });
    await tsig.add({
      name: 'k.',
      algorithm: 'hmac-sha256',
      secretRef: 'https://barbican/t',
      grants: [{ view: 'partner', zones: null, addresses: null }],
    });
    expect(await zones.showZone(name)).toMatchObject({ rrsets: 2, version: 2, keySetVersion: 2 });
    await rrsets.delete(name, { owner: `a.${name}` });
    await keys.update(id as string, { published: false });
    expect(await keys.takeOut(id as string)).toBe(true);
    await keys.delete(id as string);
    const peers = new PeerStore(as.admin.database);
    await peers.add({ name: 'ns1', view: 'partner', address: '::1', port: 53, key: 'k.', zones: null });
    expect(await peers.list()).toMatchObject([{ name: 'ns1', key: 'k.', states: { pending: 1 } }]);
    expect(await peers.status(name, 9)).toMatchObject({ states: { pending: 1 } });
    await peers.delete('ns1');
    const operators = new OperatorStore(as.admin.database);
    expect(await operators.freeze(name)).toMatchObject({ isNew: true });
    await operators.thaw(name);
    await operators.resign(name);
    await operators.startSerials(name, ['internal'], 7);
    await operators.moveSerials(name, undefined, 8);
    expect(await operators.ask(name, 'partner')).toMatchObject([{ view: 'partner' }]);
    expect(await operators.progress(name)).toHaveLength(1);
    expect(await operators.history(name, undefined, 9)).toEqual([]);
    expect(await operators.preview(name, 'partner', 1)).toMatchObject({ frozenVersion: null });
    await tsig.delete('k.');
    await zones.deleteZone(name);
    expect((await zones.listZones()).some((zone) => zone.name === name)).toBe(false);
  });

  it.each([
    'update zoneseal.serial_lines set last_serial = 1',
    'delete from zoneseal.publications',
    'update zoneseal.zones set version = 5',
    'delete from zoneseal.rrset_history',
    "update zoneseal.peer_states set state = 'current'",
  ])('may not: %s', async (statement) => {
    await expect(as.admin.database.execute(statement)).rejects.toMatchObject(forbidden);
  });
});

describe('zoneseal_reader', () => {
  it('reads zones and what is served, and writes nothing', async () => {
    const zone = await owner.newZone();
    await owner.publish(zone);
    expect(await as.reader.zones.showZone(zone.name)).toMatchObject({ rrsets: 1 });
    expect(await as.reader.read(zone.id, 1)).toHaveLength(1);
    expect(await new PeerStore(as.reader.database).status(zone.name, 9)).toMatchObject({ lines: 2 });
    await expect(as.reader.database.execute('delete from zoneseal.rrsets')).rejects.toMatchObject(forbidden);
    await expect(as.reader.insert(zone.name, [['a', 'A', 'x']])).rejects.toMatchObject(forbidden);
    await expect(as.reader.allocate(zone)).rejects.toMatchObject(forbidden);
  });
});

describe('a role without any of them', () => {
  it('is refused with what to do', async () => {
    server.psql('create role nobody login', 'postgres');
    const database = new Database({ url: `postgres://nobody@127.0.0.1:${server.port}/owned` });
    await expect(migrate(database)).rejects.toMatchObject({
      ...forbidden,
      message: expect.stringContaining('docs/database.md'),
    });
    await database.close();
    const stranger = new Database({ url: `postgres://not-there@127.0.0.1:${server.port}/owned` });
    await expect(stranger.query('select 1')).rejects.toMatchObject({
      code: 'DATABASE_REFUSED_LOGIN',
      fields: { retriable: false },
    });
    await stranger.close();
  });
});
