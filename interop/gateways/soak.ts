/** Random changes to zones on several gateways for a while, judged at every tenth change and at the end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/clock.js';
import { agreedEverywhere, dumpFaults, type Expected } from '../lib/agreement.js';
import type { Cluster } from '../lib/cluster.js';
import type { JudgedZone } from '../lib/from-scratch.js';
import { IXFR_PROGRAMS, type TransferCounts, transfersInto } from '../lib/ixfr-signs.js';
import { announcePeers } from '../lib/peers.js';
import type { Random } from '../lib/random.js';
import { contentOf, RandomWriter } from '../lib/random-writer.js';
import { ZONE_VIEWS } from '../lib/random-zone.js';
import { ServingWatch } from '../lib/serving-watch.js';
import { watchedServers } from '../lib/watched-servers.js';
import type { Variant } from '../validators/variants.js';

/** Seconds of changes: five minutes, or what is asked for. */
export const SOAK_SECONDS = Number(process.env['ZONESEAL_SOAK_SECONDS'] ?? 300);

const variant = (denial: Variant['denial']): Variant => ({
  algorithm: 13,
  keys: 'split',
  denial,
  zonemd: false,
});

const ZONES: readonly { readonly apex: string; readonly variant: Variant; readonly rows: number }[] = [
  { apex: 'nsec.example.', variant: variant('nsec'), rows: 400 },
  { apex: 'nsec3.example.', variant: variant('nsec3'), rows: 300 },
  { apex: 'optout.example.', variant: variant('opt-out'), rows: 200 },
];

/** Changes between two judgements. */
const JUDGED_EVERY = 10;

/** What goes wrong meanwhile, one thing after the other; is let rest while there is judging. */
export type Disturbance = (elapsedShare: number) => Promise<void>;

const GOING_ON = Promise.resolve('going on' as const);

/** Zones with their writers on a cluster, and what watches over them. */
export class Soak {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly judged: { readonly zone: JudgedZone; readonly writer: RandomWriter }[] = [];
  readonly counts = { changes: 0, judgements: 0, dumps: 0, copies: 0 };
  #watch: ServingWatch | undefined;

  constructor(cluster: Cluster, random: Random) {
    this.cluster = cluster;
    this.random = random;
  }

  /** Fills the zones, serves them, starts the secondaries. */
  async prepare(): Promise<void> {
    for (const { apex, variant: how, rows } of ZONES) {
      const zone = await this.cluster.addZone(apex, how);
      const writer = await RandomWriter.fill(this.cluster.writerUrl, apex, this.random, rows);
      this.judged.push({ zone, writer });
      this.cluster.serve(apex);
    }
    await this.cluster.startSecondaries(this.#apexes);
    await announcePeers(this.cluster);
  }

  get #apexes(): string[] {
    return this.judged.map(({ zone }) => zone.apex);
  }

  /**
   * Writes changes until the time is over, judging at every tenth and at the end.
   * @throws Error at the first thing that is not as it has to be
   */
  async run(seconds: number, disturb?: Disturbance): Promise<void> {
    const begun = systemClock.milliseconds();
    const share = (): number => (systemClock.milliseconds() - begun) / (seconds * 1000);
    const watch = this.#startWatch();
    try {
      for (let segment = 0; segment === 0 || share() < 1; segment++) {
        await this.#segment(share, disturb);
        await this.judge();
        if (watch.faults.length > 0) break;
      }
    } finally {
      await watch.stop();
    }
    if (watch.faults.length > 0) throw new Error(watch.faults.join('\n'));
  }

  /** Ten changes, while what is to go wrong goes wrong. */
  async #segment(share: () => number, disturb: Disturbance | undefined): Promise<void> {
    const writing = this.#writeTen();
    writing.catch(() => undefined);
    // what is begun is brought to its end, so that nothing is amiss when there is judging
    const isGoingOn = async (): Promise<boolean> => (await Promise.race([writing, GOING_ON])) === 'going on';
    if (disturb !== undefined) while (await isGoingOn()) await disturb(share());
    await writing;
  }

  async #writeTen(): Promise<void> {
    for (let i = 0; i < JUDGED_EVERY; i++) {
      await this.random.pick(this.judged).writer.change({ mayBeFaulty: true });
      this.counts.changes++;
      await sleep(this.random.below(400));
    }
  }

  /** Everything that has to hold when nothing is being written. */
  async judge(): Promise<void> {
    this.counts.judgements++;
    for (const { zone, writer } of this.judged) {
      const rows = await writer.stored();
      if (contentOf(rows) !== contentOf(writer.rows)) throw new Error(`${zone.apex} holds what nobody wrote`);
      await this.#judgeZone({ zone, rows });
    }
  }

  async #judgeZone(expected: Expected): Promise<void> {
    const { apex } = expected.zone;
    for (const view of ZONE_VIEWS) {
      const { dump, copies } = await agreedEverywhere(this.cluster, expected, view);
      this.counts.dumps += this.cluster.gateways.length;
      this.counts.copies += copies.size;
      for (const [label, copy] of copies) this.#watch?.note({ label, view, isExact: false }, apex, copy);
      const faults = await dumpFaults(expected, view, dump);
      if (faults.length > 0) throw new Error([...faults, ...this.#lastChanges()].join('\n'));
    }
  }

  #lastChanges(): string[] {
    return this.judged.map(({ zone, writer }) => `${zone.apex}: ${writer.done.slice(-12).join('; ')}`);
  }

  #startWatch(): ServingWatch {
    this.#watch = new ServingWatch(watchedServers(this.cluster), this.#apexes);
    this.#watch.start();
    return this.#watch;
  }

  /** How secondaries took the zones, by their logs. */
  transfers(): ReadonlyMap<string, TransferCounts> {
    return new Map(
      this.cluster.secondaries.map(({ secondary }) => [
        secondary.label,
        transfersInto(secondary, this.#apexes),
      ]),
    );
  }

  /** Secondaries that take differences and did not for the most part, the first transfer of each zone left out. */
  wholeTakers(): string[] {
    return this.cluster.secondaries
      .filter(({ secondary }) => IXFR_PROGRAMS.includes(secondary.name))
      .map(({ secondary }) => ({ secondary, ...transfersInto(secondary, this.#apexes) }))
      .filter(({ ixfr, axfr }) => ixfr <= Math.max(0, axfr - this.judged.length))
      .map(({ secondary, ixfr, axfr }) => `${secondary.label}: ${ixfr} IXFR, ${axfr} AXFR`);
  }

  /** What was done and seen, for people. */
  summary(): string {
    const seen = this.#apexes.flatMap((apex) =>
      ZONE_VIEWS.map((view) => `${apex} ${view} ${this.#watch?.serials(apex, view).length ?? 0} serials`),
    );
    const transfers = [...this.transfers()].map(
      ([label, { ixfr, axfr }]) => `${label} ${ixfr} IXFR ${axfr} AXFR`,
    );
    return JSON.stringify({ ...this.counts, watch: this.#watch?.counts, seen, transfers });
  }

  async stop(): Promise<void> {
    await this.#watch?.stop();
    await Promise.all(this.judged.map(({ writer }) => writer.close()));
  }
}
