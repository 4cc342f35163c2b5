/** What the figures are judged by. The aims are data; `judge` is the one place that says whether a row meets its own. */

/** One aim: of which figure, and what it has to be. */
export interface Aim {
  /** The benchmark that has to give a row for it. */
  readonly benchmark: string;
  /** What is measured, for a row that is missing. */
  readonly what: string;
  /** The figure itself in `unit`, or the ratio to the peer's. */
  readonly of: 'value' | 'ratio';
  readonly is: 'at most' | 'below' | 'at least' | 'within';
  /** Of `within`: how far from 1, as a part of it. */
  readonly limit: number;
  readonly unit?: string;
  /** Whose figure the ratio is to. */
  readonly peer?: string;
}

const ratio = (
  benchmark: string,
  what: string,
  is: Aim['is'],
  limit: number,
  peer: string,
): Aim & { readonly peer: string } => ({ benchmark, what, of: 'ratio', is, limit, peer });

const value = (benchmark: string, what: string, is: Aim['is'], limit: number, unit: string): Aim => ({
  benchmark,
  what,
  of: 'value',
  is,
  limit,
  unit,
});

/** All aims, in the order of the table, and the controls that have to come out as known before it means anything. */
export const AIMS = {
  'control-accounting': ratio(
    'control',
    'CPU of openssl speed, as it is measured here',
    'within',
    0.1,
    'as openssl tells it',
  ),
  'control-steady': ratio('control', 'openssl speed, P-256, at the end', 'within', 0.1, 'at the start'),
  'cold-knot': ratio('cold', 'cold, NSEC', 'at most', 0.8, 'kzonesign'),
  'cold-ldns': ratio('cold', 'cold, NSEC', 'at most', 0.55, 'ldns-signzone'),
  'cold-powerdns': ratio('cold', 'cold, NSEC', 'at most', 0.55, 'PowerDNS, first live-signed AXFR'),
  'cold-cpu': ratio('cold', 'cold, NSEC, CPU of the gateway', 'at most', 1.75, 'openssl speed'),
  'cold-nsec3': ratio('cold', 'cold, NSEC3', 'at most', 0.85, 'kzonesign'),
  'cold-ed25519': ratio('cold', 'cold, Ed25519', 'at most', 1.2, 'kzonesign'),
  'cold-rsa': ratio('cold', 'cold, RSA-2048', 'at most', 0.65, 'ldns-signzone'),
  'first-message': value('scale', 'first message of the cold transfer', 'below', 150, 'ms'),
  'second-view': ratio('views', 'second view, after the first', 'at most', 0.35, 'the first'),
  'signed-already': ratio('serving', 'signed already', 'at most', 1.5, 'knotd'),
  'signed-already-tsig': ratio('serving', 'signed already, with TSIG', 'at most', 2, 'knotd, with TSIG'),
  'just-started': ratio('serving', 'signed already, gateway just started', 'at most', 0.35, 'cold'),
  'twenty-clients': ratio('clients', 'twenty clients at once, cold', 'at most', 1.5, 'one client'),
  'peak-memory': value('scale', 'peak memory, largest zone', 'below', 400, 'MB'),
  'memory-growth': ratio('scale', 'peak memory, largest zone', 'below', 1.3, 'a tenth of the names'),
  'change-time': value('changes', 'one record changed, commit to IXFR', 'below', 100, 'ms'),
  'change-growth': ratio('changes', 'one record changed, commit to IXFR', 'at most', 1.3, 'the smaller zone'),
  'change-signatures': value('changes', 'one record changed, signatures', 'at most', 12, 'signatures'),
  'small-unsigned': ratio('small-zones', 'small zones, nothing signed yet', 'at least', 8, 'PowerDNS'),
  'small-started': ratio('small-zones', 'small zones, signed, not cached', 'at least', 20, 'PowerDNS'),
  'small-cached': ratio('small-zones', 'small zones, cached', 'at least', 1 / 3, 'Knot DNS'),
  'held-cpu': value('held', 'zones held, CPU', 'below', 5, '% of a core'),
  'held-memory': value('held', 'zones held, memory', 'below', 300, 'MB'),
  import: value('import', 'import of a master file', 'at least', 100_000, 'RRs/s'),
  store: value('cold', 'signature store', 'below', 120, 'octets'),
  'growth-time': ratio('scale', 'time per RR, dearest size', 'at most', 1.2, 'cheapest size'),
  'growth-cpu': ratio('scale', 'CPU per RR, dearest size', 'at most', 1.2, 'cheapest size'),
} as const satisfies Readonly<Record<string, Aim>>;

export type AimId = keyof typeof AIMS;

/** An aim in words, such as `at most 0.80 of kzonesign`. */
export function aimText(id: AimId): string {
  const { of, is, limit, unit, peer }: Aim = AIMS[id];
  if (is === 'within') return `within ${Math.round(limit * 100)} % of ${peer}`;
  if (of === 'value') return `${is} ${limit.toLocaleString('en')} ${unit}`;
  return `${is} ${limit.toFixed(2)} times ${peer}`;
}

const HOLDS: Readonly<Record<Aim['is'], (measured: number, limit: number) => boolean>> = {
  'at most': (measured, limit) => measured <= limit,
  below: (measured, limit) => measured < limit,
  'at least': (measured, limit) => measured >= limit,
  within: (measured, limit) => Math.abs(measured - 1) <= limit,
};

/**
 * Whether a figure meets an aim; undefined where that cannot be told, as the figure or the peer's is missing.
 * @param figure a row's value, and its ratio to its peer's
 */
export function judge(
  id: AimId,
  figure: { readonly value: number; readonly ratio?: number | undefined },
): boolean | undefined {
  const { of, is, limit }: Aim = AIMS[id];
  const measured = of === 'ratio' ? figure.ratio : figure.value;
  if (measured === undefined || !Number.isFinite(measured)) return undefined;
  return HOLDS[is](measured, limit);
}

/** The aims that benchmarks have to give rows for. */
export function aimsOf(benchmarks: readonly string[]): AimId[] {
  return (Object.keys(AIMS) as AimId[]).filter((id) => benchmarks.includes(AIMS[id].benchmark));
}
