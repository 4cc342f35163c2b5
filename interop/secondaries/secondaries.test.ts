import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RCODE } from '../../src/dns/message.js';
import { RRType } from '../../src/dns/types.js';
import { askDelv, bindAnchors } from '../lib/delv.js';
import { startNamedWithViews } from '../lib/named.js';
import { runWell, waitUntil } from '../lib/processes.js';
import { SECONDARY_PROGRAMS } from '../lib/secondary.js';
import { TOOLS } from '../lib/tools.js';
import { Unbound } from '../lib/unbound.js';
import { expectedChain, servedChain, servedLines, storedLines, tracesIn, watchHashes } from './content.js';
import {
  addressesOf,
  delvFaults,
  isInFolder,
  referral,
  seenBy,
  tracesInFolder,
  unboundFaults,
} from './judging.js';
import { HELD, Lab } from './lab.js';
import { questionsOf } from './questions.js';
import { insecureChildOf, SLOW_ZONE, secureChildOf, VIEWS, type View, WWW, ZONES } from './zones.js';

const [NSEC, NSEC3, OPT_OUT] = ZONES.map(({ name }) => name) as [string, string, string];

const EACH_SERVED = VIEWS.flatMap((view) => SECONDARY_PROGRAMS.map((program) => [program, view] as const));
const EACH_VARIANT = ZONES.flatMap((zone) => VIEWS.map((view) => [zone.name, view, zone] as const));
const EACH_ZONE = ZONES.map((zone) => [zone.name, zone] as const);

let lab: Lab;

beforeAll(async () => {
  for (const zone of [NSEC3, OPT_OUT]) watchHashes(zone);
  lab = await Lab.start();
}, 400_000);

afterAll(() => lab?.stop());

describe('the gateway', () => {
  test.each(EACH_VARIANT)(
    'gives %s to the %s view: what it sees, its chain, nothing else',
    async (_, view, zone) => {
      await lab.serial(zone.name, view);
      const { records, answers, isWhole, isAuthentic } = await lab.take(zone.name, view);
      expect({ isWhole, isAuthentic }).toEqual({ isWhole: true, isAuthentic: true });
      const stored = seenBy(lab, view, zone);
      expect(servedLines(records)).toEqual(storedLines(stored));
      expect(servedChain(zone, records)).toEqual(expectedChain(zone, stored));
      const traces = answers.flatMap(({ octets }) => tracesIn(octets));
      if (view === 'external') expect(traces).toEqual([]);
      else expect(traces).toEqual(expect.arrayContaining(['intranet', 'gondolin', '10.77.1.80 on the wire']));
    },
  );

  test.each(EACH_ZONE)(
    'answers an IXFR of %s in the external view without a trace of the internal one',
    async (name) => {
      const { answers, isWhole } = await lab.take(name, 'external', { type: 'IXFR', serial: 1 });
      expect(isWhole).toBe(true);
      expect(answers.flatMap(({ octets }) => tracesIn(octets))).toEqual([]);
    },
  );
});

