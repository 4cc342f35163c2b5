import { ZonesealError } from '../../src/errors.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { type Policy, parsePolicy } from '../../src/keys/policy.js';
import type {
  Allocation,
  Publication,
  PublicationStore,
  PublishedSoa,
  SerialInput,
  ServedZone,
} from '../../src/publication/ports.js';
import type { SignaturePage } from '../../src/signing/recorded.js';
import type { ZoneRow } from '../../src/zone/row.js';

/** One zone in one view in memory, for tests of what stands above the database. */
export class MemoryPublicationStore implements PublicationStore {
  rows: readonly ZoneRow[] = [];
  keySet: readonly ZoneKey[] = [];
  policy: Policy = parsePolicy('default', {});
  version = 1;
  now = 1_790_000_000;
  served = true;
  /** Thrown by the next calls, as when the database is away. */
  fault: Error | undefined;
  /** Called after each batch of rows, with the number of rows read. */
  onBatch: (read: number) => Promise<void> | void = () => undefined;
  reads = 0;
  leaseIsOurs = true;
  readonly publications: Publication[] = [];
  readonly retries: (number | null)[] = [];
  readonly pages = new Map<string, SignaturePage[]>();
  readonly zone: ServedZone;

  constructor(zone: string, view: string) {
    this.zone = { zoneId: '1', zone, view };
  }

  findServed(zone: string, view: string): Promise<ServedZone | undefined> {
    return this.#answer(() =>
      this.served && zone === this.zone.zone && view === this.zone.view ? this.zone : undefined,
    );
  }

  listDue(): Promise<ServedZone[]> {
    return this.#answer(() => {
      const newest = this.publications.at(-1);
      return newest === undefined || newest.zoneVersion < this.version ? [this.zone] : [];
    });
  }

  newestReady(): Promise<Publication | undefined> {
    return this.#answer(() => this.publications.findLast((it) => it.state === 'ready'));
  }

  allocate(
    served: ServedZone,
    request: { readonly formatVersion: number; readonly nextSerial: (input: SerialInput) => number },
  ): Promise<Allocation> {
    return this.#answer(() => {
      const last = this.publications.at(-1);
      const publication: Publication = {
        ...served,
        id: String(this.publications.length + 1),
        zoneVersion: this.version,
        policyName: 'default',
        policyVersion: 1,
        keySetVersion: 1,
        time: this.now,
        formatVersion: request.formatVersion,
        serial: request.nextSerial({
          last: last?.serial ?? null,
          stored: null,
          now: this.now,
          policy: this.policy,
        }),
        state: 'building',
        error: null,
        resignAt: null,
        soa: null,
      };
      this.publications.push(publication);
      return { kind: 'allocated', publication };
    });
  }

  renewLease(): Promise<boolean> {
    return this.#answer(() => this.leaseIsOurs);
  }

  markReady(id: string, _gateway: string, result: { soa: PublishedSoa; resignAt: number }): Promise<boolean> {
    return this.#answer(() => {
      if (!this.leaseIsOurs) return false;
      this.#change(id, { state: 'ready', soa: result.soa, resignAt: result.resignAt });
      return true;
    });
  }

  markFailed(id: string, _gateway: string, error: string, retrySeconds: number | null): Promise<void> {
    return this.#answer(() => {
      this.#change(id, { state: 'failed', error });
      this.retries.push(retrySeconds);
    });
  }

  saveSignatures(id: string, _gateway: string, pages: readonly SignaturePage[]): Promise<void> {
    return this.#answer(() => {
      if (!this.leaseIsOurs) throw new ZonesealError('PUBLICATION_LOST', 'the lease was lost');
      const stored = this.pages.get(id) ?? [];
      this.pages.set(id, stored);
      for (const page of pages) stored[page.page] = page;
    });
  }

  async *readSignatures(id: string): AsyncGenerator<SignaturePage, void, undefined> {
    yield* this.pages.get(id) ?? [];
  }

  async *readRows(): AsyncGenerator<readonly ZoneRow[], void, undefined> {
    this.reads++;
    for (let i = 0; i < this.rows.length; i += 100) {
      if (this.fault !== undefined) throw this.fault;
      yield this.rows.slice(i, i + 100);
      await this.onBatch(i + 100);
    }
  }

  readPolicy(): Promise<Policy> {
    return this.#answer(() => this.policy);
  }

  readKeySet(): Promise<readonly ZoneKey[]> {
    return this.#answer(() => this.keySet);
  }

  #change(id: string, to: Partial<Publication>): void {
    const at = this.publications.findIndex((it) => it.id === id);
    this.publications[at] = { ...(this.publications[at] as Publication), ...to };
  }

  #answer<T>(answer: () => T): Promise<T> {
    return this.fault === undefined ? Promise.resolve().then(answer) : Promise.reject(this.fault);
  }
}
