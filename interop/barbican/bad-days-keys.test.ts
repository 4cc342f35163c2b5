import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import { RCODE } from '../../src/dns/message.js';
import { CONTRACT_ACCOUNTS, contractCredentials } from '../../test/barbican/contract-target.js';
import { transfer } from '../lib/dns-client.js';
import { GatewayProcess } from '../lib/gateway.js';
import { Openstack } from '../lib/openstack.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { waitUntil } from '../lib/processes.js';
import { asUser, gatewayOptions } from './deployment.js';
import { digestOf, FollowedTransfer, takeZone, waitForSerial } from './following.js';
import { Lab, SLOW, VIEW } from './lab.js';

const DATABASE = 'keys';
const STEADY = 'steady.example.';

let postgres: TestPostgres;
let openstack: Openstack;
let lab: Lab;
let url: string;
let client: BarbicanClient;

beforeAll(async () => {
  [postgres, openstack] = await Promise.all([
    startPostgres(),
    Openstack.start({ accounts: CONTRACT_ACCOUNTS }),
  ]);
  url = postgres.url.replace(/[^/]*$/, DATABASE);
  client = connect('signer');
  const open = [{ range: '127.0.0.0/8', view: VIEW }];
  lab = await Lab.start(postgres, DATABASE, { user: asUser(openstack, 'signer'), config: { open } });
  await lab.prepareZone(STEADY);
  lab.serve(STEADY);
  await lab.serial(STEADY);
});

afterAll(async () => {
  client?.close();
  await lab?.stop();
  await openstack?.close();
  postgres?.remove();
});

function connect(username: string): BarbicanClient {
  return new BarbicanClient({
    keystoneUrl: openstack.keystoneUrl,
    credentials: contractCredentials(username),
  });
}

/** The reference and tag of a zone's key in one role. */
function keyOf(zone: string, role: string): { readonly reference: string; readonly keyTag: string } {
  const [reference = '', keyTag = ''] = lab
    .psql(`select secret_ref, key_tag from zoneseal.zone_keys
      where zone_id = zoneseal.zone_id('${zone}') and role = '${role}'`)
    .split('|');
  return { reference, keyTag };
}

/** That a zone has failed for the want of a key, and that log and `zone show` name both. */
async function expectFailure(zone: string, keyTag: string, code: string): Promise<void> {
  await waitUntil(`${zone} fails`, () => lab.errorsAbout(zone).length > 0);
  const [error] = lab.errorsAbout(zone);
  expect(error?.code).toBe(code);
  for (const text of [String(error?.reason), await lab.failure(zone)]) {
    expect(text).toContain(`zone ${zone}`);
    expect(text).toContain(`key ${keyTag}`);
  }
}

