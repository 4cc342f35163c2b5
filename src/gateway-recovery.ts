import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabelledValue, Metric } from './admin/metrics.js';
import type { Config } from './config.js';
import { errorMessage, ZonesealError } from './errors.js';
import type { Notifier } from './fleet/notifier.js';
import type { Log } from './log.js';
import { DatabaseWatch } from './publication/database-watch.js';
import { agreedFormat, KNOWN_FORMATS } from './publication/formats.js';
import { LineRecovery } from './publication/line-recovery.js';
import type { RecoveryStore, Remembered, ServedSerial } from './publication/recovery-ports.js';

import type { GatewayFacts, GatewayRegistry, RunningGatewayFacts } from './store/gateway-registry.js';

/** In the data folder: what this gateway remembers of the database. */
const MEMORY_FILE = 'incarnation.json';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Seconds between signs of life at the most; a gateway that gave none for half a minute counts as gone. */
const BEAT_SECONDS = 5;
/** Lines whose peers are asked at the same time. */
const LINES_ASKED = 64;
/** Seconds beyond those of messages for which the peers of a line are waited for. */
const ASK_MARGIN_SECONDS = 1;

/** What goes by a sign of life every few seconds: noticing that the database was set back, and what other gateways can read. */
export class Recovery {
  readonly watch: DatabaseWatch;
  readonly lines: LineRecovery;
  readonly #options: RecoveryOptions;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #isClosed = false;
  #format: number = KNOWN_FORMATS.formatVersion;
  #running: readonly RunningGatewayFacts[] = [];

  constructor(options: RecoveryOptions) {
    this.#options = options;
    const { config, store, log } = options;
    const file = join(config.data, MEMORY_FILE);
    this.watch = new DatabaseWatch({
      store,
      gateway: options.facts.name,
      read: () => readMemory(file),
      write: (remembered) => writeMemory(file, remembered),
      takeServed: options.takeServed,
      onIncarnation: (incarnation) => this.lines.become(incarnation),
      log,
    });
    this.lines = new LineRecovery({
      store,
      ask: (line, isLeftOut) => options.notifier().askLine(line, isLeftOut),
      askSeconds: config.limits.lookupTimeout + 2 * config.fleet.answerTimeout + ASK_MARGIN_SECONDS,
      concurrency: LINES_ASKED,
      onSettled: options.onSettled,
      log,
    });
  }

  /** The output format that every gateway which runs can read. */
  get formatVersion(): number {
    return this.#format;
  }

  /** Gateways that run on the database, this one included, as of the last sign of life. */
  get gateways(): readonly RunningGatewayFacts[] {
    return this.#running;
  }

  /**
   * Looks at the database before anything is served, and from then on every so often.
   * @throws ZonesealError DATABASE_NEWER where publications are of a format that this release cannot read
   */
  async start(): Promise<void> {
    await this.#beat();
    try {
      await this.#options.registry.checkReadable(KNOWN_FORMATS);
    } catch (error) {
      // a database that is away is told of elsewhere
      if (error instanceof ZonesealError && error.code === 'DATABASE_NEWER') throw error;
    }
    const seconds = Math.min(BEAT_SECONDS, this.#options.config.publication.poll);
    this.#timer = setInterval(() => {
      this.#beating ??= this.#beat().finally(() => {
        this.#beating = undefined;
      });
    }, seconds * 1000);
  }

  /** A peer serves a serial that the database did not give out. */
  findAhead(zone: string, view: string, peer: string, serial: number): void {
    this.lines.findAhead({ zone, view }, peer, serial).catch((error: unknown) => {
      const reason = errorMessage(error);
      this.#options.log.warn(
        { zone, view, peer, serial, reason },
        'a serial line that was set back cannot be marked; it is tried again',
      );
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#beating;
    await this.lines.close();
    await this.#options.registry.leave(this.#options.facts.name).catch(() => undefined);
  }

  async #beat(): Promise<void> {
    try {
      await this.watch.beat();
      await this.#announce();
      // lines that another gateway found, and those that could not be settled before
      if (!this.#isClosed) this.lines.wake();
    } catch {
      // the database is away, which the keeper tells of
    }
  }

  async #announce(): Promise<void> {
    const { registry, facts, log } = this.#options;
    const setBackSeconds = Math.round(await registry.followClock());
    if (setBackSeconds > 0) {
      const text = "the database's clock was set back; leases and what is tried again are taken back as far";
      log.warn({ setBackSeconds }, text);
    }
    this.#running = await registry.announce(facts);
    const format = agreedFormat(KNOWN_FORMATS, this.#running);
    if (format !== this.#format) {
      const releases = [...new Set(this.#running.map(({ release }) => release))];
      log.info({ format, releases }, 'publications are made in the newest format that all gateways can read');
    }
    this.#format = format;
  }
}

export interface RecoveryOptions {
  readonly config: Config;
  readonly store: RecoveryStore;
  readonly registry: Pick<GatewayRegistry, 'announce' | 'followClock' | 'leave' | 'checkReadable'>;
  /** What this gateway is; its name is in leases. */
  readonly facts: GatewayFacts;
  readonly notifier: () => Pick<Notifier, 'askLine'>;
  /** Forgets what came from the database, and returns the serials that were served. */
  readonly takeServed: () => readonly ServedSerial[];
  /** Publications may be due. */
  readonly onSettled: () => void;
  readonly log: Log;
}

/** Undefined where there is none that can be read: then peers tell. */
async function readMemory(file: string): Promise<Remembered | undefined> {
  try {
    const { incarnation, marker } = JSON.parse(await readFile(file, 'utf8')) as Partial<Remembered>;
    if (typeof incarnation !== 'string' || !UUID.test(incarnation)) return undefined;
    return Number.isSafeInteger(marker) ? { incarnation, marker: marker as number } : undefined;
  } catch {
    return undefined;
  }
}

async function writeMemory(file: string, { incarnation, marker }: Remembered): Promise<void> {
  const text = `${JSON.stringify({ incarnation, marker })}\n`;
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** The metrics of recovery. */
export function recoveryMetrics(recovery: () => Recovery): Metric[] {
  return [
    {
      name: 'database_set_back_total',
      help: 'times that the database was found to have been set back, here or by another gateway',
      kind: 'counter',
      read: () => recovery().watch.noticed,
    },
    {
      name: 'gateways',
      help: 'gateways that run on the database, by release and by the newest output format that they can read',
      kind: 'gauge',
      labels: ['release', 'format'],
      read: (): LabelledValue[] => {
        const counts = new Map<string, LabelledValue>();
        for (const { release, formatVersion } of recovery().gateways) {
          const labels = { release, format: String(formatVersion) };
          const key = `${release} ${formatVersion}`;
          counts.set(key, { labels, value: (counts.get(key)?.value ?? 0) + 1 });
        }
        return [...counts.values()];
      },
    },
    {
      name: 'output_format',
      help: 'the output format that publications are made in: the newest that all gateways can read',
      kind: 'gauge',
      read: () => recovery().formatVersion,
    },
    {
      name: 'recovering_lines',
      help: 'zones and views that are not served before it is known that their serials are past what peers serve',
      kind: 'gauge',
      read: () => recovery().lines.unsettled,
    },
    {
      name: 'recovered_lines_total',
      help: 'serial lines settled here: clear, jumped past what peers serve, moved on by a safe margin, half the circle apart from a peer',
      kind: 'counter',
      labels: ['outcome'],
      read: (): LabelledValue[] =>
        Object.entries(recovery().lines.settled).map(([outcome, value]) => ({ labels: { outcome }, value })),
    },
  ];
}
