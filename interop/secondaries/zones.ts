/** The zones of the secondaries suite: one shape under several policies, with much that the two views see differently. */

export const VIEWS = ['internal', 'external'] as const;

export type View = (typeof VIEWS)[number];

/** One RRset as it is stored; null views: all. */
export interface StoredRRset {
  readonly owner: string;
  readonly ttl: number;
  readonly type: string;
  readonly data: readonly string[];
  readonly views: readonly View[] | null;
}

/** A zone of the suite, and how it is signed. */
export interface SplitZone {
  readonly name: string;
  /** What `zoneseal policy set` is given. */
  readonly policy: { readonly name: string; readonly document: Readonly<Record<string, unknown>> };
  /** What `zoneseal keys generate` is given: algorithm and roles. */
  readonly algorithm: number;
  readonly roles: readonly ('KSK' | 'ZSK' | 'CSK')[];
  readonly isOptOut: boolean;
}

/** Times NSEC, NSEC3 and NSEC3 with opt-out; algorithms 13, 8 and 15; split keys and a CSK. */
export const ZONES: readonly SplitZone[] = [
  {
    name: 'nsec.example.',
    policy: { name: 'nsec', document: { denial: 'nsec', algorithm: 13 } },
    algorithm: 13,
    roles: ['KSK', 'ZSK'],
    isOptOut: false,
  },
  {
    name: 'nsec3.example.',
    policy: { name: 'nsec3', document: { denial: 'nsec3', algorithm: 8, serial: 'increment' } },
    algorithm: 8,
    roles: ['KSK', 'ZSK'],
    isOptOut: false,
  },
  {
    name: 'optout.example.',
    policy: {
      name: 'optout',
      document: {
        denial: 'nsec3',
        nsec3: { optOut: true },
        algorithm: 15,
        keys: 'csk',
        serial: 'date',
        zonemd: true,
      },
    },
    algorithm: 15,
    roles: ['CSK'],
    isOptOut: true,
  },
];

/** The address of `www` in each view. */
export const WWW: Readonly<Record<View, string>> = { internal: '10.77.1.80', external: '192.0.2.80' };

/** The signed child of each zone, which Zoneseal serves too. */
export const secureChildOf = (zone: string): string => `secure.${zone}`;

/** The unsigned child of each zone, which another nameserver serves. */
export const insecureChildOf = (zone: string): string => `insecure.${zone}`;

const TTL = 300;

type Line = readonly [owner: string, type: string, data: readonly string[], view?: View];