describe('a Barbican that goes away', () => {
  const FIRST = 'first.example.';

  test('in the middle of a first transfer, whose keys are in memory: it goes on to its end', async () => {
    const zone = 'middle.example.';
    await lab.prepareZone(zone, 3000, SLOW);
    await lab.prepareZone(FIRST);
    const following = await lab.followFirst(zone);
    await following.read(1);
    await openstack.stopBarbican();
    expect(await following.read()).toBe(true);
    expect(following).toMatchObject({ soaRecords: 2, isAuthentic: true });
  });

  test('before a first publication: SERVFAIL, the log says so, others go on, and it comes by itself', async () => {
    const { keyTag } = keyOf(FIRST, 'KSK');
    const { pid } = lab.gateway;
    lab.serve(FIRST);
    await waitUntil('it fails', () => lab.errorsAbout(FIRST).length > 0);
    expect(await lab.rcode(FIRST)).toBe(RCODE.SERVFAIL);
    expect(await lab.transferRcode(FIRST)).toBe(RCODE.SERVFAIL);
    const tags = [keyTag, keyOf(FIRST, 'ZSK').keyTag];
    const reason = String(lab.errorsAbout(FIRST)[0]?.reason);
    expect(reason).toMatch(/Barbican/);
    expect(tags.some((tag) => reason.includes(`zone ${FIRST}, key ${tag} `))).toBe(true);
    expect(lab.errorsAbout(FIRST)[0]?.code).toBe('KEYSTORE_UNAVAILABLE');
    expect(await lab.failure(FIRST)).toBe(reason);

    // what has its keys in memory is served, and signed anew
    const before = await lab.take(STEADY);
    lab.addHost(STEADY, 'meanwhile');
    const serial = await lab.serial(STEADY, before.serial);
    expect(await lab.take(STEADY)).toMatchObject({ serial, records: before.records + 4 });
    expect(lab.errorsAbout(STEADY)).toEqual([]);

    // commands that need it say so
    const refused = await lab.commands.run(['keys', 'generate', STEADY, '--role', 'ZSK']);
    expect(refused.status).toBe(4);
    expect(refused.stderr).toMatch(/Barbican/);
    expect(lab.psql(`select count(*) from zoneseal.zone_keys`)).toBe('5');

    await openstack.startBarbican();
    await lab.serial(FIRST);
    await lab.take(FIRST);
    expect(await lab.failure(FIRST)).toBeUndefined();
    expect(lab.gateway.pid).toBe(pid);
  });

  test('while a gateway is started: it serves what was ready to whom it can know, and then to all', async () => {
    const before = await lab.take(STEADY);
    await openstack.stopBarbican();
    await lab.gateway.kill();
    await lab.gateway.serve();
    // no key is at hand, so the octets are those that were signed before
    const { isWhole, records } = await transfer(lab.gateway.target, { name: STEADY });
    expect({ isWhole, digest: digestOf(records) }).toEqual({ isWhole: true, digest: before.digest });
    // the secret of the TSIG key is in Barbican
    expect(await lab.rcode(STEADY)).toBe(RCODE.SERVFAIL);
    expect(await lab.transferRcode(STEADY)).toBe(RCODE.SERVFAIL);
    await openstack.startBarbican();
    await lab.serial(STEADY);
    expect(await lab.take(STEADY)).toEqual(before);
  });
});

describe('keys that cannot be had', () => {
  test('a secret deleted behind the back: an error with zone and key tag, until it is restored', async () => {
    const zone = 'deleted.example.';
    await lab.prepareZone(zone);
    const { reference, keyTag } = keyOf(zone, 'ZSK');
    const { payload } = await client.fetchPayload(reference);
    await client.deleteSecret(reference);
    lab.serve(zone);
    await expectFailure(zone, keyTag, 'KEY_MISSING');
    expect(await lab.rcode(zone)).toBe(RCODE.SERVFAIL);
    const { serial } = await lab.take(STEADY);
    lab.addHost(STEADY, 'beside-deleted');
    await lab.serial(STEADY, serial);

    const type = 'application/pkcs8';
    const restored = await client.storeSecret({
      name: 'restored',
      type: 'private',
      contentType: type,
      payload,
    });
    lab.psql(`update zoneseal.zone_keys set secret_ref = '${restored}' where secret_ref = '${reference}'`);
    await lab.serial(zone);
    await lab.take(zone);
  });

  test('a secret whose ACL leaves the gateway out: the same, until it is let in', async () => {
    const zone = 'private.example.';
    await lab.prepareZone(zone);
    const { reference, keyTag } = keyOf(zone, 'KSK');
    const { payload } = await client.fetchPayload(reference);
    const colleague = connect('signer2');
    const contentType = 'application/pkcs8';
    const theirs = await colleague.storeSecret({ name: 'private', type: 'private', contentType, payload });
    await colleague.writeAcl(theirs, { projectAccess: false, users: [] });
    lab.psql(`update zoneseal.zone_keys set secret_ref = '${theirs}' where secret_ref = '${reference}'`);
    lab.serve(zone);
    await expectFailure(zone, keyTag, 'KEYSTORE_FORBIDDEN');
    await colleague.writeAcl(theirs, { projectAccess: false, users: [await client.userId()] });
    colleague.close();
    await lab.serial(zone);
    await lab.take(zone);
  });
});

