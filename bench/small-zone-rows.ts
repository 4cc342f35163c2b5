import type { AimId } from './aims.js';
import type { Pulled } from './puller.js';
import { type Row, row } from './rows.js';

/** All zones pulled once from one server. */
export interface Phase extends Pulled {
  readonly serverCpu: number;
  readonly databaseCpu: number;
  /** Statements that the database was sent. */
  readonly statements: number;
  readonly peakMegabytes: number;
}

/** What Zoneseal took, and Knot DNS with the zones that it has from there. */
export interface ZonesealPhases {
  readonly unsigned: Phase;
  readonly started: Phase;
  readonly again: Phase;
  readonly kept: Phase;
  /** Of all zones. */
  readonly signatures: number;
  /** `secondary`: seconds until it had all, as a new secondary of Zoneseal. */
  readonly knot: { readonly secondary: number; readonly pulled: Phase; readonly kept: Phase } | undefined;
}

/** What PowerDNS took, and the seconds until Knot DNS had all as a new secondary of it. */
export interface PowerDnsPhases {
  readonly first: Phase;
  readonly again: Phase;
  readonly secondary: number | undefined;
}

type Peers = readonly (readonly [name: string, phase: Phase | undefined, aim?: AimId])[];

/** The table: Zoneseal's phases beside those of the peers that ran. */
export function smallZoneRows(
  count: number,
  zoneseal: ZonesealPhases,
  powerDns: PowerDnsPhases | undefined,
): Row[] {
  const { unsigned, started, again, kept, signatures, knot } = zoneseal;
  const { first: pdns, again: pdnsAgain } = powerDns ?? {};
  const phases: readonly (readonly [string, Phase, Peers])[] = [
    ['nothing signed yet', unsigned, [['PowerDNS', pdns, 'small-unsigned']]],
    [
      'signed, just started',
      started,
      [
        ['PowerDNS', pdns, 'small-started'],
        ['Knot DNS', knot?.pulled],
      ],
    ],
    [
      'again',
      again,
      [
        ['PowerDNS again', pdnsAgain],
        ['Knot DNS', knot?.pulled, 'small-cached'],
      ],
    ],
    ['again, connections kept', kept, [['Knot DNS', knot?.kept]]],
  ];
  const all = `small zones, ${count}`;
  const rows = phases.flatMap(([name, ours, peers]) => phaseRows(`${all}, ${name}`, count, ours, peers));
  const each = (what: (phase: Phase) => number, phase: Phase | undefined): number | undefined =>
    phase === undefined ? undefined : what(phase) / count;
  const busy = (phase: Phase): number => phase.pullerCpu / phase.seconds;
  const peak = Math.max(unsigned.peakMegabytes, kept.peakMegabytes);
  if (knot !== undefined) {
    const name = `${all}, Knot DNS as a new secondary has all`;
    rows.push(row(name, knot.secondary, 's', 'of PowerDNS', powerDns?.secondary));
  }
  rows.push(
    row(`${all}, nothing signed yet, asked again a zone`, unsigned.retries / count, ''),
    row(`${all}, signatures a zone`, signatures / count, ''),
    row(
      `${all}, records a zone`,
      again.records / count,
      '',
      'PowerDNS',
      each((of) => of.records, pdns),
    ),
    row(
      `${all}, octets a zone`,
      again.octets / count,
      '',
      'PowerDNS',
      each((of) => of.octets, pdns),
    ),
    row(`${all}, peak memory of the server`, peak, 'MB', 'Knot DNS', knot?.kept.peakMegabytes),
    row(
      `${all}, again, connections kept, CPU seconds of the puller a second`,
      busy(kept),
      '',
      'Knot DNS',
      knot && busy(knot.kept),
    ),
  );
  return rows;
}

function phaseRows(name: string, count: number, ours: Phase, peers: Peers): Row[] {
  const figures: readonly (readonly [string, string, (phase: Phase) => number])[] = [
    ['', 'zones/s', ({ zonesPerSecond }) => zonesPerSecond],
    [', one zone, median', 'ms', ({ median }) => median],
    [', one zone, 99 %', 'ms', ({ slow }) => slow],
    [', CPU of the server a zone', 'ms', ({ serverCpu }) => (1000 * serverCpu) / count],
    [', CPU of PostgreSQL a zone', 'ms', ({ databaseCpu }) => (1000 * databaseCpu) / count],
    [', statements a zone', '', ({ statements }) => statements / count],
  ];
  const known = peers.filter((peer): peer is [string, Phase, AimId?] => peer[1] !== undefined);
  return figures.flatMap(([what, unit, of]) => {
    if (known.length === 0) return [row(name + what, of(ours), unit)];
    return known.flatMap(([peer, theirs, aim]): Row[] => {
      // Knot DNS has no database
      const hasNone = peer.startsWith('Knot') && /PostgreSQL|statements/.test(what);
      if (hasNone) return [];
      const beside = row(name + what, of(ours), unit, peer, of(theirs));
      return [aim === undefined || what !== '' ? beside : { ...beside, aim }];
    });
  });
}
