import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../lib/cluster.js';
import type { GatewayProcess } from '../lib/gateway.js';
import type { Random } from '../lib/random.js';

const STEP_TAKEN = 'a step of a key roll was taken';
const LOOK_MS = 50;
/** After so many all are left alone, so that a slow machine comes to the end. */
const MOST_KILLS = 4;

/**
 * Kills one gateway of a cluster at a time, and starts it again: whichever has just taken a step, before anybody can have what came of
 * that, and any at random moments between.
 */
export class Killer {
  readonly #gateways: readonly GatewayProcess[];
  readonly #random: Random;
  readonly counts = { atSteps: 0, between: 0 };
  readonly killed = new Set<GatewayProcess>();
  #isStopped = false;
  #loop: Promise<void>;

  constructor(cluster: Cluster, random: Random) {
    this.#gateways = cluster.gateways;
    this.#random = random;
    this.#loop = this.#run();
    // told of by `stop`
    this.#loop.catch(() => undefined);
  }

  /** Stops killing; every gateway runs. @throws Error of a gateway that did not come up again */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#loop;
  }

  async #run(): Promise<void> {
    let steps = this.#gateways.map(stepsOf);
    for (let kills = 0; kills < MOST_KILLS; kills++) {
      const until = performance.now() + 1000 + this.#random.below(5000);
      let victim: GatewayProcess | undefined;
      while (victim === undefined && performance.now() < until && !this.#isStopped) {
        await sleep(LOOK_MS);
        const now = this.#gateways.map(stepsOf);
        victim = this.#gateways.find((_, i) => (now[i] as number) > (steps[i] as number));
        steps = now;
      }
      if (this.#isStopped) break;
      this.counts[victim === undefined ? 'between' : 'atSteps']++;
      victim ??=
        this.#gateways.find((gateway) => !this.killed.has(gateway)) ?? this.#random.pick(this.#gateways);
      this.killed.add(victim);
      await victim.kill();
      await sleep(this.#random.below(1000));
      await victim.serve();
      // what another one did meanwhile counts: it is killed next
      steps = steps.map((count, i) => (this.#gateways[i] === victim ? 0 : count));
    }
  }
}

function stepsOf(gateway: GatewayProcess): number {
  return gateway.log.split(STEP_TAKEN).length - 1;
}
