import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RCODE } from '../../src/dns/message.js';
import { Openstack } from '../lib/openstack.js';
import { waitUntil } from '../lib/processes.js';
import { SECONDARY_PROGRAMS } from '../lib/secondary.js';
import { delvFaults, unboundFaults } from '../secondaries/judging.js';
import { HELD, KEY_OWNERS, Lab } from '../secondaries/lab.js';
import { questionsOf } from '../secondaries/questions.js';
import { VIEWS, ZONES } from '../secondaries/zones.js';

/**
 * The way of the secondaries suite with keys and TSIG secrets in Barbican behind Keystone: the operator may write there,
 * the gateway may only read.
 */
const EACH_SERVED = VIEWS.flatMap((view) => SECONDARY_PROGRAMS.map((program) => [program, view] as const));

let openstack: Openstack;
let lab: Lab;

beforeAll(async () => {
  openstack = await Openstack.start({
    accounts: [
      { username: 'operator', project: 'dns', roles: ['creator'] },
      { username: 'gateway', project: 'dns', roles: ['observer'] },
    ],
  });
  const { keystoneUrl } = openstack;
  lab = await Lab.start({
    config: { barbican: { keystoneUrl, username: 'gateway', project: 'dns' } },
    environment: { ZONESEAL_BARBICAN_PASSWORD: 'gatewaypw' },
    commandEnvironment: { ZONESEAL_BARBICAN_USERNAME: 'operator', ZONESEAL_BARBICAN_PASSWORD: 'operatorpw' },
  });
}, 400_000);

afterAll(async () => {
  await lab?.stop();
  await openstack?.close();
});

// the resolvers are asked afterwards: they remember for a while that a zone was not there
test.each(EACH_SERVED)('%s loads all zones of the %s view', async (program, view) => {
  const { secondary } = lab.find(program, view);
  for (const zone of HELD) await secondary.waitForSerial(zone, await lab.serial(zone, view));
});

test.concurrent.each(EACH_SERVED)('unbound accepts what %s answers in the %s view', async (program, view) => {
  expect(await unboundFaults(lab.find(program, view), ZONES)).toEqual([]);
});

test.concurrent.each(EACH_SERVED)('delv accepts what %s answers in the %s view', async (program, view) => {
  const faults: string[] = [];
  for (const zone of ZONES) {
    // the secondaries suite asks everything
    const asked = questionsOf(zone, view).filter(({ what }) =>
      /^(SOA|wildcard|NODATA|NXDOMAIN|the DS .*)$/.test(what),
    );
    expect(asked).toHaveLength(5);
    for (const question of asked) {
      faults.push(...(await delvFaults(lab, zone, lab.find(program, view).secondary, question)));
    }
  }
  expect(faults).toEqual([]);
});

test('no TSIG secret is in the database, in the gateway’s folder or in its log', () => {
  const folders = [lab.postgres.socketFolder, join(lab.gateway.folder, 'data')];
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((file) => join(folder, file))
      .filter((path) => statSync(path).isFile()),
  );
  expect(files.length).toBeGreaterThan(100);
  const secrets = VIEWS.flatMap((view) => KEY_OWNERS.map((owner) => lab.key(owner, view).secret));
  const forms = secrets.flatMap((text) => {
    const octets = Buffer.from(text, 'base64');
    return [octets, Buffer.from(text), Buffer.from(octets.toString('hex'))];
  });
  for (const octets of [Buffer.from(lab.gateway.log), ...files.map((file) => readFileSync(file))]) {
    expect(forms.some((form) => octets.includes(form))).toBe(false);
  }
});

test('a gateway that starts while Keystone and Barbican are away serves when they are back, without a restart', async () => {
  const zone = ZONES[0]?.name as string;
  const before = await lab.serials([zone]);
  await lab.gateway.kill();
  await Promise.all([openstack.stopBarbican(), openstack.stopKeystone()]);
  await lab.gateway.serve();
  expect((await lab.askGateway(zone, 'external'))?.message.rcode).toBe(RCODE.SERVFAIL);
  await Promise.all([openstack.startBarbican(), openstack.startKeystone()]);
  await waitUntil('the gateway does not find Barbican again', async () => {
    return (await lab.askGateway(zone, 'external'))?.message.rcode === RCODE.NOERROR;
  });
  expect(await lab.serials([zone])).toEqual(before);
  await lab.gateway.command(['rrset', 'set', zone, 'afterwards', 'A', '192.0.2.94']);
  for (const view of VIEWS) await lab.settledAfter(zone, view, before);
});