describe('secondaries', () => {
  // the resolvers are asked afterwards: they remember for a while that a zone was not there
  test.each(EACH_SERVED)('%s loads all zones of the %s view', async (program, view) => {
    const { secondary } = lab.find(program, view);
    for (const zone of HELD) await secondary.waitForSerial(zone, await lab.serial(zone, view));
  });

  test.concurrent.each(EACH_SERVED)(
    'unbound accepts what %s answers in the %s view',
    async (program, view) => {
      expect(await unboundFaults(lab.find(program, view), ZONES)).toEqual([]);
    },
  );

  test.concurrent.each(EACH_SERVED)('delv accepts what %s answers in the %s view', async (program, view) => {
    const { secondary } = lab.find(program, view);
    const faults: string[] = [];
    for (const zone of ZONES) {
      for (const question of questionsOf(zone, view)) {
        if (question.isBelowCut !== true) faults.push(...(await delvFaults(lab, zone, secondary, question)));
      }
    }
    expect(faults).toEqual([]);
  });

  test.concurrent.each(EACH_SERVED)(
    '%s refers to children in the %s view and proves what is signed',
    async (program, view) => {
      const { secondary } = lab.find(program, view);
      for (const { name } of ZONES) {
        const secure = await referral(secondary, secureChildOf(name));
        expect(secure).toMatchObject({ rcode: RCODE.NOERROR, answers: 0 });
        expect(secure.types).toEqual(expect.arrayContaining([RRType.NS, RRType.DS, RRType.RRSIG]));
        expect(secure.glue).toBeGreaterThan(0);
        const insecure = await referral(secondary, insecureChildOf(name));
        expect(insecure).toMatchObject({ rcode: RCODE.NOERROR, answers: 0 });
        expect(insecure.types).not.toContain(RRType.DS);
        const denial = name === NSEC ? RRType.NSEC : RRType.NSEC3;
        expect(insecure.types).toEqual(expect.arrayContaining([RRType.NS, denial, RRType.RRSIG]));
        expect(insecure.glue).toBeGreaterThan(1);
      }
    },
  );

  test.concurrent.each(SECONDARY_PROGRAMS)(
    '%s of the external view holds no trace of the internal one',
    async (program) => {
      await expectNoTraces(program, 'promo');
      // the same search finds them where they are
      const internal = lab.find(program, 'internal').secondary;
      expect(tracesIn(await internal.copy(NSEC))).toContain('intranet');
      await internal.writeFiles();
      await waitUntil(`${internal.label} writes no files`, () =>
        tracesInFolder(internal.folder).some((trace) => trace.endsWith(': intranet')),
      );
    },
  );
});

describe('the judges', () => {
  test('call answers bogus when the trust anchor is another zone’s', async () => {
    const { secondary } = lab.find('named', 'external');
    const file = join(lab.gateway.folder, 'wrong-anchor');
    const wrong = (lab.ds.get(NSEC3) ?? []).map((line) => line.replace(NSEC3, NSEC));
    writeFileSync(file, bindAnchors(NSEC, wrong));
    const unbound = await Unbound.start({
      label: 'unbound with a wrong anchor',
      anchors: new Map([[NSEC, wrong]]),
      servers: new Map([[NSEC, secondary.target]]),
    });
    try {
      for (const label of ['www', 'nothere']) {
        const question = { name: `${label}.${NSEC}`, type: 'A' };
        expect(await unbound.ask(question)).toMatchObject({ outcome: 'failure', security: 'bogus' });
        const finding = await askDelv(secondary.target, question, { zone: NSEC, file });
        expect(finding).toMatchObject({ outcome: 'failure', security: 'bogus' });
      }
    } finally {
      await unbound.stop();
    }
  });
});

describe('one BIND with two views', () => {
  test('gives each client the view that its address is in', async () => {
    const keys = { internal: lab.key('named', 'internal'), external: lab.key('named', 'external') };
    const options = { zone: NSEC, primary: lab.gateway.target, keys, inside: '127.0.0.2' };
    const { target, program } = await startNamedWithViews(options);
    try {
      const ask = async (from: string): Promise<string> => {
        const args = [`@${target.host}`, '-p', String(target.port), '-b', from, '+short', `www.${NSEC}`, 'A'];
        return (await runWell(TOOLS['dig']?.path ?? 'dig', args)).trim();
      };
      await waitUntil(
        () => `BIND has not both views:\n${program.log}`,
        async () => (await ask('127.0.0.1')) !== '' && (await ask('127.0.0.2')) !== '',
      );
      expect(await ask('127.0.0.2')).toBe(WWW.internal);
      expect(await ask('127.0.0.1')).toBe(WWW.external);
    } finally {
      await program.stop();
    }
  });
});

/** @param newest a word of the external view that has to be in the files before they are judged */
async function expectNoTraces(program: (typeof SECONDARY_PROGRAMS)[number], newest: string): Promise<void> {
  const { secondary } = lab.find(program, 'external');
  for (const { name } of ZONES) expect(tracesIn(await secondary.copy(name))).toEqual([]);
  await secondary.writeFiles();
  await waitUntil(`${secondary.label} writes no files`, () => isInFolder(secondary.folder, newest));
  expect(tracesInFolder(secondary.folder)).toEqual([]);
}

