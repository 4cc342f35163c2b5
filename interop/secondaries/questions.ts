import { type SplitZone, type View, WWW } from './zones.js';

/** A question to a validator, and what it has to find. */
export interface AskedQuestion {
  readonly what: string;
  readonly name: string;
  readonly type: string;
  readonly outcome: 'answer' | 'nodata' | 'nxdomain';
  /** A text that the answer's rdata holds. */
  readonly rdata?: string;
  /**
   * The proof goes through the NSEC3 span of a name that is not there. Where such spans have opt-out, an unsigned delegation
   * may be in them, so RFC 5155 §9.2 has resolvers call the answer insecure.
   */
  readonly isBySpan?: true;
  /** It is insecure in every zone. */
  readonly isInsecure?: true;
  /** It leads below a zone cut, so it takes a resolver. */
  readonly isBelowCut?: true;
}

/** What is asked of a zone as one view sees it. */
export function questionsOf({ name: zone }: SplitZone, view: View): AskedQuestion[] {
  const at = (label: string): string => `${label}.${zone}`;
  const both: AskedQuestion[] = [
    { what: 'SOA', name: zone, type: 'SOA', outcome: 'answer' },
    { what: 'NS', name: zone, type: 'NS', outcome: 'answer', rdata: at('ns2') },
    { what: 'DNSKEY', name: zone, type: 'DNSKEY', outcome: 'answer' },
    { what: 'several records', name: zone, type: 'TXT', outcome: 'answer', rdata: 'v=spf1 -all' },
    {
      what: 'an address that differs by view',
      name: at('www'),
      type: 'A',
      outcome: 'answer',
      rdata: WWW[view],
    },
    { what: 'an address for all', name: at('www'), type: 'AAAA', outcome: 'answer', rdata: '2001:db8::80' },
    { what: 'an alias', name: at('alias'), type: 'A', outcome: 'answer', rdata: WWW[view] },
    {
      what: 'an alias by name case',
      name: at('AliaS'),
      type: 'AAAA',
      outcome: 'answer',
      rdata: '2001:db8::80',
    },
    { what: 'an alias to nothing', name: at('dangling'), type: 'A', outcome: 'nxdomain', isBySpan: true },
    {
      what: 'wildcard',
      name: at('anything.wild'),
      type: 'A',
      outcome: 'answer',
      rdata: '192.0.2.100',
      isBySpan: true,
    },
    {
      what: 'wildcard, labels deeper',
      name: at('a.b.wild'),
      type: 'TXT',
      outcome: 'answer',
      rdata: 'any',
      isBySpan: true,
    },
    { what: 'wildcard itself', name: at('*.wild'), type: 'A', outcome: 'answer', rdata: '192.0.2.100' },
    {
      what: 'wildcard alias',
      name: at('x.walias'),
      type: 'A',
      outcome: 'answer',
      rdata: '192.0.2.25',
      isBySpan: true,
    },
    { what: 'wildcard NODATA', name: at('anything.wild'), type: 'AAAA', outcome: 'nodata', isBySpan: true },
    { what: 'NODATA', name: at('www'), type: 'MX', outcome: 'nodata' },
    { what: 'NODATA at the apex', name: zone, type: 'SRV', outcome: 'nodata' },
    { what: 'NODATA at an empty non-terminal', name: at('ent'), type: 'A', outcome: 'nodata' },
    { what: 'NODATA at the wildcard’s empty non-terminal', name: at('wild'), type: 'A', outcome: 'nodata' },
    { what: 'NXDOMAIN', name: at('nothere'), type: 'A', outcome: 'nxdomain', isBySpan: true },
    { what: 'NXDOMAIN before all names', name: at('0'), type: 'A', outcome: 'nxdomain', isBySpan: true },
    {
      what: 'NXDOMAIN below a name',
      name: at('nothere.www'),
      type: 'A',
      outcome: 'nxdomain',
      isBySpan: true,
    },
    {
      what: 'NXDOMAIN below an empty non-terminal',
      name: at('nothere.ent'),
      type: 'A',
      outcome: 'nxdomain',
      isBySpan: true,
    },
    { what: 'DNAME', name: at('old'), type: 'DNAME', outcome: 'answer', rdata: at('new') },
    { what: 'below a DNAME', name: at('host.old'), type: 'A', outcome: 'answer', rdata: '192.0.2.9' },
    {
      what: 'below a DNAME, to nothing',
      name: at('nothere.old'),
      type: 'A',
      outcome: 'nxdomain',
      isBySpan: true,
    },
    { what: 'the DS of a signed child', name: at('secure'), type: 'DS', outcome: 'answer' },
    {
      what: 'no DS at an unsigned child',
      name: at('insecure'),
      type: 'DS',
      outcome: 'nodata',
      isBySpan: true,
    },
    {
      what: 'a name in a signed child',
      name: at('host.secure'),
      type: 'A',
      outcome: 'answer',
      rdata: '192.0.2.70',
      isBelowCut: true,
    },
    {
      what: 'NXDOMAIN in a signed child',
      name: at('nothere.secure'),
      type: 'A',
      outcome: 'nxdomain',
      isBelowCut: true,
    },
    {
      what: 'a name in an unsigned child',
      name: at('host.insecure'),
      type: 'A',
      outcome: 'answer',
      rdata: '192.0.2.70',
      isBelowCut: true,
      isInsecure: true,
    },
  ];
  const split: readonly [
    label: string,
    type: string,
    internal: Partial<AskedQuestion>,
    external: Partial<AskedQuestion>,
  ][] = [
    ['promo', 'A', { outcome: 'nxdomain', isBySpan: true }, { rdata: '192.0.2.200' }],
    ['intranet', 'A', { rdata: '10.77.1.10' }, { outcome: 'nxdomain', isBySpan: true }],
    ['oracle.backend', 'A', { rdata: '10.77.2.20' }, { outcome: 'nxdomain', isBySpan: true }],
    ['backend', 'A', { outcome: 'nodata' }, { outcome: 'nxdomain', isBySpan: true }],
    ['mail', 'TXT', { rdata: 'rack-gondolin' }, { outcome: 'nodata' }],
    ['x.labyrinth', 'A', { rdata: '10.77.3.30', isBySpan: true }, { outcome: 'nxdomain', isBySpan: true }],
    ['payroll', 'DS', { outcome: 'nodata', isBySpan: true }, { outcome: 'nxdomain', isBySpan: true }],
    ['portal', 'A', { rdata: '10.77.1.10' }, { rdata: '192.0.2.201' }],
  ];
  const own = split.map(([label, type, internal, external]) => ({
    what: `${label} as this view sees it`,
    name: at(label),
    type,
    outcome: 'answer' as const,
    ...(view === 'internal' ? internal : external),
  }));
  return [...both, ...own];
}
