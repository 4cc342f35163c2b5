/** Asks servers all the time, and keeps what no server of a zone may ever do. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceRecord } from '../../src/dns/record.js';
import type { TsigKey } from '../../src/dns/tsig-key.js';
import { canonicalDigest, exactDigest } from './content-digest.js';
import { type Target, transfer } from './dns-client.js';
import { askSerial, isLater, serialOf } from './soa.js';

/** A server that is watched. */
export interface Watched {
  readonly label: string;
  readonly target: Target;
  readonly view: string;
  readonly key?: TsigKey;
  /** Whether contents are compared octet by octet: yes of gateways; nameservers do not keep the case of names. */
  readonly isExact: boolean;
  /** Whether zones are taken as well, and not their serials alone. */
  readonly takes: boolean;
}

/** Faults are kept up to so many; one is enough, and more of them help little. */
const MOST_FAULTS = 20;

/** Milliseconds between two looks at one server. */
const PAUSE_MS = 100;

/**
 * A loop for each server: no serial goes backwards, and two different contents are never seen under one serial, wherever they
 * come from. Servers that do not answer are asked again.
 */
export class ServingWatch {
  readonly #servers: readonly Watched[];
  readonly #zones: readonly string[];
  /** Digests by `zone view serial`, exact and canonical, each with who showed it first. */
  readonly #contents = new Map<string, { readonly digest: string; readonly by: string }>();
  readonly #faults: string[] = [];
  readonly counts = { serials: 0, transfers: 0, silent: 0 };
  #loops: Promise<void>[] = [];
  #isStopped = false;

  constructor(servers: readonly Watched[], zones: readonly string[]) {
    this.#servers = servers;
    this.#zones = zones;
  }

  get faults(): readonly string[] {
    return this.#faults;
  }

  /** The serials of a zone that were seen in a view, ascending. */
  serials(zone: string, view: string): number[] {
    const prefix = `exact ${zone} ${view} `;
    return [...this.#contents.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => Number(key.slice(prefix.length)))
      .sort((a, b) => (a === b ? 0 : isLater(a, b) ? 1 : -1));
  }

  start(): void {
    this.#loops = this.#servers.map((server) => this.#watch(server));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  /** Notes what was taken elsewhere, too. */
  note(
    server: Pick<Watched, 'label' | 'view' | 'isExact'>,
    zone: string,
    records: readonly ResourceRecord[],
  ): void {
    const [soa] = records;
    if (soa === undefined) return;
    const line = `${zone} ${server.view} ${serialOf(soa)}`;
    if (server.isExact) this.#compare(`exact ${line}`, exactDigest(records), server.label);
    this.#compare(`canonical ${line}`, canonicalDigest(records), server.label);
  }

  async #watch(server: Watched): Promise<void> {
    const last = new Map<string, number>();
    for (let round = 0; !this.#isStopped; round++) {
      for (const zone of this.#zones) {
        if (this.#isStopped) return;
        const serial = await this.#look(server, zone, round % 5 === 4);
        if (serial === undefined) {
          this.counts.silent++;
          continue;
        }
        const before = last.get(zone);
        if (before !== undefined && isLater(before, serial)) {
          this.#fault(`${server.label}: ${zone} (${server.view}) went back from ${before} to ${serial}`);
        }
        last.set(zone, serial);
      }
      await sleep(PAUSE_MS);
    }
  }

  async #look(server: Watched, zone: string, isTransfer: boolean): Promise<number | undefined> {
    if (!server.takes || !isTransfer) {
      const serial = await askSerial(server.target, zone, server.key);
      if (serial !== undefined) this.counts.serials++;
      return serial;
    }
    const records = await takeWhole(server, zone);
    const [soa] = records ?? [];
    if (records === undefined || soa === undefined) return undefined;
    this.counts.transfers++;
    this.note(server, zone, records);
    return serialOf(soa);
  }

  #compare(key: string, digest: string, by: string): void {
    const known = this.#contents.get(key);
    if (known === undefined) this.#contents.set(key, { digest, by });
    else if (known.digest !== digest) this.#fault(`${by} and ${known.by} differ: ${key}`);
  }

  #fault(text: string): void {
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(`${new Date().toISOString()} ${text}`);
  }
}

/** A zone without its closing SOA; undefined when it does not come whole, or is not proved where it has to be. */
export async function takeWhole(
  { target, key }: Pick<Watched, 'target' | 'key'>,
  zone: string,
): Promise<readonly ResourceRecord[] | undefined> {
  const signing = key === undefined ? {} : { signing: { key } };
  const taken = await transfer(target, { name: zone, ...signing }).catch(() => undefined);
  if (taken === undefined || !taken.isWhole || (key !== undefined && !taken.isAuthentic)) return undefined;
  return taken.records.slice(0, -1);
}
