import type { Series } from './rows.js';
import { numberText } from './text.js';

/** What a plot shows. */
export interface Plot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly isLogarithmic: boolean;
  readonly series: readonly Pick<Series, 'label' | 'points'>[];
}

const WIDTH = 860;
const HEIGHT = 360;
const LEFT = 70;
const RIGHT = 20;
const TOP = 14;
const BOTTOM = 48;
/** Classes `line-0` and so on that the page has colours for. */
export const LINE_COLOURS = 8;

/** Text as HTML and XML want it. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Where a number lies on an axis, 0 to 1, and the numbers that are written beside it. */
interface Axis {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

function linearAxis(least: number, greatest: number): Axis {
  const span = greatest - least || 1;
  const rough = span / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(least / step);
  const last = Math.ceil((least + span) / step);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
  return { at: (value) => (value / step - first) / (last - first), ticks };
}

function logarithmicAxis(least: number, greatest: number): Axis {
  const from = Math.floor(Math.log10(least));
  const to = Math.max(from + 1, Math.ceil(Math.log10(greatest)));
  const powers = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
  // where there are few of them, also some between
  const ticks =
    powers.length > 3
      ? powers
      : powers.flatMap((power, i) => (i < to - from ? [power, 2 * power, 5 * power] : [power]));
  return { at: (value) => (Math.log10(value) - from) / (to - from), ticks };
}

/** An SVG of lines with their points; the title of each point tells its numbers. Empty where there is nothing to show. */
export function linePlot({ title, x, y, isLogarithmic, series }: Plot): string {
  const points = series.flatMap((line) => line.points).filter(([at]) => !isLogarithmic || at > 0);
  if (points.length === 0) return '';
  const xs = points.map(([at]) => at);
  const ys = points.map(([, value]) => value);
  const across = (isLogarithmic ? logarithmicAxis : linearAxis)(
    isLogarithmic ? Math.min(...xs) : 0,
    Math.max(...xs),
  );
  const up = linearAxis(0, Math.max(...ys));
  const left = (value: number): string => (LEFT + across.at(value) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const top = (value: number): string =>
    (HEIGHT - BOTTOM - up.at(value) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const grid = [
    ...across.ticks.map(
      (tick) =>
        `<line class="grid" x1="${left(tick)}" x2="${left(tick)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text x="${left(tick)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${numberText(tick)}</text>`,
    ),
    ...up.ticks.map(
      (tick) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${top(tick)}" y2="${top(tick)}"/><text x="${LEFT - 8}" y="${top(tick)}" dy="4" text-anchor="end">${numberText(tick)}</text>`,
    ),
  ];
  const lines = series.map((line, i) => lineOf(line, i, { left, top, isLogarithmic }));
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    ...grid,
    `<text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escaped(x)}</text>`,
    `<text class="axis" transform="translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>`,
    ...lines,
    '</svg>',
  ].join('\n');
}

/** So many points that each is a mark of its own. */
const MARKED = 30;

function lineOf(
  { label, points }: Plot['series'][number],
  index: number,
  scale: {
    readonly left: (value: number) => string;
    readonly top: (value: number) => string;
    readonly isLogarithmic: boolean;
  },
): string {
  const { left, top, isLogarithmic } = scale;
  const shown = points.filter(([at]) => !isLogarithmic || at > 0);
  const path = shown.map(([at, value]) => `${left(at)},${top(value)}`).join(' ');
  const marks =
    shown.length > MARKED
      ? ''
      : shown
          .map(
            ([at, value]) =>
              `<circle cx="${left(at)}" cy="${top(value)}" r="3.5"><title>${escaped(label)}: ${numberText(at)}, ${numberText(value)}</title></circle>`,
          )
          .join('');
  return `<g class="line-${index % LINE_COLOURS}"><title>${escaped(label)}</title><polyline points="${path}"/>${marks}</g>`;
}
