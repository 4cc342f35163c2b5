/** A random zone as rows, two views of it, and what of it a view may not be given. */
import type { StoredRow } from '../validators/corpus.js';
import type { Random } from './random.js';

export type { StoredRow };

/** The views of random zones. */
export const ZONE_VIEWS = ['internal', 'external'] as const;

export type ZoneView = (typeof ZONE_VIEWS)[number];

const ADDRESS_TYPES: ReadonlySet<string> = new Set(['A', 'AAAA']);
const CUT_TYPES: ReadonlySet<string> = new Set(['NS', 'DS', ...ADDRESS_TYPES]);
const TTLS = [60, 300, 301, 3600, 7200];

/** Names by what they are good for; few enough that chance brings the same ones again. */
export const LABELS = {
  host: (random: Random): string => `h${random.below(120)}`,
  mixedCase: (random: Random): string => `Mixed${random.below(6)}-Case`,
  belowEmpty: (random: Random): string => `n${random.below(4)}.e${random.below(15)}`,
  deep: (random: Random): string => `n${random.below(4)}.f${random.below(4)}.g${random.below(5)}`,
  empty: (random: Random): string => random.pick([`e${random.below(15)}`, `g${random.below(5)}`]),
  wildcard: (random: Random): string => `*.${random.pick(['w', 'e'])}${random.below(8)}`,
  belowWildcard: (random: Random): string => `x.w${random.below(8)}`,
  cut: (random: Random): string => random.pick([`d${random.below(15)}`, `e${random.below(15)}`, 'w1', 'w2']),
  belowCut: (random: Random): string => `${random.pick(['ns', 'a.b', 'ns'])}.d${random.below(15)}`,
  alias: (random: Random): string => `t${random.below(5)}`,
  service: (random: Random): string => `_sip._tcp.h${random.below(10)}`,
};

export type LabelKind = keyof typeof LABELS;

const OWNERS: readonly LabelKind[] = [
  ...(['host', 'host', 'host', 'host', 'mixedCase', 'belowEmpty', 'deep', 'empty'] as const),
  ...(['wildcard', 'belowWildcard', 'belowCut', 'service'] as const),
];

/** The key of a row, as the database has it. */
export const keyOf = ({ owner, type, views }: Pick<StoredRow, 'owner' | 'type' | 'views'>): string =>
  `${owner.toLowerCase()} ${type} ${views?.join(',') ?? '*'}`;

/** Whether a view sees a row. */
export const sees = (view: string, { views }: Pick<StoredRow, 'views'>): boolean =>
  views === null || views.includes(view);

/** All views, the one or the other; more often all. */
export function randomViews(random: Random): StoredRow['views'] {
  if (random.chance(60)) return null;
  return [random.pick(ZONE_VIEWS)];
}

/** A row with data at a name that data may be at. */
export function randomRow(random: Random, zone: string, views = randomViews(random)): StoredRow {
  const kind = random.pick(OWNERS);
  const owner = `${LABELS[kind](random)}.${zone}`;
  const types = ['A', 'A', 'A', 'AAAA', 'MX', 'TXT', 'CAA', ...(kind === 'belowCut' ? [] : ['CNAME'])];
  const type = kind === 'service' ? 'SRV' : random.pick(types);
  return { owner, type, ttl: random.pick(TTLS), data: randomData(random, zone, type), views };
}

/** Rdata of a type, one to three records of those that may be several. */
export function randomData(random: Random, zone: string, type: string): string[] {
  const one = RDATA[type];
  if (one === undefined) throw new Error(`no random data of type ${type}`);
  const count = type === 'CNAME' || type === 'DNAME' || random.chance(70) ? 1 : 1 + random.below(3);
  return [...new Set(Array.from({ length: count }, () => one(random, zone)))];
}

const RDATA: Readonly<Record<string, (random: Random, zone: string) => string>> = {
  A: (random) => `192.0.2.${random.below(256)}`,
  AAAA: (random) => `2001:db8::${random.hex(3)}:1`,
  MX: (random, zone) => `${random.below(50)} ${LABELS.host(random)}.${zone}`,
  TXT: (random) => `"${random.hex(12)}" "second ${random.hex(4)}"`,
  CAA: (random) => `0 issue "${random.hex(6)}.example"`,
  CNAME: (random, zone) => `${LABELS.host(random)}.${zone}`,
  DNAME: (random) => `${random.hex(6)}.example.net.`,
  SRV: (random, zone) => `${random.below(9)} 5 5060 ${LABELS.host(random)}.${zone}`,
  NS: (random) => `ns${random.below(9)}.${random.hex(4)}.example.net.`,
  DS: (random) => `${random.below(65536)} 13 2 ${random.hex(64)}`,
};

