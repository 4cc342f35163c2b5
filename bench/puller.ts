import { setTimeout as sleep } from 'node:timers/promises';
import { type Fetched, TransferConnection } from './client.js';
import { quantile } from './rows.js';

export interface PullOptions {
  readonly port: number;
  readonly zones: readonly string[];
  /** Zones asked for at the same time. */
  readonly connections: number;
  /** Whether a connection is used for the next zone too; without it each zone has a connection of its own. */
  readonly keep?: boolean;
  /** Seconds for which zones that are refused or cut off are asked for again; default 0: that is an error. */
  readonly patience?: number;
}

/** What it took to have all zones. */
export interface Pulled {
  readonly seconds: number;
  readonly zonesPerSecond: number;
  readonly octets: number;
  /** Records of all transfers, each with its closing SOA. */
  readonly records: number;
  /** Milliseconds that the middle zone took, and the one that 99 % were not slower than. */
  readonly median: number;
  readonly slow: number;
  /** Transfers that were refused or cut off and asked for again. */
  readonly retries: number;
  /** CPU seconds of this process: near to `seconds`, it is the puller that was measured. */
  readonly pullerCpu: number;
}

const RETRY_AFTER_MS = 20;

/** A nameserver that comes up and knows nothing yet: has every zone sent, some at a time, and checks each closing SOA. */
export async function pullAll(options: PullOptions): Promise<Pulled> {
  const { port, zones, connections, keep = false, patience = 0 } = options;
  const times: number[] = [];
  let [octets, records, retries, next] = [0, 0, 0, 0];
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const deadline = begun + patience * 1000;

  async function pull(): Promise<void> {
    let connection: TransferConnection | undefined;
    try {
      while (next < zones.length) {
        const zone = zones[next++] as string;
        const asked = performance.now();
        for (;;) {
          connection = connection?.isOpen === true ? connection : new TransferConnection(port, 60_000);
          const fetched: Fetched | undefined = await connection.fetch(zone).catch(() => undefined);
          if (!keep || fetched === undefined) connection.close();
          if (fetched !== undefined) {
            octets += fetched.octets;
            records += fetched.records;
            break;
          }
          if (performance.now() > deadline) throw new Error(`zone ${zone} was refused or cut off`);
          retries++;
          await sleep(RETRY_AFTER_MS);
        }
        times.push(performance.now() - asked);
      }
    } finally {
      connection?.close();
    }
  }

  await Promise.all(Array.from({ length: connections }, () => pull()));
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    seconds,
    zonesPerSecond: zones.length / seconds,
    octets,
    records,
    median: quantile(times, 0.5),
    slow: quantile(times, 0.99),
    retries,
    pullerCpu: (user + system) / 1e6,
  };
}
