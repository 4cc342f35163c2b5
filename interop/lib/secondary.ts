import { userInfo } from 'node:os';
import { RRType } from '../../src/dns/types.js';
import { query, type Target, transfer } from './dns-client.js';
import { startKnotd } from './knotd.js';
import { startNamed } from './named.js';
import { startNsd } from './nsd.js';
import { startPdns } from './pdns.js';
import { type RunningProgram, removeFolder, waitUntil } from './processes.js';
import type { TemplateValues } from './templates.js';

/** The programs that serve as secondaries. */
export const SECONDARY_PROGRAMS = ['named', 'nsd', 'knotd', 'pdns_server'] as const;

export type SecondaryProgram = (typeof SECONDARY_PROGRAMS)[number];

/** A TSIG key as configuration files have it. */
export interface SecondaryKey {
  readonly name: string;
  /** Such as `hmac-sha256`. */
  readonly algorithm: string;
  /** Base64. */
  readonly secret: string;
}

/** What a secondary is to hold, and from where. */
export interface SecondaryOptions {
  /** Zone names with the dot at their end. */
  readonly zones: readonly string[];
  readonly primary: Target;
  /** Beside the first; when given, even empty, the secondary takes NOTIFY, too. */
  readonly morePrimaries?: readonly Target[];
  /** Lines for its configuration beside those of interop/config/. */
  readonly settings?: string;
  readonly key: SecondaryKey;
  /** Seconds that lie at least between two questions for the SOA. */
  readonly refreshSeconds?: number;
  /** Where it listens; left out: on a free port. */
  readonly port?: number;
  /** Added to the names in messages and folders. */
  readonly label: string;
}

/** One nameserver program that was started as a secondary. */
export interface StartedSecondary {
  readonly target: Target;
  readonly program: RunningProgram;
  readonly folder: string;
  /** Tells it, with the program's own command, to ask the primary now. */
  retrieve(zone: string): Promise<void>;
  /** Has it write what it holds to its folder, where it does not do so by itself. */
  writeFiles(): Promise<void>;
}

const STARTERS: Readonly<
  Record<SecondaryProgram, (options: SecondaryOptions, values: TemplateValues) => Promise<StartedSecondary>>
> = { named: startNamed, nsd: startNsd, knotd: startKnotd, pdns_server: startPdns };

/** A nameserver that holds zones as a secondary. */
export class Secondary {
  readonly name: SecondaryProgram;
  readonly label: string;
  readonly #started: StartedSecondary;

  private constructor(name: SecondaryProgram, label: string, started: StartedSecondary) {
    this.name = name;
    this.label = label;
    this.#started = started;
  }

  /** Starts a program with the configuration of interop/config/ on a free port of 127.0.0.1. */
  static async start(name: SecondaryProgram, options: SecondaryOptions): Promise<Secondary> {
    const { key, primary } = options;
    const values = {
      ADDRESS: '127.0.0.1',
      GATEWAY: primary.host,
      GATEWAY_PORT: primary.port,
      KEY_NAME: key.name,
      KEY_ALGORITHM: key.algorithm,
      KEY_SECRET: key.secret,
      REFRESH: options.refreshSeconds ?? 2,
      COPIES_TO: '127.0.0.1',
      USER: userInfo().username,
    };
    return new Secondary(name, options.label, await STARTERS[name](options, values));
  }

  get target(): Target {
    return this.#started.target;
  }

  get log(): string {
    return this.#started.program.log;
  }

  /** Where it keeps everything that it keeps on disk. */
  get folder(): string {
    return this.#started.folder;
  }

  /** The serial that it serves a zone under; undefined while it does not. */
  async serial(zone: string): Promise<number | undefined> {
    const answer = await query(this.target, { name: zone, type: 'SOA', timeoutMilliseconds: 1000 }).catch(
      () => undefined,
    );
    const soa = answer?.message.answer.find((record) => record.type === RRType.SOA);
    if (soa === undefined) return undefined;
    return Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 20);
  }

  /** Waits until it serves a zone under a serial. @throws Error with its log */
  async waitForSerial(zone: string, serial: number, timeoutMilliseconds = 30_000): Promise<void> {
    let last: number | undefined;
    await waitUntil(
      () => `${this.label} serves ${zone} ${last}, not ${serial}:\n${this.log.slice(-6000)}`,
      async () => (last = await this.serial(zone)) === serial,
      timeoutMilliseconds,
    );
  }

  /** The messages by which it hands out a zone that it holds. */
  async copy(zone: string): Promise<Uint8Array> {
    const { answers, isWhole, rcode } = await transfer(this.target, { name: zone });
    if (!isWhole) throw new Error(`${this.label} hands out no whole ${zone}: RCODE ${rcode}`);
    return Buffer.concat(answers.map((answer) => answer.octets));
  }

  retrieve(zone: string): Promise<void> {
    return this.#started.retrieve(zone);
  }

  /** Sends it a signal: SIGSTOP makes it hang, SIGCONT lets it go on. */
  signal(signal: NodeJS.Signals): void {
    this.#started.program.kill(signal);
  }

  writeFiles(): Promise<void> {
    return this.#started.writeFiles();
  }

  async stop(): Promise<void> {
    await this.#started.program.stop();
    removeFolder(this.folder);
  }
}