/** A delegation, some of them signed, some with glue: all of it for the same views. */
export function randomDelegation(random: Random, zone: string, views = randomViews(random)): StoredRow[] {
  const owner = `${LABELS.cut(random)}.${zone}`;
  const ttl = random.pick(TTLS);
  const isGlued = random.chance(50);
  const row = (type: string, data: readonly string[], at = owner): StoredRow => ({
    owner: at,
    type,
    ttl,
    data,
    views,
  });
  return [
    row('NS', isGlued ? [`ns.${owner}`] : randomData(random, zone, 'NS')),
    ...(random.chance(50) ? [row('DS', randomData(random, zone, 'DS'))] : []),
    ...(isGlued ? [row('A', randomData(random, zone, 'A'), `ns.${owner}`)] : []),
  ];
}

/** A DNAME, which has nothing below it. */
export function randomDname(random: Random, zone: string): StoredRow {
  const owner = `${LABELS.alias(random)}.${zone}`;
  return {
    owner,
    type: 'DNAME',
    ttl: 300,
    data: randomData(random, zone, 'DNAME'),
    views: randomViews(random),
  };
}

/** Apex and nameservers, without which nothing is served. Secondaries ask every other second. */
export function baseRows(zone: string): StoredRow[] {
  const row = (owner: string, type: string, ...data: string[]): StoredRow => ({
    owner,
    type,
    ttl: 300,
    data,
    views: null,
  });
  return [
    row(zone, 'SOA', `ns1.${zone} hostmaster.${zone} 1 2 1 604800 60`),
    row(zone, 'NS', `ns1.${zone}`, `ns2.${zone}`),
    row(zone, 'MX', `10 h1.${zone}`),
    row(`ns1.${zone}`, 'A', '192.0.2.53'),
    row(`ns1.${zone}`, 'AAAA', '2001:db8::53'),
    row(`ns2.${zone}`, 'A', '192.0.2.54'),
  ];
}

/** A valid random zone of about so many rows. */
export function randomZone(random: Random, zone: string, rows: number): StoredRow[] {
  const held = new Map(baseRows(zone).map((row) => [keyOf(row), row]));
  for (let i = 0; i < rows * 10 && held.size < rows; i++) {
    const added = random.chance(12)
      ? randomDelegation(random, zone)
      : [random.chance(4) ? randomDname(random, zone) : randomRow(random, zone)];
    const wanted = new Map(held);
    for (const row of added) wanted.set(keyOf(row), row);
    if (zoneFaults([...wanted.values()], zone).length > 0) continue;
    for (const row of added) held.set(keyOf(row), row);
  }
  return [...held.values()];
}

/** What keeps a view of rows from being a zone that every program loads; none when it is one. */
export function zoneFaults(rows: readonly StoredRow[], zone: string): string[] {
  return ZONE_VIEWS.flatMap((view) =>
    viewFaults(
      rows.filter((row) => sees(view, row)),
      zone,
    ).map((fault) => `${fault} (${view})`),
  );
}

function viewFaults(rows: readonly StoredRow[], zone: string): string[] {
  const owners = new Map<string, Set<string>>();
  const faults: string[] = [];
  for (const { owner, type } of rows) {
    const name = owner.toLowerCase();
    const types = owners.get(name) ?? new Set();
    if (types.has(type)) faults.push(`two rows of ${type} at ${name}`);
    owners.set(name, types.add(type));
  }
  const apex = owners.get(zone);
  if (apex?.has('SOA') !== true || !apex.has('NS')) faults.push('no SOA or NS at the apex');
  for (const [name, types] of owners) {
    if (types.has('CNAME') && types.size > 1) faults.push(`CNAME beside data at ${name}`);
    if (types.has('DS') && !types.has('NS')) faults.push(`DS without NS at ${name}`);
    const isCut = types.has('NS') && name !== zone;
    if (isCut && ![...types].every((type) => CUT_TYPES.has(type)))
      faults.push(`data beside a cut at ${name}`);
    for (let above = parentOf(name); above !== zone && above.endsWith(zone); above = parentOf(above)) {
      if (owners.get(above)?.has('DNAME') === true) faults.push(`${name} is below a DNAME`);
    }
  }
  return faults;
}

/** Names of random zones have no escaped dots. */
const parentOf = (name: string): string => name.slice(name.indexOf('.') + 1);
