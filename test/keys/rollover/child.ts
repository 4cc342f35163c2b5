import type { KeySetUse, ManagedKey } from '../../../src/keys/rollover/model.js';
import type { Caches, KeyText } from './caches.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** What one key set makes of a view: written from docs/adr/0002-key-rollover.md alone. */
export interface Content {
  readonly version: number;
  readonly published: readonly string[];
  readonly keySigners: readonly string[];
  readonly zoneSigners: readonly string[];
  /** What CDS asks for: keys, none for "delete", null where there is no CDS. */
  readonly cds: readonly string[] | null;
}

interface Publication {
  readonly number: number;
  readonly content: Content;
  readonly ttl: number;
  readonly dnskeyTtl: number;
}

interface Nameserver {
  readonly isRegistered: boolean;
  /** Undefined: it does not serve the zone. */
  serves: { readonly publication: Publication; readonly from: number } | undefined;
  /** What it gave before, the newest last. */
  readonly past: { readonly publication: Publication; readonly until: number }[];
}

/** What is the same for all views: delays as they are, and the clocks that write times down. */
export interface ChildRules {
  readonly propagationDelay: () => number;
  readonly slowestSigning: number;
  readonly clock: (at: number) => number;
  readonly keyText: (id: string) => KeyText;
  /** Keys, sentinel and version as they are stored now. */
  readonly keySet: () => {
    readonly keys: readonly ManagedKey[];
    readonly version: number;
    readonly sentinel: boolean;
    readonly hasCds: boolean;
  };
  readonly dnskeyTtl: () => number;
}

/** What the keys make of a view. */
export function contentOf(
  view: string,
  { keys, version, sentinel, hasCds }: ReturnType<ChildRules['keySet']>,
): Content {
  const ids = (some: readonly ManagedKey[]): string[] => some.map((key) => key.id).sort();
  const here = keys.filter((key) => key.removedAt === null);
  const zone = here.filter(
    (key) => key.signs && key.role !== 'KSK' && !(key.role === 'CSK' && key.keySetsOnly),
  );
  const own = zone.filter((key) => key.view === view);
  const general = zone.filter(
    (key) => key.view === null && !own.some((it) => it.algorithm === key.algorithm),
  );
  const parent = ids(here.filter((key) => key.parent));
  const published = ids(here.filter((key) => key.published));
  const asks = hasCds && published.length > 0 && (sentinel || parent.length > 0);
  return {
    version,
    published,
    keySigners: ids(here.filter((key) => key.signs && key.role !== 'ZSK')),
    zoneSigners: ids([...own, ...general]),
    cds: !asks ? null : sentinel ? [] : parent,
  };
}

/** Whether a gateway publishes it: each published algorithm signs the DNSKEY RRset and the data (RFC 4035 §2.2). */
function isWhole({ published, keySigners, zoneSigners }: Content, keyText: (id: string) => KeyText): boolean {
  const algorithms = (ids: readonly string[]): string[] =>
    ids.filter((id) => published.includes(id)).map((id) => keyText(id).split(':')[0] as string);
  const [keys, data] = [algorithms(keySigners), algorithms(zoneSigners)];
  return algorithms(published).every((algorithm) => keys.includes(algorithm) && data.includes(algorithm));
}

/** The publications of one view, and the nameservers that serve them. */
export class ChildView {
  readonly name: string;
  readonly #time: Timeline;
  readonly #random: Random;
  readonly #rules: ChildRules;
  readonly #caches: Caches;
  readonly #nameservers: Nameserver[];
  readonly uses: KeySetUse[] = [];
  /** Undefined: the zone was not published in the view since it was assigned to it. */
  #newest: Publication | undefined;
  #number = 0;
  /** Grows when the zone is assigned to the view, and when it is taken from it: what was begun before comes to nothing. */
  #era = 0;
  #isServed = true;
  #isBuilding = false;
  #ttl: number;

