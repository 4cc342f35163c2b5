import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClaimRoom, PeerClaim, PeerUpdate } from '../../../src/fleet/ports.js';
import { GatewayRegistry } from '../../../src/store/gateway-registry.js';
import { takeLease } from '../../../src/store/lease.js';
import { PostgresPeerStateStore } from '../../../src/store/peer-state-store.js';
import { PeerStore } from '../../../src/store/peer-store.js';
import type { Fixture } from '../fixture.js';

const ROOM: ClaimRoom = { total: 1000, perPeer: 1000, exceptions: new Map() };
let names = 10;

function updateOf(claim: PeerClaim, more: Partial<PeerUpdate> = {}): PeerUpdate {
  const { state, attempts, unanswered, polls, silent, problem } = claim;
  return { state, attempts, unanswered, polls, silent, problem, dueSeconds: 1000, ...more };
}

/** Peers, and what they were seen to serve. */
export function peersSuite(open: () => Fixture): void {
  describe('peers', () => {
    let f: Fixture;
    let peers: PeerStore;
    let states: PostgresPeerStateStore;

    beforeAll(async () => {
      f = open();
      peers = new PeerStore(f.database);
      states = new PostgresPeerStateStore(f.database);
      await f.database.execute('delete from zoneseal.peers');
    });

    afterEach(async () => {
      await f.database.execute('delete from zoneseal.peers');
    });

    const newPeer = async (
      zones: readonly string[] | null,
      more: { view?: string; key?: string } = {},
    ): Promise<string> => {
      const name = `ns${++names}.test`;
      const { view = 'external', key = null } = more;
      await peers.add({ name, view, address: '127.0.0.1', port: 5300, key, zones });
      return name;
    };

    /** The peers of a zone with their states, `peer view state`. */
    const show = async (zone: { name: string }): Promise<string[]> => {
      const { rows } = await peers.status(zone.name, 1000);
      return rows.map(({ peer, view, state }) => `${peer} ${view} ${state}`);
    };

    const claimOf = async (zone: { id: string }, gateway = 'g1', room = ROOM): Promise<PeerClaim[]> =>
      (await states.claim(gateway, 30, room)).filter(({ zoneId }) => zoneId === zone.id);

    const makeDue = (zone: { id: string }): Promise<number> =>
      f.database.execute('update zoneseal.peer_states set due_at = now() where zone_id = $1', [zone.id]);

    it('are free for others when the gateway that was asking them is gone', async () => {
      const zone = await f.newZone();
      await newPeer([zone.name]);
      const registry = new GatewayRegistry(f.database);
      const facts = { release: '1', schemaLevel: 18, formatVersion: 1, pageFormat: 1 };
      await registry.announce({ name: 'killed', ...facts });
      expect(await claimOf(zone, 'killed')).toHaveLength(1);
      await registry.announce({ name: 'other', ...facts });
      expect(await claimOf(zone, 'other')).toEqual([]);
      const lease = (holder: string) => takeLease(f.database, 'of a killed gateway', holder, 1000);
      expect(await lease('killed')).toBeDefined();
      expect(await lease('other')).toBeUndefined();
      await f.database.execute(
        `update zoneseal.gateways set seen_at = clock_timestamp() - interval '31 s' where name = 'killed'`,
      );
      await registry.announce({ name: 'other', ...facts });
      expect(await claimOf(zone, 'other')).toHaveLength(1);
      expect(await lease('other')).toMatchObject({ token: 2 });
      for (const name of ['killed', 'other']) await registry.leave(name);
    });

    it('have a state for each zone of their view, that comes and goes with zone, view and peer', async () => {
      const early = await f.newZone();
      const a = await newPeer([early.name, 'later.test.']);
      expect(await show(early)).toEqual([`${a} external pending`, 'null internal null']);
      await f.zones.createZone('later.test.', { views: ['internal'] });
      expect(await show({ name: 'later.test.' })).toEqual(['null internal null']);
      await f.zones.assignView('later.test.', 'external');
      expect(await show({ name: 'later.test.' })).toEqual([`${a} external pending`, 'null internal null']);
      await f.zones.unassignView('later.test.', 'external');
      expect(await show({ name: 'later.test.' })).toEqual(['null internal null']);
      await f.zones.assignView('later.test.', 'external');
      const b = await newPeer(['later.test.'], { view: 'internal' });
      expect(await show({ name: 'later.test.' })).toEqual([`${a} external pending`, `${b} internal pending`]);
      await peers.delete(a);
      expect(await show({ name: 'later.test.' })).toEqual([`${b} internal pending`, 'null external null']);
      await f.zones.deleteZone('later.test.');
      await expect(show({ name: 'later.test.' })).rejects.toMatchObject({ code: 'NOT_HELD' });
      const rows = await f.database.query(
        'select from zoneseal.peer_states s where peer_id not in (select id from zoneseal.peers)',
      );
      expect(rows).toEqual([]);
      await peers.delete(b);
    });

    it('without a list of zones serve every zone of the view', async () => {
      const peer = await newPeer(null);
      const zone = await f.newZone();
      const internal = await f.newZone(undefined, ['internal']);
      expect(await show(zone)).toContain(`${peer} external pending`);
      expect(await show(internal)).toEqual(['null internal null']);
    });

    it('are due as soon as a publication is ready, in its transaction, and in its view alone', async () => {
      const zone = await f.newZone();
      const external = await newPeer([zone.name]);
      await newPeer([zone.name], { view: 'internal' });
      const first = await claimOf(zone);
      expect(first.map(({ wanted }) => wanted)).toEqual([undefined, undefined]);
      await states.record(
        first.map((claim) => ({ claim, update: updateOf(claim, { dueSeconds: undefined }) })),
      );
      expect(await claimOf(zone)).toEqual([]);
      const { serial } = await f.publish(zone, 'external');
      const [claim, ...others] = await claimOf(zone);
      expect(others).toEqual([]);
      expect(claim).toMatchObject({
        peer: external,
        zone: zone.name,
        view: 'external',
        address: '127.0.0.1',
        port: 5300,
        key: undefined,
        state: 'pending',
        wanted: serial,
        lastSerial: serial,
        soa: { ttl: 300, rdata: Uint8Array.of(0, 1, 0xff, 0x5c) },
        seen: undefined,
        attempts: 0,
      });
    });

    it('are claimed by one gateway, until the claim runs out by the database’s clock', async () => {
      const zone = await f.newZone();
      const peer = await newPeer([zone.name]);
      await f.publish(zone);
      const [claim] = (await claimOf(zone)) as [PeerClaim];
      expect(await claimOf(zone, 'g2')).toEqual([]);
      await f.database.execute(
        "update zoneseal.peer_states set claimed_until = now() - interval '1 s' where zone_id = $1",
        [zone.id],
      );
      const [taken] = (await claimOf(zone, 'g2')) as [PeerClaim];
      expect(taken.claim).toBe(claim.claim + 1);
      // the one that was too slow changes nothing any more
      await states.record([{ claim, update: updateOf(claim, { state: 'behind', seen: 5 }) }]);
      expect(await show(zone)).toContain(`${peer} external pending`);
      await states.record([{ claim: taken, update: updateOf(taken, { state: 'current', seen: 5 }) }]);
      expect(await show(zone)).toContain(`${peer} external current`);
    });

    it('what was found out before a newer publication says nothing of that one, but what was seen was seen', async () => {
      const zone = await f.newZone();
      const peer = await newPeer([zone.name]);
      const old = await f.publish(zone);
      const [claim] = (await claimOf(zone)) as [PeerClaim];
      await f.insert(zone.name, [['x', 'A', '192.0.2.1']]);
      const next = await f.publish(zone);
      expect(await claimOf(zone)).toEqual([]); // one message at a time
      const update = updateOf(claim, { state: 'current', seen: old.serial, attempts: 1, progress: true });
      expect(await states.record([{ claim, update }])).toBe(1);
      expect((await peers.status(zone.name, 10)).rows).toContainEqual(
        expect.objectContaining({ peer, state: 'pending', serialSeen: old.serial, serial: next.serial }),
      );
      const [again] = await claimOf(zone);
      expect(again).toMatchObject({ wanted: next.serial, seen: old.serial, attempts: 0, state: 'pending' });
    });

    it('count as late from the first publication that did not arrive, until they serve something newer', async () => {
      const zone = await f.newZone();
      await newPeer([zone.name]);
      await f.publish(zone);
      const age = async (seconds: number): Promise<void> => {
        await f.database.execute(
          'update zoneseal.peer_states set since = now() - make_interval(secs => $2::float8), due_at = now() where zone_id = $1',
          [zone.id, seconds],
        );
      };
      await age(100);
      await f.insert(zone.name, [['x', 'A', '192.0.2.1']]);
      await f.publish(zone);
      const [late] = (await claimOf(zone)) as [PeerClaim];
      expect(late.lateSeconds).toBeGreaterThanOrEqual(100);
      await states.record([
        { claim: late, update: updateOf(late, { seen: 1, progress: true, dueSeconds: 0 }) },
      ]);
      const [claim] = (await claimOf(zone)) as [PeerClaim];
      expect(claim.lateSeconds).toBeLessThan(50);
      await states.record([{ claim, update: updateOf(claim, { state: 'current' }) }]);
      await age(100);
      await f.insert(zone.name, [['y', 'A', '192.0.2.1']]);
      await f.publish(zone);
      expect((await claimOf(zone))[0]?.lateSeconds).toBeLessThan(50);
    });

    it('share the room: each its own, all together theirs', async () => {
      const zones = [await f.newZone(), await f.newZone(), await f.newZone()];
      const list = zones.map(({ name }) => name);
      const [a, b] = [await newPeer(list), await newPeer(list)];
      for (const zone of zones) await f.publish(zone);
      const ids = new Map(
        (await f.database.query<{ id: number; name: string }>('select id, name from zoneseal.peers')).map(
          ({ id, name }) => [name, String(id)],
        ),
      );
      const claimed = async (room: ClaimRoom): Promise<string[]> => {
        const claims = await states.claim('g', 30, room);
        await states.record(claims.map((claim) => ({ claim, update: updateOf(claim, { dueSeconds: 0 }) })));
        return claims.map(({ peer }) => peer).sort();
      };
      const exceptions = new Map([[ids.get(a) as string, 0]]);
      expect(await claimed({ total: 100, perPeer: 2, exceptions })).toEqual([b, b]);
      expect(await claimed({ total: 3, perPeer: 2, exceptions: new Map() })).toHaveLength(3);
      expect(await claimed({ total: 100, perPeer: 2, exceptions: new Map() })).toEqual([a, a, b, b]);
    });

    it('that answer again are due at once', async () => {
      const zone = await f.newZone();
      await newPeer([zone.name]);
      await f.publish(zone);
      const [claim] = (await claimOf(zone)) as [PeerClaim];
      await states.record([{ claim, update: updateOf(claim, { state: 'unreachable', silent: 3 }) }]);
      expect(await claimOf(zone)).toEqual([]);
      await states.makeDue(claim.peerId);
      expect(await claimOf(zone)).toMatchObject([{ state: 'unreachable', silent: 3 }]);
    });

    it('that give no answers are unreachable in all that is due', async () => {
      const [zone, other] = [await f.newZone(), await f.newZone()];
      await newPeer([zone.name, other.name]);
      const [claim] = (await claimOf(zone)) as [PeerClaim];
      await makeDue(other);
      await f.database.execute('update zoneseal.peer_states set claimed_until = null where zone_id = $1', [
        other.id,
      ]);
      await states.postpone(claim.peerId, 3, 100, 'SOA: no answer');
      expect((await peers.status(other.name, 9)).rows[0]).toMatchObject({
        state: 'unreachable',
        problem: 'SOA: no answer',
      });
      // what is claimed is for whoever claimed it
      expect((await peers.status(zone.name, 9)).rows[0]).toMatchObject({ state: 'pending' });
      const [row] = await f.database.query<{ wait: number }>(
        'select extract(epoch from due_at - now())::float8 as wait from zoneseal.peer_states where zone_id = $1',
        [other.id],
      );
      expect(row?.wait).toBeGreaterThan(40);
      expect(row?.wait).toBeLessThanOrEqual(100);
    });

    it('tell when the next one is due', async () => {
      expect(await states.nextDueSeconds()).toBeUndefined();
      const zone = await f.newZone();
      await newPeer([zone.name]);
      expect(await states.nextDueSeconds()).toBe(0);
      const [claim] = (await claimOf(zone)) as [PeerClaim];
      expect(await states.nextDueSeconds()).toBeGreaterThan(20);
      await states.record([{ claim, update: updateOf(claim, { dueSeconds: 5 }) }]);
      const next = await states.nextDueSeconds();
      expect(next).toBeGreaterThan(1);
      expect(next).toBeLessThanOrEqual(5);
    });

    it('begin anew at another address', async () => {
      const zone = await f.newZone();
      const peer = await newPeer([zone.name]);
      const { serial } = await f.publish(zone);
      const [claim] = (await claimOf(zone)) as [PeerClaim];
      await states.record([{ claim, update: updateOf(claim, { state: 'current', seen: serial }) }]);
      await f.database.execute('update zoneseal.peers set port = 99 where name = $1', [peer]);
      expect(await claimOf(zone)).toMatchObject([{ port: 99, seen: undefined, state: 'pending' }]);
      await f.database.execute("update zoneseal.peers set view = 'internal' where name = $1", [peer]);
      expect(await show(zone)).toEqual([`${peer} internal pending`, 'null external null']);
    });

    it('keep the key that they need', async () => {
      await f.tsig.add({ name: 'Peer.key.', algorithm: 'hmac-sha512', secretRef: 'https://b/1', grants: [] });
      const zone = await f.newZone();
      const peer = await newPeer([zone.name], { key: 'peer.KEY.' });
      await expect(f.tsig.delete('peer.key.')).rejects.toMatchObject({
        code: 'DATA_REFUSED',
        message: expect.stringContaining('zoneseal peer delete'),
      });
      expect(await claimOf(zone)).toMatchObject([
        { key: { name: 'peer.key.', algorithm: 'hmac-sha512', secretRef: 'https://b/1' } },
      ]);
      expect((await peers.list())[0]).toMatchObject({ name: peer, key: 'peer.key.', states: { pending: 1 } });
      await peers.delete(peer);
      await f.tsig.delete('peer.key.');
    });

    it('are refused where something is not there, or there already', async () => {
      const peer = { name: 'ns', view: 'external', address: '::1', port: 53, key: null, zones: null };
      await expect(peers.add({ ...peer, view: 'none' })).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(peers.add({ ...peer, key: 'none.' })).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(peers.add({ ...peer, address: '10.0.0.0/8' })).rejects.toMatchObject({
        code: 'DATA_REFUSED',
      });
      await peers.add(peer);
      await expect(peers.add(peer)).rejects.toMatchObject({ code: 'ALREADY_HELD' });
      expect((await peers.list())[0]).toMatchObject({ ...peer });
      await peers.delete('ns');
      await expect(peers.delete('ns')).rejects.toMatchObject({ code: 'NOT_HELD' });
    });

    it('are asked by line, and what they are seen to serve is kept', async () => {
      const zone = await f.newZone();
      const peer = await newPeer([zone.name]);
      const { serial } = await f.publish(zone);
      const line = { zoneId: zone.id, view: 'external' };
      const [target] = await states.peersOf(line);
      expect(target).toMatchObject({ peer, zone: zone.name, address: '127.0.0.1' });
      await states.recordSeen(target?.peerId as string, zone.id, 4_294_967_295);
      expect((await peers.status(zone.name, 10)).rows).toContainEqual(
        expect.objectContaining({ peer, serialSeen: 4_294_967_295 }),
      );
      expect(await states.lastSerial(line)).toBe(serial);
    });

    it('are counted by state, with how long the longest has waited', async () => {
      const zone = await f.newZone();
      await newPeer([zone.name]);
      await makeDue(zone);
      const [claim] = (await claimOf(zone)) as [PeerClaim];
      await states.record([{ claim, update: updateOf(claim, { state: 'current' }) }]);
      expect(await states.counts()).toMatchObject({ states: { current: 1, pending: 0 }, oldestSeconds: 0 });
      await f.database.execute(
        "update zoneseal.peer_states set state = 'behind', since = now() - interval '1 hour'",
      );
      const { states: counted, oldestSeconds } = await states.counts();
      expect(counted).toEqual({ pending: 0, current: 0, behind: 1, unreachable: 0 });
      expect(oldestSeconds).toBeGreaterThanOrEqual(3600);
    });

    it('are counted by peer, and what is late is listed with what is published and what was seen when', async () => {
      const zones = [await f.newZone(), await f.newZone(), await f.newZone()] as const;
      const peer = await newPeer(zones.map(({ name }) => name));
      const published = await f.publish(zones[0]);
      await f.database.execute(
        `update zoneseal.peer_states set state = 'behind', since = now() - interval '2 hours', serial_seen = 7,
           seen_at = now() - interval '1 minute' where zone_id = $1`,
        [zones[0].id],
      );
      await f.database.execute("update zoneseal.peer_states set state = 'current' where zone_id = $1", [
        zones[2].id,
      ]);
      const { peers, late } = await states.counts();
      expect(peers).toEqual([
        {
          peer,
          view: 'external',
          states: { pending: 1, current: 1, behind: 1, unreachable: 0 },
          oldestSeconds: expect.closeTo(7200, -2) as unknown,
        },
      ]);
      expect(late).toEqual([
        {
          zone: zones[0].name,
          view: 'external',
          peer,
          state: 'behind',
          published: published.serial,
          seen: 7,
          seenSeconds: expect.closeTo(60, -2) as unknown,
          lateSeconds: expect.closeTo(7200, -2) as unknown,
        },
        expect.objectContaining({ zone: zones[1].name, published: undefined, seen: undefined }) as unknown,
      ]);
    });
  });
}
