import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RCODE } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import { parseTsigAlgorithm, type TsigKey } from '../../src/dns/tsig-key.js';
import { RRType } from '../../src/dns/types.js';
import { isAfter } from '../../src/publication/serial.js';
import { query, type Target, transfer } from '../lib/dns-client.js';
import { waitUntil } from '../lib/processes.js';
import { FleetLab, ZONE } from '../publications/fleet-lab.js';
import { type Backup, dumpBackup, fileBackup, promotionBackup } from './backup.js';

/** What is lost: what was written since the backup. */
const LOST_CHANGES = 8;

interface Case {
  readonly backup: Backup;
  readonly serial: 'increment' | 'unixtime' | 'date';
  /** Whether gateways are stopped meanwhile and forget: only peers tell. */
  readonly forget?: boolean;
  /** Whether the backup is without pages and journals. */
  readonly isLean?: boolean;
}

const cases: readonly Case[] = [
  { backup: fileBackup(), serial: 'increment' },
  { backup: dumpBackup(), serial: 'date' },
  { backup: promotionBackup(), serial: 'unixtime' },
  { backup: dumpBackup(), serial: 'increment', forget: true },
  { backup: dumpBackup({ isLean: true }), serial: 'increment', forget: true, isLean: true },
];

function titleOf({ backup, serial, forget }: Case): string {
  return `${backup.title}, ${forget === true ? 'forgotten' : serial}`;
}

/** Every answer to SOA that a gateway gave while it was watched. */
class SoaWatch {
  readonly serials: number[] = [];
  readonly rcodes = new Map<number, number>();
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(targets: readonly Target[], key: TsigKey) {
    this.#running = Promise.all(targets.map((target) => this.#watch(target, key)));
  }

  /** Whether the last answers all had a serial. */
  hasOnly(serial: number): boolean {
    return this.serials.length >= 20 && this.serials.slice(-20).every((it) => it === serial);
  }