  /** @param isOld whether the zone has been served in it for long; otherwise it is just assigned to it, and nobody has it */
  constructor(
    name: string,
    time: Timeline,
    random: Random,
    rules: ChildRules,
    caches: Caches,
    { ttl, isOld }: { readonly ttl: number; readonly isOld: boolean },
  ) {
    this.name = name;
    this.#time = time;
    this.#random = random;
    this.#rules = rules;
    this.#caches = caches;
    this.#ttl = ttl;
    const kinds = random.pick([[false], [true], [true, false], [false, false]]);
    this.#nameservers = kinds.map((isRegistered) => ({ isRegistered, serves: undefined, past: [] }));
    if (!isOld) {
      this.poke();
      return;
    }
    const content = contentOf(name, rules.keySet());
    const publication = { number: 0, content, ttl, dnskeyTtl: rules.dnskeyTtl() };
    this.#newest = publication;
    for (const nameserver of this.#nameservers) nameserver.serves = { publication, from: -1e8 };
    this.#recordUse(publication, -1e8);
  }

  /** Another TTL for all of the zone: records with the old one are gone with the next publication. */
  setTtl(ttl: number): void {
    this.#ttl = ttl;
    this.poke();
  }

  /** The zone is served in the view again. */
  assign(): void {
    this.#era++;
    this.#isServed = true;
    this.poke();
  }

  /**
   * The zone is served in the view no more: nameservers get nothing of it, and are without it within the propagation delay, as far as
   * they did not get it anew.
   */
  unassign(): void {
    this.#era++;
    this.#isServed = false;
    this.#isBuilding = false;
    this.#newest = undefined;
    const at = this.#rules.clock(this.#time.now);
    this.uses.forEach((use, i) => {
      this.uses[i] = { ...use, replacedAt: use.replacedAt ?? at, until: use.until ?? at };
    });
    const last = this.#number;
    for (const nameserver of this.#nameservers) {
      this.#time.after(this.#random.edge(0, this.#rules.propagationDelay()), () => {
        if (nameserver.serves !== undefined && nameserver.serves.publication.number <= last) {
          this.#replace(nameserver, undefined);
        }
      });
    }
  }

  /** The key set, the policy or the zone may have changed: a publication is begun, once the one that is being made is ready. */
  poke(): void {
    if (this.#isBuilding || !this.#isServed) return;
    const content = contentOf(this.name, this.#rules.keySet());
    const [ttl, dnskeyTtl] = [this.#ttl, this.#rules.dnskeyTtl()];
    const looks = (publication: Omit<Publication, 'number'>): string =>
      JSON.stringify([{ ...publication.content, version: 0 }, publication.ttl, publication.dnskeyTtl]);
    if (this.#newest !== undefined && looks(this.#newest) === looks({ content, ttl, dnskeyTtl })) return;
    if (!isWhole(content, this.#rules.keyText)) return;
    const publication = { number: ++this.#number, content, ttl, dnskeyTtl };
    this.#isBuilding = true;
    const era = this.#era;
    this.#time.after(1 + this.#random.low(this.#rules.slowestSigning), () => {
      if (era === this.#era) this.#ready(publication);
    });
  }

  #ready(publication: Publication): void {
    this.#isBuilding = false;
    this.#newest = publication;
    this.#recordUse(publication, this.#rules.clock(this.#time.now));
    const era = this.#era;
    for (const nameserver of this.#nameservers) {
      const delay = this.#random.edge(0, this.#rules.propagationDelay());
      this.#time.after(delay, () => {
        // what it has fetched already it may load when the zone is not served in the view any more
        if (era === this.#era || nameserver.serves !== undefined) this.#pickUp(nameserver, publication);
      });
    }
    if (!this.#nameservers.some((it) => it.isRegistered)) this.#endUses(publication.number);
    this.poke();
  }

  #pickUp(nameserver: Nameserver, publication: Publication): void {
    if (nameserver.serves !== undefined && nameserver.serves.publication.number >= publication.number) return;
    this.#replace(nameserver, publication);
    if (!nameserver.isRegistered) return;
    const era = this.#era;
    this.#time.after(this.#random.edge(0, 120), () => {
      if (era !== this.#era) return;
      const registered = this.#nameservers.filter((it) => it.isRegistered);
      this.#endUses(Math.min(...registered.map((it) => it.serves?.publication.number ?? -1)));
    });
  }

  #replace(nameserver: Nameserver, publication: Publication | undefined): void {
    const { serves } = nameserver;
    this.#account(nameserver, this.#time.now);
    if (serves !== undefined)
      nameserver.past.push({ publication: serves.publication, until: this.#time.now });
    nameserver.serves = publication === undefined ? undefined : { publication, from: this.#time.now };
  }

  readonly #firstOfUse: number[] = [];

  #recordUse(publication: Publication, since: number): void {
    const last = this.uses.at(-1);
    const { content, ttl, dnskeyTtl } = publication;
    if (last?.replacedAt === null && last.facts.version === content.version) {
      this.uses[this.uses.length - 1] = {
        ...last,
        maxTtl: Math.max(last.maxTtl, ttl),
        dnskeyTtl: Math.max(last.dnskeyTtl, dnskeyTtl),
      };
      return;
    }
    if (last?.replacedAt === null) this.uses[this.uses.length - 1] = { ...last, replacedAt: since };
    const { version, published, keySigners, zoneSigners, cds } = content;
    const { keys, sentinel } = this.#rules.keySet();
    const named = keys.filter((key) => key.parent && key.removedAt === null).map((key) => key.id);
    this.uses.push({
      view: this.name,
      facts: {
        version,
        published,
        keySigners,
        zoneSigners: { [this.name]: zoneSigners },
        parent: cds ?? (sentinel ? [] : named),
        deleteSentinel: cds !== null ? cds.length === 0 : sentinel,
      },
      since,
      until: null,
      replacedAt: null,
      maxTtl: ttl,
      dnskeyTtl,
    });
    this.#firstOfUse.push(publication.number);
  }

  /** All known nameservers have a publication: what was used before it alone is over. */
  #endUses(number: number): void {
    this.uses.forEach((use, i) => {
      const next = this.#firstOfUse[i + 1];
      if (use.until !== null || next === undefined || next > number) return;
      this.uses[i] = { ...use, until: this.#rules.clock(this.#time.now) };
    });
  }

  /** Uses that nobody needs any more are forgotten. */
  forget(isNeeded: (use: KeySetUse) => boolean): void {
    for (let i = this.uses.length - 1; i >= 0; i--) {
      if (isNeeded(this.uses[i] as KeySetUse)) continue;
      this.uses.splice(i, 1);
      this.#firstOfUse.splice(i, 1);
    }
  }

  /** A CDS RRset that the parent gets here now, from a nameserver or from a cache of its own; undefined: nothing. */
  readCds(): Content | undefined {
    const nameserver = this.#random.pick(this.#nameservers);
    const stale = nameserver.past.filter(
      ({ publication, until }) => until + publication.dnskeyTtl > this.#time.now,
    );
    const isStale = this.#random.chance(0.3) && stale.length > 0;
    return (isStale ? this.#random.pick(stale) : nameserver.serves)?.publication.content;
  }

  /** Everything served until now is brought to the caches' account. */
  finish(): void {
    for (const nameserver of this.#nameservers) this.#account(nameserver, this.#time.now);
  }

  #account({ serves }: Nameserver, until: number): void {
    if (serves === undefined) return;
    const { content, ttl, dnskeyTtl } = serves.publication;
    const text = (ids: readonly string[]): KeyText[] => ids.map(this.#rules.keyText);
    const [keys, signedBy] = [text(content.published), text(content.keySigners)];
    this.#caches.served({ kind: 'dnskey', keys, signedBy }, serves.from, until, dnskeyTtl);
    this.#caches.served({ kind: 'data', signedBy: text(content.zoneSigners) }, serves.from, until, ttl);
  }
}
