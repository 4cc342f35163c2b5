/** Every publication that was served while a zone changed, as it was taken by AXFR. */
import type { ResourceRecord } from '../../src/dns/record.js';
import { agreedDump } from './agreement.js';
import type { Cluster } from './cluster.js';
import type { JudgedZone } from './from-scratch.js';
import type { RandomWriter } from './random-writer.js';
import { ZONE_VIEWS, type ZoneView } from './random-zone.js';
import { serialOf } from './soa.js';

/** Changes a zone, one change at a time, and keeps what all gateways then serve. */
export class ServedHistory {
  readonly #cluster: Cluster;
  readonly #zone: JudgedZone;
  readonly #writer: RandomWriter;
  readonly #served = new Map<ZoneView, Map<number, readonly ResourceRecord[]>>(
    ZONE_VIEWS.map((view) => [view, new Map()]),
  );

  constructor(cluster: Cluster, zone: JudgedZone, writer: RandomWriter) {
    this.#cluster = cluster;
    this.#zone = zone;
    this.#writer = writer;
  }

  /** Waits until all gateways serve what is stored, and keeps it. */
  async keep(): Promise<void> {
    const expected = { zone: this.#zone, rows: this.#writer.rows };
    for (const [view, served] of this.#served) {
      const dump = await agreedDump(this.#cluster, expected, view);
      served.set(serialOf(dump[0] as ResourceRecord), dump);
    }
  }

  /** So many random changes, each kept. */
  async change(times: number, { isSmall = false } = {}): Promise<void> {
    for (let i = 0; i < times; i++) {
      await this.#writer.change({ isSmall });
      await this.keep();
    }
  }

  /** By serial, in the order in which they were served. */
  of(view: ZoneView): ReadonlyMap<number, readonly ResourceRecord[]> {
    return this.#served.get(view) ?? new Map();
  }

  newest(view: ZoneView): { readonly serial: number; readonly records: readonly ResourceRecord[] } {
    const last = [...this.of(view)].at(-1);
    if (last === undefined) throw new Error('nothing was kept yet');
    return { serial: last[0], records: last[1] };
  }
}