  async #watch(target: Target, key: TsigKey): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const answer = await query(target, {
        name: ZONE,
        type: 'SOA',
        signing: { key },
        udpSize: 1232,
        timeoutMilliseconds: 1000,
      }).catch(() => undefined);
      if (answer !== undefined) {
        const { rcode, answer: records } = answer.message;
        this.rcodes.set(rcode, (this.rcodes.get(rcode) ?? 0) + 1);
        const soa = records.find(({ type }) => type === RRType.SOA);
        if (soa !== undefined) this.serials.push(Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 20));
      }
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe.each(cases.map((it) => ({ ...it, title: titleOf(it) })))(
  'a database restored from $title',
  ({ backup, serial, forget, isLean }) => {
    let lab: FleetLab;
    let before = 0;
    let lostSerials: number[] = [];
    /** The newest publication of the backup. */
    let restoredUpTo = '';

    beforeAll(async () => {
      lab = await FleetLab.start();
      lab.postgres.psql(
        `update zoneseal.policies set document = document || '{"serial": "${serial}"}' where name = 'default'`,
      );
      await lab.change();
      await lab.settled(0);
      await disconnect();
      await backup.save(lab.postgres);
      await lab.writer.connect();
      before = await lab.settled(0);
      lostSerials = [];
      for (let i = 0; i < LOST_CHANGES; i++) {
        const last = lab.serial();
        await lab.change();
        await waitUntil('nothing is published', () => lab.serial() !== last);
        lostSerials.push(lab.serial());
      }
      await lab.settled(before);
    }, 300_000);

    afterAll(() => lab?.stop());

    async function disconnect(): Promise<void> {
      await lab.writer.end();
      lab.renewWriter();
    }

    const key = (): TsigKey => {
      const { name, algorithm, secret } = lab.key('named');
      const known = parseTsigAlgorithm(algorithm);
      if (known === undefined) throw new Error(algorithm);
      return { name: Name.parse(name), algorithm: known, secret: Buffer.from(secret, 'base64') };
    };
    const targets = (): Target[] => lab.gateways.map(({ target }) => target);

    test('is brought to all nameservers under higher serials, and no old serial is ever told', async () => {
      const lost = lostSerials.at(-1) ?? 0;
      await disconnect();
      // takes no questions: it is waited for, and then gone on without
      lab.secondary('nsd').signal('SIGSTOP');
      let watch = new SoaWatch(targets(), key());
      await waitUntil('the newest serial is not served', () => watch.hasOnly(lost));
      await watch.stop();
      if (forget === true) {
        for (const gateway of lab.gateways) {
          await gateway.stop();
          rmSync(join(gateway.folder, 'data', 'incarnation.json'), { force: true });
        }
      }
      watch = new SoaWatch(targets(), key());
      const begun = performance.now();
      await backup.restore(lab.postgres);
      restoredUpTo = lab.postgres.psql('select max(id) from zoneseal.publications').trim();
      // as if the backup were an hour old
      lab.postgres.psql("update zoneseal.gateways set seen_at = seen_at - interval '1 hour'");
      if (forget === true) for (const gateway of lab.gateways) await gateway.serve();
      const restored = performance.now();
      await lab.writer.connect();
      await waitUntil(
        () => `no newer serial is served\n${lab.logs()}`,
        () => isAfter(lab.serial(), lost),
        60_000,
      );
      const ready = performance.now();
      await lab.settled(0, ['named', 'knotd', 'pdns_server']);
      lab.secondary('nsd').signal('SIGCONT');
      await lab.settled(0);
      await watch.stop();
      console.log(
        `restored after ${Math.round(restored - begun)} ms, ready ${Math.round(ready - restored)} ms later, everywhere after ${Math.round(performance.now() - restored)} ms; ` +
          `lost ${lost}, now ${lab.serial()}; RCODEs ${JSON.stringify([...watch.rcodes])}`,
      );
      // what is told is what was served before, or what came after
      expect(watch.serials.filter((it) => it !== lost && !isAfter(it, lost))).toEqual([]);
      expect(watch.rcodes.get(RCODE.SERVFAIL) ?? 0).toBeGreaterThan(0);
      expect(watch.rcodes.get(RCODE.REFUSED)).toBeUndefined();
      for (const { target, label } of lab.secondaries.values()) {
        // the second row was lost, the first one was not
        const rcodes = [];
        for (const owner of ['row1', 'row2']) {
          rcodes.push((await query(target, { name: `${owner}.${ZONE}`, type: 'A' }))?.message.rcode);
        }
        expect({ label, rcodes }).toEqual({ label, rcodes: [RCODE.NOERROR, RCODE.NXDOMAIN] });
      }
      const said = lab.said(
        'the database was set back; nothing is served before its serial line is past what its peers serve',
      );
      // a standby may be noticed twice: as another server, and when it is promoted
      expect(forget === true ? [0] : [1, 2]).toContain(said);
    }, 240_000);

    if (isLean) {
      test('is signed anew in every view at once, without an attempt that fails', () => {
        const made = lab.postgres.psql(
          `select p.view || ' ' || p.cause || ' ' || p.state from zoneseal.publications p
           where p.id > ${restoredUpTo} and p.cause <> 'change' order by 1`,
        );
        expect(made.trim().split('\n')).toEqual(['external recovery ready', 'internal pages ready']);
        expect(lab.logs()).not.toContain('PAGES_LOST');
      });
    }

    test('has no differences from what was lost: who has it gets the whole zone', async () => {
      for (const target of targets()) {
        for (const lost of lostSerials) {
          const { records, isWhole } = await transfer(target, {
            name: ZONE,
            type: 'IXFR',
            serial: lost,
            signing: { key: key() },
          });
          expect(isWhole).toBe(true);
          expect(records[1]?.type).not.toBe(RRType.SOA);
        }
      }
    });

    test('takes changes as ever, past every id that was given out twice', async () => {
      for (let i = 0; i < LOST_CHANGES + 2; i++) {
        const last = lab.serial();
        await lab.change();
        await waitUntil('nothing is published', () => isAfter(lab.serial(), last));
      }
      await lab.settled(0);
    }, 120_000);

    test('is counted', async () => {
      const texts = await Promise.all(lab.gateways.map((gateway) => lab.metrics(gateway)));
      for (const text of texts) {
        expect(text).toMatch(/^zoneseal_recovering_lines 0$/m);
        expect(text).toMatch(/^zoneseal_database_set_back_total [012]$/m);
      }
      // the one that was lost, and one for each time that it was noticed
      expect(['2', '3']).toContain(lab.postgres.psql('select count(*) from zoneseal.clusters').trim());
    });
  },
);