describe('changes', () => {
  test('with plain SQL for the internal view reach it alone; the external view gets no new serial', async () => {
    const zones = ZONES.map(({ name }) => name);
    const before = await lab.serials(zones);
    await lab.writer.query('begin');
    for (const zone of zones) {
      await lab.writer.query(
        `update zoneseal.rrsets set data = '{10.77.1.81}'
         where zone_id = zoneseal.zone_id($1) and owner = $2 and type = 'A' and views = '{internal}'`,
        [zone, `www.${zone}`],
      );
      await lab.writer.query(
        `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
         values (zoneseal.zone_id($1), $2, 'A', 300, '{10.77.5.50}', '{internal}')`,
        [zone, `skunkworks.hangar.${zone}`],
      );
    }
    await lab.writer.query('commit');
    for (const zone of zones) {
      await lab.settledAfter(zone, 'internal', before);
      expect(await addresses('internal', `www.${zone}`)).toEqual(byAll('10.77.1.81'));
      expect(await addresses('internal', `skunkworks.hangar.${zone}`)).toEqual(byAll('10.77.5.50'));
      expect(await lab.settled(zone, 'external')).toBe(before.get(`${zone} external`));
      expect(await addresses('external', `www.${zone}`)).toEqual(byAll(WWW.external));
    }
  });

  test('with "rrset set" for the external view reach it alone', async () => {
    const before = await lab.serials([NSEC3]);
    const set = ['rrset', 'set', NSEC3, 'www', 'A', '192.0.2.81', '192.0.2.82', '--view', 'external'];
    await lab.gateway.command(set);
    await lab.settledAfter(NSEC3, 'external', before);
    expect(await addresses('external', `www.${NSEC3}`)).toEqual(byAll('192.0.2.81 192.0.2.82'));
    expect(await lab.settled(NSEC3, 'internal')).toBe(before.get(`${NSEC3} internal`));
    expect(await addresses('internal', `www.${NSEC3}`)).toEqual(byAll('10.77.1.81'));
  });

  test.each(EACH_ZONE)(
    'for all views reach all and are secure: a name comes to %s and goes',
    async (_, zone) => {
      const name = `fresh.branch.${zone.name}`;
      const question = { what: 'the name', name, type: 'A' };
      let before = await lab.serials([zone.name]);
      await lab.gateway.command(['rrset', 'set', zone.name, name, 'A', '192.0.2.90']);
      for (const view of VIEWS) await lab.settledAfter(zone.name, view, before);
      for (const { secondary } of lab.served) {
        const there = { ...question, outcome: 'answer', rdata: '192.0.2.90' } as const;
        expect(await delvFaults(lab, zone, secondary, there)).toEqual([]);
      }
      before = await lab.serials([zone.name]);
      await lab.gateway.command(['rrset', 'delete', zone.name, name]);
      for (const view of VIEWS) await lab.settledAfter(zone.name, view, before);
      for (const { secondary } of lab.served) {
        const gone = { ...question, outcome: 'nxdomain', isBySpan: true } as const;
        expect(await delvFaults(lab, zone, secondary, gone)).toEqual([]);
      }
    },
  );

  test('are fetched at once when the nameserver’s own command says so', async () => {
    const before = await lab.serials([SLOW_ZONE]);
    await lab.gateway.command(['rrset', 'set', SLOW_ZONE, 'fresh', 'A', '192.0.2.91']);
    for (const view of VIEWS) await lab.serialAfter(SLOW_ZONE, view, before);
    for (const { secondary, view } of lab.served) {
      expect(await secondary.serial(SLOW_ZONE)).toBe(before.get(`${SLOW_ZONE} ${view}`));
      await secondary.retrieve(SLOW_ZONE);
    }
    for (const view of VIEWS) await lab.settled(SLOW_ZONE, view);
    expect(await addresses('external', `fresh.${SLOW_ZONE}`)).toEqual(byAll('192.0.2.91'));
  });

  test('that make no sense stop the new publications of that zone alone, until they are mended', async () => {
    const before = await lab.serials([NSEC, NSEC3]);
    const write = (data: string): Promise<unknown> =>
      lab.writer.query(
        `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (zoneseal.zone_id($1), $2, 'AAAA', 300, $3)
         on conflict (zone_id, sort_key, type, coalesce(views, '{}')) do update set data = excluded.data`,
        [NSEC3, `broken.${NSEC3}`, [data]],
      );
    await write('2001:db8::nonsense');
    await waitUntil('zone show tells of no failure', async () => {
      const errors = await lab.failures(NSEC3);
      return VIEWS.every((view) => errors.get(view)?.includes(`broken.${NSEC3}`));
    });
    for (const view of VIEWS) {
      const error = (await lab.failures(NSEC3)).get(view) ?? '';
      for (const word of [NSEC3, `broken.${NSEC3}`, 'AAAA']) expect(error).toContain(word);
      expect(await lab.settled(NSEC3, view)).toBe(before.get(`${NSEC3} ${view}`));
      expect(await addresses(view, `www.${NSEC3}`)).toHaveLength(SECONDARY_PROGRAMS.length);
    }
    expect(lab.gateway.logLines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        zone: NSEC3,
        reason: expect.stringContaining('AAAA') as string,
      }),
    );
    // the others go on
    await lab.gateway.command(['rrset', 'set', NSEC, 'meanwhile', 'A', '192.0.2.92']);
    for (const view of VIEWS) await lab.settledAfter(NSEC, view, before);
    await write('2001:db8::92');
    for (const view of VIEWS) {
      await lab.settledAfter(NSEC3, view, before);
      expect((await lab.failures(NSEC3)).get(view)).toBeUndefined();
    }
  });

  test('of views: a zone taken out of one is refused there, and goes on with a later serial when it is back', async () => {
    const before = await lab.serials([OPT_OUT]);
    await lab.gateway.command(['view', 'unassign', OPT_OUT, 'external']);
    await waitUntil('the zone is still served', async () => {
      const answer = await lab.askGateway(OPT_OUT, 'external');
      return answer?.message.rcode === RCODE.REFUSED;
    });
    expect((await lab.take(OPT_OUT, 'external')).rcode).toBe(RCODE.REFUSED);
    expect((await lab.take(OPT_OUT, 'internal')).isWhole).toBe(true);
    await lab.gateway.command(['view', 'assign', OPT_OUT, 'external']);
    const serial = await lab.settledAfter(OPT_OUT, 'external', before);
    expect(serial).toBeGreaterThan(before.get(`${OPT_OUT} external`) ?? 0);
    expect(await lab.serial(OPT_OUT, 'internal')).toBe(before.get(`${OPT_OUT} internal`));
  });
});

