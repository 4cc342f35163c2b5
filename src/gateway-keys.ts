import type { Metric } from './admin/metrics.js';
import type { Clock } from './clock.js';
import type { Config } from './config.js';
import { errorMessage } from './errors.js';
import { ParentWatch, type ParentWatchCounts } from './fleet/parent-watch.js';
import { labelled, makeParentClient } from './gateway-fleet.js';
import type { OpenStore } from './gateway-store.js';
import { GiveWay } from './give-way.js';
import { KeyKeeper, type KeyKeeperCounts, type RollKeyMaker } from './keys/rollover/keeper.js';
import type { Log } from './log.js';
import { Rounds } from './rounds.js';

export interface KeyWorkOptions {
  readonly config: Config;
  readonly store: Pick<OpenStore, 'rollovers' | 'parentWatch' | 'alone'>;
  readonly maker: RollKeyMaker;
  readonly log: Log;
  readonly clock: Clock;
  /** Names this process in leases. */
  readonly gateway: string;
}

/** A lease on the keys of a zone: a key is made meanwhile, and the key store may be slow. */
const LEASE_SECONDS = 120;
/** Time beyond that of messages for which a parent is this gateway's to ask. */
const CLAIM_MARGIN_SECONDS = 10;

/** Has keys roll and asks parents for DS, in rounds of their own: neither waits for the other, nor publications for them. */
export class KeyWork {
  readonly #way = new GiveWay();
  readonly #keeper: KeyKeeper;
  readonly #watch: ParentWatch;
  readonly #rounds: readonly Rounds[];

  constructor({ config, store, maker, log, clock, gateway }: KeyWorkOptions) {
    const { answerTimeout, parentPoll, parentRecheck } = config.fleet;
    this.#watch = new ParentWatch({
      store: store.parentWatch,
      client: makeParentClient(config, clock),
      log,
      pollSeconds: parentPoll,
      recheckSeconds: parentRecheck,
      // NOTIFY, then DS and DNSKEY, each over UDP and TCP
      claimSeconds: 5 * answerTimeout + CLAIM_MARGIN_SECONDS,
    });
    this.#keeper = new KeyKeeper({
      store: store.rollovers,
      maker,
      alone: (name, work) => store.alone(name, gateway, LEASE_SECONDS, work),
      onLooked: (zone) => store.parentWatch.schedule(zone),
      giveWay: (ms) => this.#way.after(ms),
      log,
    });
    const seconds = config.publication.poll;
    this.#rounds = [
      new Rounds(
        telling(
          () => this.#keeper.keepDue(),
          (reason) => log.error({ reason }, 'keys could not be looked after; it is tried again'),
        ),
        seconds,
      ),
      new Rounds(
        telling(
          () => this.#watch.look(),
          (reason) => log.error({ reason }, 'parents could not be asked; it is tried again'),
        ),
        Math.min(seconds, parentPoll),
      ),
    ];
  }

  /** Something changed: rounds are made soon. */
  wake(): void {
    for (const rounds of this.#rounds) rounds.wake();
  }

  async close(): Promise<void> {
    this.#keeper.close();
    this.#way.close();
    this.#watch.close();
    await Promise.all(this.#rounds.map((rounds) => rounds.close()));
  }

  get counts(): { readonly keeper: KeyKeeperCounts; readonly parents: ParentWatchCounts } {
    return { keeper: this.#keeper.counts, parents: this.#watch.counts };
  }
}

/** The metrics of key rolls and parents. */
export function keyMetrics(work: () => KeyWork): readonly Metric[] {
  return [
    {
      name: 'key_steps_total',
      help: 'steps of key rolls, by what came of them',
      kind: 'counter',
      labels: ['result'],
      read: () =>
        labelled('result', { taken: work().counts.keeper.steps, failed: work().counts.keeper.failed }),
    },
    {
      name: 'key_failing_zones',
      help: 'zones of which the last step of a key roll failed at this gateway',
      kind: 'gauge',
      read: () => work().counts.keeper.failing,
    },
    {
      name: 'parent_answers_total',
      help: "answers of parents' nameservers about DS, by whether they count",
      kind: 'counter',
      labels: ['answer'],
      read: () => {
        const { seen, unknown } = work().counts.parents;
        return labelled('answer', { seen, unknown });
      },
    },
    {
      name: 'parent_notifies_total',
      help: 'parents that were told of changed CDS',
      kind: 'counter',
      read: () => work().counts.parents.told,
    },
    {
      name: 'parent_bogus_zones',
      help: 'zones that are bogus by the DS that their parents have, of no key that signs them',
      kind: 'gauge',
      read: () => work().counts.parents.bogus,
    },
  ];
}

/** Tells of what goes wrong once, until it is something else or all is well. */
function telling(work: () => Promise<void>, onFault: (reason: string) => void): () => Promise<void> {
  let fault: string | undefined;
  return async () => {
    try {
      await work();
      fault = undefined;
    } catch (error) {
      const reason = errorMessage(error);
      if (reason !== fault) onFault(reason);
      fault = reason;
    }
  };
}