describe('a second gateway on the same database', () => {
  let second: GatewayProcess;

  beforeAll(async () => {
    second = await GatewayProcess.start(gatewayOptions(url, asUser(openstack, 'signer2')));
  });
  afterAll(() => second?.remove());

  test('serves what the first does, under the same serials', async () => {
    for (const zone of [STEADY, 'first.example.']) {
      const serial = await lab.serial(zone);
      expect(await waitForSerial(second.target, zone, lab.key)).toBe(serial);
      const [one, other] = [await lab.take(zone), await takeZone(second.target, zone, lab.key)];
      expect(other).toEqual(one);
    }
  });

  test('takes over a first publication whose maker is killed, and whoever asked either gets no end of that one', async () => {
    const zone = 'taken-over.example.';
    await lab.prepareZone(zone, 6000, SLOW);
    lab.serve(zone);
    const targets = [lab.gateway.target, second.target];
    const maker = (): string =>
      lab.psql(`select gateway from zoneseal.publications p join zoneseal.zones z on z.id = p.zone_id
        where z.name = '${zone}' and state = 'building'`);
    await waitUntil('one makes it', () => maker() !== '');
    const [making, waiting] = maker().includes(` ${second.pid} `)
      ? [second, lab.gateway]
      : [lab.gateway, second];
    const cut = await Promise.all(
      [making, waiting].map(({ target }) => FollowedTransfer.ofFirst(target, zone, lab.key)),
    );
    expect(cut[1]?.serial).toBe(cut[0]?.serial);
    await making.kill();
    for (const transfer of cut) {
      expect(await transfer.read()).toBe(false);
      expect(transfer.soaRecords).toBe(1);
    }
    // the other, which followed it, makes it when the lease has run out
    const late = await FollowedTransfer.ofFirst(waiting.target, zone, lab.key);
    expect(await late.read()).toBe(true);
    expect(late).toMatchObject({ soaRecords: 2, isAuthentic: true });
    expect(late.serial).toBeGreaterThan(cut[0]?.serial as number);
    await making.serve();
    for (const target of targets) {
      expect(await waitForSerial(target, zone, lab.key)).toBe(late.serial);
      expect((await takeZone(target, zone, lab.key)).records).toBe(late.records);
    }
  });
});

describe('a gateway whose user has the wrong role', () => {
  test('says so by zone and key tag, answers SERVFAIL, and all is well when it has the right one', async () => {
    const zone = 'role.example.';
    await lab.prepareZone(zone);
    await lab.gateway.stop();
    const auditor = await GatewayProcess.start(gatewayOptions(url, asUser(openstack, 'auditor')));
    try {
      lab.serve(zone);
      const errors = (): Record<string, unknown>[] =>
        auditor.logLines.filter((line) => line.level === 'error' && line['zone'] === zone);
      await waitUntil('it fails', () => errors().length > 0);
      const tags = ['KSK', 'ZSK'].map((role) => keyOf(zone, role).keyTag);
      const [error] = errors();
      expect(error?.['code']).toBe('KEYSTORE_FORBIDDEN');
      const text = String(error?.['reason']);
      expect(tags.some((tag) => text.includes(`zone ${zone}, key ${tag} `))).toBe(true);
      expect(await lab.failure(zone)).toBe(text);
      // TSIG secrets cannot be had either
      const refused = await FollowedTransfer.begin(auditor.target, zone, lab.key);
      await refused.read(1);
      expect(refused.rcode).toBe(RCODE.SERVFAIL);
      refused.close();
    } finally {
      await auditor.remove();
    }
    await lab.gateway.serve();
    await lab.serial(zone);
    await lab.take(zone);
  });
});
