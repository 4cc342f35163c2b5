import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EDNS_OPTION } from '../../src/dns/edns.js';
import { FakePeer } from '../../test/fleet/fake-peer.js';
import { runWell, waitUntil } from '../lib/processes.js';
import { SECONDARY_PROGRAMS, Secondary, type SecondaryProgram } from '../lib/secondary.js';
import { TOOLS } from '../lib/tools.js';
import { FleetLab, peerName, ZONE } from './fleet-lab.js';

/** How each tells in its log of a NOTIFY that it takes. */
const TAKEN: Readonly<Record<SecondaryProgram, RegExp>> = {
  named:
    /zone notified\.example\/IN: notify from 127\.0\.0\.1#\d+: serial \d+|received notify for zone 'notified\.example': TSIG/g,
  nsd: /notify for notified\.example\.? from 127\.0\.0\.1 serial \d+/g,
  knotd: /\[notified\.example\.\] notify, incoming, remote 127\.0\.0\.1@\d+, serial \d+/g,
  pdns_server: /Received NOTIFY for notified\.example from 127\.0\.0\.1/gi,
};

let lab: FleetLab;

beforeAll(async () => {
  lab = await FleetLab.start();
}, 300_000);

afterAll(() => lab?.stop());

/** Changes as fast as one client commits them: many while a publication is made, and while a NOTIFY is under way. */
const FAST_CHANGES = 60;

function notifiesIn(program: SecondaryProgram): number {
  return (lab.secondary(program).log.match(TAKEN[program]) ?? []).length;
}

describe('peers', () => {
  test('that are added are current when they serve what is published', async () => {
    await lab.settled(0);
    const { states, lines, gateways } = await lab.status();
    expect({ states, lines }).toEqual({
      lines: 2,
      states: { current: 4, pending: 0, behind: 0, unreachable: 0 },
    });
    expect(gateways).toHaveLength(2);
    const { status, stdout } = await lab.gateways[0].run(['status', ZONE]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/notified\.example\. +external +\d+ +knotd +current/);
    expect(stdout).toMatch(/2 zones and views; of their peers 4 current, 0 pending/);
  });

  test('take a change by NOTIFY, each of them', async () => {
    const before = lab.serial();
    const counts = new Map(SECONDARY_PROGRAMS.map((program) => [program, notifiesIn(program)]));
    const begun = performance.now();
    await lab.change();
    await lab.settled(before);
    expect(performance.now() - begun).toBeLessThan(15_000);
    const times = lab
      .times()
      .map(
        ({ peer, notified, seen }) => `${peer}: told after ${notified} ms, seen serving it after ${seen} ms`,
      );
    console.log(`from ready on\n  ${times.join('\n  ')}`);
    for (const program of SECONDARY_PROGRAMS) {
      expect(notifiesIn(program), lab.secondary(program).log).toBeGreaterThan(counts.get(program) ?? 0);
    }
    expect(lab.states().map(({ problem }) => problem)).toEqual([null, null, null, null]);
  });

  test('take many changes that come fast, with fewer NOTIFYs than changes, and have the last one in the end', async () => {
    const before = lab.serial();
    const counts = SECONDARY_PROGRAMS.map(notifiesIn);
    for (let i = 0; i < FAST_CHANGES; i++) await lab.change();
    await lab.settled(before);
    await waitUntil('publications go on', async () => {
      const serial = lab.serial();
      await lab.settled(before);
      return serial === lab.serial();
    });
    await lab.settled(before);
    const sent = SECONDARY_PROGRAMS.map((program, i) => notifiesIn(program) - (counts[i] ?? 0));
    console.log(
      `${FAST_CHANGES} changes, NOTIFYs: ${SECONDARY_PROGRAMS.map((it, i) => `${it} ${sent[i]}`).join(', ')}`,
    );
    for (const count of sent) {
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThan(FAST_CHANGES);
    }
  });

  test('hear nothing of a change that their view does not see', async () => {
    await lab.settled(0);
    const before = { serial: lab.serial(), internal: lab.serial('internal'), states: lab.states() };
    const counts = SECONDARY_PROGRAMS.map(notifiesIn);
    await lab.change(['internal']);
    await waitUntil('the internal view gets no serial', () => lab.serial('internal') !== before.internal);
    await new Promise((resolve) => {
      setTimeout(resolve, 1500);
    });
    expect(lab.serial()).toBe(before.serial);
    expect(lab.states()).toEqual(before.states);
    expect(SECONDARY_PROGRAMS.map(notifiesIn)).toEqual(counts);
  });
});

