import { describe, expect, it } from 'vitest';
import { AIMS } from '../../bench/aims.js';
import type { Machine } from '../../bench/machine.js';
import { resultsPage } from '../../bench/page.js';
import { escaped, linePlot } from '../../bench/plots.js';
import { judgeRows, row, type Series } from '../../bench/rows.js';

const EVIL = `<script>"x"&'y'</script>`;
const ALL = [...new Set(Object.values(AIMS).map(({ benchmark }) => benchmark))];

const machine = (load: number): Machine => ({
  cpu: EVIL,
  cores: 2,
  memoryGigabytes: 8,
  kernel: '6.1',
  startedAt: '2026-11-28T12:00:00.000Z',
  loadAtStart: [load, 0, 0],
  loadAtEnd: [0, 0, 0],
  versions: { Zoneseal: '0.1.0', [EVIL]: EVIL },
});

const series = (plot: Series['plot']): Series => ({
  plot,
  label: EVIL,
  points: [
    [1000, 20],
    [1_000_000, 25],
  ],
});

function page(load = 0, quick = false): string {
  const rows = judgeRows([{ ...row(EVIL, 1, EVIL, EVIL, 2), aim: 'cold-knot', note: EVIL }], {
    benchmarks: ALL,
    quick,
  });
  const plots = [series('cost'), series('memory'), series('latency')];
  return resultsPage({ machine: machine(load), quick, rows, series: plots });
}

describe('the page', () => {
  it('has text as text, wherever it comes from, and needs nothing from elsewhere', () => {
    const html = page();
    expect(html).toContain(escaped(EVIL));
    expect(html).not.toMatch(/<script|"x"|\b(src|href|@import|url)\s*[=(]/i);
  });

  it('has a row for every aim, and three plots', () => {
    const html = page();
    const [aims = ''] = html.split('<h2>Plots</h2>');
    expect(aims.match(/<tr><th scope="row">/g)).toHaveLength(Object.keys(AIMS).length);
    expect(html.match(/<svg /g)).toHaveLength(3);
    expect(html.match(/<polyline /g)).toHaveLength(3);
  });

  it('says when the machine was busy, and when less was measured', () => {
    expect(page()).not.toContain('class="warning"');
    expect(page(1.5)).toContain('the load was 1.5 at the start');
    expect(page(0, true)).toContain('--quick');
  });

  it('is for light and for dark', () => {
    expect(page()).toContain('prefers-color-scheme:dark');
  });

  it('says what was not run where a plot has no lines', () => {
    const html = resultsPage({ machine: machine(0), quick: false, rows: [], series: [] });
    expect(html).not.toContain('<svg ');
    expect(html).toContain('The benchmark scale was not part of this run');
  });
});

it('a plot keeps its points within its frame', () => {
  const points = [
    [0, 0],
    [1, 3],
    [1000, 7.3],
    [999_999, 0.001],
  ] as const;
  for (const isLogarithmic of [false, true]) {
    const svg = linePlot({ title: 't', x: 'x', y: 'y', isLogarithmic, series: [{ label: 'l', points }] });
    const drawn = /points="([^"]*)"/.exec(svg)?.[1]?.split(' ') ?? [];
    expect(drawn).toHaveLength(isLogarithmic ? 3 : 4);
    for (const point of drawn) {
      const [x = Number.NaN, y = Number.NaN] = point.split(',').map(Number);
      expect(x >= 70 && x <= 840).toBe(true);
      expect(y >= 14 && y <= 312).toBe(true);
    }
  }
  expect(linePlot({ title: 't', x: 'x', y: 'y', isLogarithmic: true, series: [] })).toBe('');
});
