/**
 * What resolvers may hold: everything that any nameserver gave in the last TTL. Written from the RFCs alone; it shares
 * nothing with src/keys/rollover/.
 */

/** A key as DS and DNSKEY RRsets name it: `13:k4`, the algorithm first. */
export type KeyText = string;

export type Held =
  /** Weak: the digests of all its DS are of a weaker type than those of the others. */
  | { readonly kind: 'ds'; readonly keys: readonly KeyText[]; readonly weak: readonly KeyText[] }
  | { readonly kind: 'dnskey'; readonly keys: readonly KeyText[]; readonly signedBy: readonly KeyText[] }
  | { readonly kind: 'data'; readonly signedBy: readonly KeyText[] };

type Span = [from: number, to: number];

/** A combination that does not validate, and the time in which some resolver could have it. */
export interface Bogus {
  readonly rule: string;
  readonly from: number;
  readonly to: number;
  readonly held: readonly Held[];
}

/** What was served when, by any nameserver, and how long caches kept it. */
export class Caches {
  readonly #spans = new Map<string, Span[]>();

  /** A nameserver gave something from one time to another, with a TTL in seconds. */
  served(held: Held, from: number, to: number, ttl: number): void {
    if (to < from) throw new Error(`served from ${from} to ${to}`);
    const key = JSON.stringify(held);
    const spans = this.#spans.get(key) ?? [];
    spans.push([from, to + ttl]);
    this.#spans.set(key, spans);
  }

  /** All combinations of DS, DNSKEY and data that one resolver could hold at an instant, and that do not validate. */
  bogus(): Bogus[] {
    const all = [...this.#spans].map(([key, spans]) => ({
      held: JSON.parse(key) as Held,
      spans: union(spans),
    }));
    const of = <K extends Held['kind']>(kind: K) =>
      all.filter((it): it is { held: Extract<Held, { kind: K }>; spans: Span[] } => it.held.kind === kind);
    const found: Bogus[] = [];
    for (const ds of of('ds').filter((it) => it.held.keys.length > 0)) {
      for (const dnskey of of('dnskey')) {
        const both = intersection(ds.spans, dnskey.spans);
        if (both.length === 0) continue;
        const { keys, signedBy } = dnskey.held;
        const rule =
          brokenByDs(ds.held.keys, keys, signedBy) ??
          brokenByDs(strongest(ds.held.keys, ds.held.weak), keys, signedBy);
        if (rule !== undefined) add(found, rule, both, [ds.held, dnskey.held]);
        for (const data of of('data')) {
          const wrong = brokenByKeys(dnskey.held.keys, data.held.signedBy);
          if (wrong === undefined) continue;
          add(found, wrong, intersection(both, data.spans), [ds.held, dnskey.held, data.held]);
        }
      }
    }
    return found;
  }
}

/** RFC 4035 §5.2, any path; and strictly, each algorithm of the DS set (RFC 4035 §2.2, RFC 6840 §5.11). */
function brokenByDs(
  ds: readonly KeyText[],
  keys: readonly KeyText[],
  signedBy: readonly KeyText[],
): string | undefined {
  const good = ds.filter((key) => keys.includes(key) && signedBy.includes(key));
  if (good.length === 0) return 'no DS leads to a key that signs the DNSKEY RRset';
  const lacking = ds.map(algorithmOf).find((algorithm) => !good.map(algorithmOf).includes(algorithm));
  return lacking === undefined ? undefined : `no DS of algorithm ${lacking} leads to a signing key`;
}

/** What is left of a DS set for those that take the strongest digest of each algorithm alone (RFC 4509 §3). */
export function strongest(ds: readonly KeyText[], weak: readonly KeyText[]): KeyText[] {
  const strong = ds.filter((key) => !weak.includes(key)).map(algorithmOf);
  return ds.filter((key) => !weak.includes(key) || !strong.includes(algorithmOf(key)));
}

/** RFC 4035 §5.3, any key; and strictly, each algorithm of the DNSKEY RRset (RFC 4035 §2.2). */
function brokenByKeys(keys: readonly KeyText[], signedBy: readonly KeyText[]): string | undefined {
  const good = signedBy.filter((key) => keys.includes(key));
  if (good.length === 0) return 'no signature by a key of the DNSKEY RRset';
  const lacking = keys.map(algorithmOf).find((algorithm) => !good.map(algorithmOf).includes(algorithm));
  return lacking === undefined ? undefined : `no signature of algorithm ${lacking}`;
}

function algorithmOf(key: KeyText): string {
  return key.slice(0, key.indexOf(':'));
}

function add(found: Bogus[], rule: string, spans: readonly Span[], held: readonly Held[]): void {
  for (const [from, to] of spans) found.push({ rule, from, to, held });
}

function union(spans: readonly Span[]): Span[] {
  const sorted = [...spans].sort((a, b) => a[0] - b[0]);
  const out: Span[] = [];
  for (const [from, to] of sorted) {
    const last = out.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}

/** Both, for longer than no time at all. */
function intersection(a: readonly Span[], b: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const x of a) {
    for (const y of b) {
      const [from, to] = [Math.max(x[0], y[0]), Math.min(x[1], y[1])];
      if (from < to) out.push([from, to]);
    }
  }
  return out;
}