describe('outages', () => {
  test('a gateway that is killed and started again: secondaries go on meanwhile, and catch up', async () => {
    const before = await lab.serials([NSEC]);
    const unchanged = await lab.serials([OPT_OUT]);
    await lab.gateway.kill();
    await lab.writer.query(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (zoneseal.zone_id($1), $2, 'A', 300, '{192.0.2.93}')`,
      [NSEC, `meantime.${NSEC}`],
    );
    for (const view of VIEWS)
      expect((await addresses(view, `www.${NSEC}`)).every((it) => it !== '')).toBe(true);
    await lab.gateway.serve();
    for (const view of VIEWS) {
      await lab.settledAfter(NSEC, view, before);
      expect(await addresses(view, `meantime.${NSEC}`)).toEqual(byAll('192.0.2.93'));
    }
    expect(await lab.serials([OPT_OUT])).toEqual(unchanged);
  });

  test('a database that goes away and comes back: the gateway needs no restart', async () => {
    const before = await lab.serials([NSEC]);
    lab.postgres.stop('immediate');
    const answer = await lab.askGateway(NSEC, 'external');
    expect([RCODE.NOERROR, RCODE.SERVFAIL]).toContain(answer?.message.rcode);
    await lab.postgres.start();
    await lab.gateway.command(['rrset', 'set', NSEC, 'afterwards', 'A', '192.0.2.94']);
    for (const view of VIEWS) await lab.settledAfter(NSEC, view, before);
    expect(await addresses('external', `afterwards.${NSEC}`)).toEqual(byAll('192.0.2.94'));
  });

  test.each(SECONDARY_PROGRAMS)(
    'after all of this %s of the external view holds no trace of the internal one',
    (program) => expectNoTraces(program, 'afterwards'),
  );
});

/** What each secondary of a view answers. */
async function addresses(view: View, name: string): Promise<string[]> {
  return Promise.all(lab.in(view).map(({ secondary }) => addressesOf(secondary, name)));
}

/** The same from every secondary of a view. */
function byAll(text: string): string[] {
  return SECONDARY_PROGRAMS.map(() => text);
}