/** All RRsets of a zone, but for the DS of its signed child. A refresh of two seconds keeps the suite short. */
export function rrsetsOf(zone: string): StoredRRset[] {
  const at = (label: string): string => `${label}.${zone}`;
  const lines: readonly Line[] = [
    [zone, 'SOA', [`${at('ns1')} ${at('hostmaster')} 1 2 1 604800 60`]],
    [zone, 'NS', [at('ns1'), at('ns2')]],
    [zone, 'MX', [`10 ${at('mail')}`]],
    [zone, 'TXT', ['"v=spf1 -all"', '"two strings" "in one record"']],
    [zone, 'CAA', ['0 issue "ca.example"']],
    [at('ns1'), 'A', ['192.0.2.53']],
    [at('ns1'), 'AAAA', ['2001:db8::53']],
    [at('ns2'), 'A', ['192.0.2.54']],
    [at('mail'), 'A', ['192.0.2.25']],
    [at('www'), 'A', [WWW.internal], 'internal'],
    [at('www'), 'A', [WWW.external], 'external'],
    [at('www'), 'AAAA', ['2001:db8::80']],
    [at('alias'), 'CNAME', [at('www')]],
    [at('dangling'), 'CNAME', [at('nowhere')]],
    [at('*.wild'), 'A', ['192.0.2.100']],
    [at('*.wild'), 'TXT', ['"any"']],
    [at('*.walias'), 'CNAME', [at('mail')]],
    [at('deep.ent'), 'A', ['192.0.2.7']],
    [at('old'), 'DNAME', [at('new')]],
    [at('host.new'), 'A', ['192.0.2.9']],
    [at('secure'), 'NS', [at('ns.secure')]],
    [at('ns.secure'), 'A', ['192.0.2.61']],
    [at('insecure'), 'NS', [at('ns.insecure')]],
    [at('ns.insecure'), 'A', ['192.0.2.62']],
    [at('ns.insecure'), 'AAAA', ['2001:db8::62']],
    // seen by one view alone: names, an empty non-terminal, a type, a wildcard, a delegation, an alias
    [at('promo'), 'A', ['192.0.2.200'], 'external'],
    [at('intranet'), 'A', ['10.77.1.10'], 'internal'],
    [at('intranet'), 'AAAA', ['fd77:6e:7465::10'], 'internal'],
    [at('oracle.backend'), 'A', ['10.77.2.20'], 'internal'],
    [at('mail'), 'TXT', ['"rack-gondolin"'], 'internal'],
    [at('*.labyrinth'), 'A', ['10.77.3.30'], 'internal'],
    [at('payroll'), 'NS', [at('ns.payroll')], 'internal'],
    [at('ns.payroll'), 'A', ['10.77.4.40'], 'internal'],
    [at('portal'), 'CNAME', [at('intranet')], 'internal'],
    [at('portal'), 'A', ['192.0.2.201'], 'external'],
    [zone, 'LOC', ['52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m'], 'internal'],
  ];
  return lines.map(([owner, type, data, view]) => ({
    owner,
    ttl: TTL,
    type,
    data,
    views: view === undefined ? null : [view],
  }));
}

/** Whether a view sees an RRset. */
export const sees = (view: View, rrset: StoredRRset): boolean =>
  rrset.views === null || rrset.views.includes(view);

/** RRsets as a master file. */
export function masterText(rrsets: readonly StoredRRset[]): string {
  return rrsets
    .flatMap(({ owner, ttl, type, data }) => data.map((rdata) => `${owner}\t${ttl}\tIN\t${type}\t${rdata}\n`))
    .join('');
}

/** A zone whose SOA has secondaries ask once an hour, so that a change waits for an operator's command. */
export const SLOW_ZONE = 'slow.example.';

/** A small zone; with a refresh of two seconds it may stand below a cut. */
export function smallRRsets(zone: string, refreshSeconds = 2): StoredRRset[] {
  return [
    {
      owner: zone,
      ttl: TTL,
      type: 'SOA',
      data: [`ns.${zone} hostmaster.${zone} 1 ${refreshSeconds} 1 604800 60`],
      views: null,
    },
    { owner: zone, ttl: TTL, type: 'NS', data: [`ns.${zone}`], views: null },
    { owner: `ns.${zone}`, ttl: TTL, type: 'A', data: ['192.0.2.61'], views: null },
    { owner: `host.${zone}`, ttl: TTL, type: 'A', data: ['192.0.2.70'], views: null },
  ];
}

/** What of the internal view must be in nothing that the external view gets: words of names and data. */
export const INTERNAL_WORDS = [
  'intranet',
  'oracle',
  'backend',
  'gondolin',
  'labyrinth',
  'payroll',
  '10.77.',
  'fd77:',
];

/** Owner names that the internal view alone sees, empty non-terminals included. */
export const INTERNAL_NAMES = [
  'intranet',
  'oracle.backend',
  'backend',
  '*.labyrinth',
  'labyrinth',
  'payroll',
  'ns.payroll',
  'skunkworks.hangar',
  'hangar',
];

/** Addresses that the internal view alone sees. */
export const INTERNAL_ADDRESSES = [
  '10.77.1.80',
  '10.77.1.81',
  '10.77.5.50',
  '10.77.1.10',
  '10.77.2.20',
  '10.77.3.30',
  '10.77.4.40',
  'fd77:6e:7465::10',
];
