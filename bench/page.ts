import { loadWarning, type Machine } from './machine.js';
import { escaped, LINE_COLOURS, linePlot } from './plots.js';
import type { JudgedRow, Series } from './rows.js';
import { loadsText, metText, numberText, spreadText } from './text.js';

/** What the page tells of. */
export interface Results {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly rows: readonly JudgedRow[];
  readonly series: readonly Series[];
}

/** The plots, in order; a plot without a line is left out, and the page says so. */
const PLOTS = [
  {
    plot: 'cost',
    title: 'Cost against zone size',
    x: 'names of the zone',
    y: 'µs a record of the zone',
    isLogarithmic: true,
    from: 'scale',
    text: 'Time and CPU of a cold transfer, divided by the unsigned records of the zone. A flat line is work in proportion to the zone; to the left, what a transfer costs however small the zone is.',
  },
  {
    plot: 'memory',
    title: 'Memory over time',
    x: 'seconds',
    y: 'MB resident',
    isLogarithmic: false,
    from: 'scale',
    text: 'Resident memory of whole processes while they sign zones of several sizes: of the gateway with its workers from before the zone is served until the client has it, of the peer from its start to its end.',
  },
  {
    plot: 'latency',
    title: 'Distribution of latency',
    x: 'ms',
    y: '% of changes at or below',
    isLogarithmic: true,
    from: 'changes',
    text: 'From when a writer is told that its change of one record is committed until a client has received it by IXFR.',
  },
] as const;

/** How each peer is made to do the same work. */
const PEERS: readonly (readonly [name: string, how: string])[] = [
  [
    'Zoneseal',
    'One gateway with its defaults: one signing thread a core. Reads PostgreSQL on the same machine (fsync on), commits signatures before it sends them. It checks what it publishes (keys, the SOA, the chain), and does not verify the signatures it has just made; neither do the peers.',
  ],
  [
    'kzonesign',
    'Knot DNS: the same algorithm with a KSK and a ZSK, the same denial (NSEC, or NSEC3 without salt and iterations), signing-threads: 2. Reads a file, writes a file, stores nothing. Without -v: it does not verify.',
  ],
  [
    'ldns-signzone',
    'The same algorithm with a KSK and a ZSK, NSEC. It has one thread and no more. Reads a file, writes a file, stores nothing, does not verify (no -a, no ldns-verify-zone).',
  ],
  [
    'PowerDNS',
    'Signs while it answers, from the same records in another database of the same PostgreSQL, with the package’s schema; signing-threads=2 for the large zone, which has a KSK and a ZSK, NSEC; for small zones its defaults and one CSK. Just started, so that no signature is in its cache; it keeps signatures in memory alone.',
  ],
  [
    'knotd',
    'Takes the signed zones from Zoneseal as a secondary and serves them from memory: no journal, no zone file, dnssec-validation off. It signs nothing. With TSIG: hmac-sha256, as the gateway has; the client sees that each transfer ends with a TSIG, and verifies neither server’s.',
  ],
  [
    'openssl speed',
    'As many processes at once as cores, each by its own CPU time. It hashes nothing and stores nothing: a bound, not a signer.',
  ],
];