describe('metrics', () => {
  test('count states, NOTIFYs and questions', async () => {
    await lab.settled(0);
    const sum = async (pattern: RegExp): Promise<number> => {
      let total = 0;
      for (const gateway of lab.gateways) {
        const [, value] = pattern.exec(await lab.metrics(gateway)) ?? [];
        total += Number(value ?? 0);
      }
      return total;
    };
    // counted when it is asked for, and told with the next answer
    await waitUntil(
      'states are not counted',
      async () => (await sum(/^zoneseal_peer_states\{state="current"\} (\d+)$/m)) === 8,
      40_000,
    );
    expect(await sum(/^zoneseal_notifies_answered_total (\d+)$/m)).toBeGreaterThanOrEqual(8);
    expect(await sum(/^zoneseal_peer_polls_total\{outcome="serial"\} (\d+)$/m)).toBeGreaterThanOrEqual(8);
    expect(await sum(/^zoneseal_notifies_failed_total\{reason="refused"\} (\d+)$/m)).toBe(0);
    expect(await sum(/^zoneseal_peer_oldest_pending_seconds (\d+)$/m)).toBe(0);
    const page = await lab.metrics(lab.gateways[0]);
    for (const { peer } of lab.states()) {
      expect(page).toContain(`zoneseal_peer_zones{peer="${peer}",view="external",state="current"} 1\n`);
      expect(page).toContain(`zoneseal_peer_pending_seconds{peer="${peer}",view="external"} 0\n`);
    }
    expect(page).not.toMatch(/^zoneseal_peer_late_seconds\{/m);
    expect(page).toContain('zoneseal_frozen_zones 0\n');
  });
});

describe('EXPIRE (RFC 7314)', () => {
  test('dig gets the SOA’s expire field', async () => {
    const { host, port } = lab.gateways[1].target;
    const { name, algorithm, secret } = lab.key('named');
    const dig = TOOLS['dig']?.path ?? 'dig';
    const output = await runWell(dig, [
      `@${host}`,
      '-p',
      String(port),
      '-y',
      `${algorithm}:${name}:${secret}`,
      '+expire',
      ZONE,
      'SOA',
    ]);
    expect(output).toMatch(/EXPIRE: 172800 /);
  });
});

describe('EXPIRE as secondaries ask for it', () => {
  test.each(['named', 'knotd'] as const)('%s does', async (program) => {
    const primary = await FakePeer.start();
    const secondary = await Secondary.start(program, {
      zones: [ZONE],
      primary: { host: '127.0.0.1', port: primary.port },
      key: lab.key(program),
      label: `${program} of a fake primary`,
    });
    try {
      await waitUntil(
        () => `it asks ${JSON.stringify(primary.requests.map(({ message }) => message.edns))}`,
        () =>
          primary.requests.some(({ message }) =>
            message.edns?.options.some(({ code, data }) => code === EDNS_OPTION.EXPIRE && data.length === 0),
          ),
      );
    } finally {
      await secondary.stop();
      await primary.close();
    }
  });
});

describe('a nameserver', () => {
  test('that is stopped is unreachable, and current after its start', async () => {
    const program = 'knotd';
    const peer = peerName(program);
    const silences = lab.said('a peer does not answer; it is tried again', peer);
    await lab.secondary(program).stop();
    const before = lab.serial();
    await lab.change();
    const others = SECONDARY_PROGRAMS.filter((it) => it !== program);
    await lab.settled(before, others);
    await waitUntil(
      () => `it is ${JSON.stringify(lab.state(peer))}`,
      () => lab.state(peer)?.state === 'unreachable',
    );
    const { status, stdout } = await lab.gateways[0].run(['status']);
    expect(status).toBe(1);
    expect(stdout).toMatch(/knotd +unreachable .*ECONNREFUSED/);
    // once each gateway that sees it, however often it is tried
    const told = lab.said('a peer does not answer; it is tried again', peer) - silences;
    expect(told).toBeGreaterThanOrEqual(1);
    await lab.startSecondary(program);
    await lab.settled(before);
    expect(lab.said('a peer answers again', peer)).toBeGreaterThanOrEqual(1);
    expect(lab.said('a peer does not answer; it is tried again', peer) - silences).toBeLessThanOrEqual(2);
  });

  test('that does not accept the key is told of, with what it says', async () => {
    const [gateway] = lab.gateways;
    await lab.addKey('stranger');
    const programs = ['named', 'nsd', 'knotd'] as const;
    for (const program of programs) {
      const { port } = lab.secondary(program).target;
      const address = ['--address', '127.0.0.1', '--port', String(port)];
      await gateway.command([
        'peer',
        'add',
        `wrong-${program}`,
        '--view',
        'external',
        ...address,
        '--tsig',
        'stranger-key.',
      ]);
    }
    for (const program of programs) {
      await waitUntil(
        () => `it is ${JSON.stringify(lab.state(`wrong-${program}`))}`,
        () => lab.state(`wrong-${program}`)?.state === 'behind',
      );
      expect(lab.state(`wrong-${program}`)?.problem).toMatch(/^(NOTIFY|SOA): NOTAUTH \(BADKEY\)$/);
      expect(lab.said('a peer does not answer as it should', `wrong-${program}`)).toBeGreaterThanOrEqual(1);
      await gateway.command(['peer', 'delete', `wrong-${program}`]);
    }
  });
});

describe('a gateway', () => {
  test('that is killed while it waits for a peer is followed by another one', async () => {
    const program = 'named';
    const [first, second] = lab.gateways;
    // with the other one hanging, the first has all claims
    const before = lab.serial();
    lab.secondary(program).signal('SIGSTOP');
    signal(second.pid, 'SIGSTOP');
    await lab.change();
    await waitUntil('the first gateway tells nobody', () => {
      const state = lab.state(peerName(program)) as
        | { serial?: number; claimedBy?: string | null }
        | undefined;
      return state?.serial !== before && state?.claimedBy != null;
    });
    await first.kill();
    lab.secondary(program).signal('SIGCONT');
    signal(second.pid, 'SIGCONT');
    await lab.settled(before);
  });

  test('left alone does everything, and a new one takes part', async () => {
    const [first, second] = lab.gateways;
    let before = lab.serial();
    await lab.change();
    before = await lab.settled(before);
    await second.kill();
    await lab.change();
    await first.serve();
    await second.serve();
    await lab.settled(before);
  });

  test('goes on when the database was away', async () => {
    const before = await lab.settled(0);
    await lab.writer.end();
    await lab.postgres.restart('immediate');
    const row = `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (zoneseal.zone_id('${ZONE}'), 'late.${ZONE}', 'A', 60, '{192.0.2.9}')`;
    lab.postgres.psql(row);
    await lab.settled(before);
  });
});

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) throw new Error('the gateway does not run');
  process.kill(pid, name);
}