/** A page that needs nothing but itself: the tables, plots, the machine, and what peers were made to do. */
export function resultsPage({ machine, quick, rows, series }: Results): string {
  const aims = rows.filter(({ aim }) => aim !== null);
  const others = rows.filter(({ aim }) => aim === null);
  const warning = loadWarning(machine.loadAtStart);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Zoneseal: benchmarks of ${escaped(machine.startedAt.slice(0, 10))}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Zoneseal: benchmarks</h1>
<p>${escaped(machine.startedAt)}. Medians of measurements made in turn with the peer’s; in brackets the least and the greatest. Compare ratios of one run, not seconds of two.</p>
${quick ? '<p class="warning"><strong>--quick</strong>: less of everything, smaller zones, fewer rounds. It shows that the suite runs; the figures mean little.</p>' : ''}
${warning === undefined ? '' : `<p class="warning">${escaped(warning)}</p>`}
<h2>Aims</h2>
<p>${escaped(summary(aims))}</p>
${table(aims, true)}
<h2>Plots</h2>
${PLOTS.map((plot) => figure(plot, series)).join('\n')}
<h2>Other figures</h2>
${table(others, false)}
<h2>What peers were made to do</h2>
<dl>
${PEERS.map(([name, how]) => `<dt>${escaped(name)}</dt><dd>${escaped(how)}</dd>`).join('\n')}
</dl>
<h2>The machine</h2>
${machineTable(machine)}
</main>
</body>
</html>
`;
}

function summary(aims: readonly JudgedRow[]): string {
  const count = (wanted: boolean | null): number => aims.filter(({ met }) => met === wanted).length;
  return `${count(true)} rows meet their aims, ${count(false)} fall short, ${count(null)} could not be judged.`;
}

function table(rows: readonly JudgedRow[], isJudged: boolean): string {
  if (rows.length === 0) return '<p>None.</p>';
  const heading = ['what', 'Zoneseal', 'beside', '', 'ratio', ...(isJudged ? ['aim', ''] : [])];
  return `<div class="wide"><table>
<thead><tr>${heading.map((word) => `<th scope="col">${escaped(word)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((one) => tableRow(one, isJudged)).join('\n')}
</tbody>
</table></div>`;
}

function tableRow(one: JudgedRow, isJudged: boolean): string {
  const { name, value, unit, spread, peer, peerValue, peerSpread, ratio, aim, met, note } = one;
  const figureOf = (number: number | null, range: JudgedRow['spread']): string =>
    number === null
      ? '–'
      : `${numberText(number)} ${escaped(unit)}${range === null ? '' : ` <small>(${spreadText(range)})</small>`}`;
  const state = met === null ? 'unknown' : met ? 'met' : 'short';
  const cells = [
    `<th scope="row">${escaped(name)}${note === null ? '' : `<br><small>${escaped(note)}</small>`}</th>`,
    `<td class="number">${figureOf(value, spread)}</td>`,
    `<td>${escaped(peer ?? '')}</td>`,
    `<td class="number">${peer === null ? '' : figureOf(peerValue, peerSpread)}</td>`,
    `<td class="number">${ratio === null ? '' : numberText(ratio)}</td>`,
    ...(isJudged
      ? [`<td>${escaped(aim ?? '')}</td>`, `<td class="${state}">${escaped(metText(met))}</td>`]
      : []),
  ];
  return `<tr>${cells.join('')}</tr>`;
}

function figure(plot: (typeof PLOTS)[number], all: readonly Series[]): string {
  const series = all.filter((line) => line.plot === plot.plot);
  const svg = linePlot({ ...plot, series });
  if (svg === '') {
    return `<figure><figcaption><h3>${escaped(plot.title)}</h3><p>The benchmark ${plot.from} was not part of this run.</p></figcaption></figure>`;
  }
  const legend = series
    .map(({ label }, i) => `<li class="line-${i % LINE_COLOURS}">${escaped(label)}</li>`)
    .join('');
  return `<figure><figcaption><h3>${escaped(plot.title)}</h3><p>${escaped(plot.text)}</p></figcaption>
${svg}
<ul class="legend">${legend}</ul></figure>`;
}

function machineTable(machine: Machine): string {
  const lines: readonly (readonly [string, string])[] = [
    ['CPU', `${machine.cpu}, ${machine.cores} cores`],
    ['Memory', `${machine.memoryGigabytes.toFixed(1)} GB`],
    ['Kernel', machine.kernel],
    ['Load at the start', loadsText(machine.loadAtStart)],
    ['Load at the end', loadsText(machine.loadAtEnd)],
    ...Object.entries(machine.versions),
  ];
  return `<table><tbody>
${lines.map(([what, is]) => `<tr><th scope="row">${escaped(what)}</th><td>${escaped(is)}</td></tr>`).join('\n')}
</tbody></table>`;
}

const LIGHT = ['#0b6bcb', '#c2410c', '#15803d', '#7c3aed', '#b91c5c', '#0f766e', '#a16207', '#475569'];
const DARK = ['#6cb6ff', '#ff9f6b', '#6bd68a', '#b79bff', '#ff8bb0', '#5fd6c8', '#e3b341', '#a9b4c2'];

function colours(values: readonly string[]): string {
  return values.map((value, i) => `--line-${i}:${value};`).join('');
}

const STYLE = `
:root{color-scheme:light dark;--text:#1c2430;--dim:#5b6675;--back:#fff;--rule:#d8dee6;--good:#15803d;--bad:#b42318;--warn:#fff4d6;${colours(LIGHT)}}
@media (prefers-color-scheme:dark){:root{--text:#e4e9f0;--dim:#9aa6b5;--back:#12161c;--rule:#303946;--good:#6bd68a;--bad:#ff8a7a;--warn:#3a2f10;${colours(DARK)}}}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:1.7rem}h2{margin-top:2.2em;font-size:1.25rem}h3{margin:0;font-size:1.05rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem}
th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top;font-weight:normal}
thead th{color:var(--dim)}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
small{color:var(--dim)}
.met{color:var(--good);font-weight:600}.short{color:var(--bad);font-weight:600}.unknown{color:var(--dim)}
.warning{background:var(--warn);padding:8px 12px;border-radius:6px}
figure{margin:1.5em 0}figcaption p{margin:.2em 0 .6em;color:var(--dim)}
svg{width:100%;height:auto}svg text{fill:var(--dim);font-size:12px}
.grid{stroke:var(--rule)}
polyline{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}circle{fill:currentColor}
.legend{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:4px 22px}
.legend li::before{content:"";display:inline-block;width:18px;height:3px;background:currentColor;margin-right:7px;vertical-align:middle}
dt{font-weight:600;margin-top:.6em}dd{margin:0}
${Array.from({ length: LINE_COLOURS }, (_, i) => `.line-${i}{color:var(--line-${i})}`).join('')}
`;
