import { expect, it } from 'vitest';
import { readDocument } from './documents.js';

const { text } = readDocument('docs/performance.md');

/** The cells of the table that begins with a heading. */
function tableOf(heading: string): string[][] {
  const lines = text.slice(text.indexOf(heading)).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

it('the page on performance has measured ratios beside two other signers, with their date and machine', () => {
  expect(readDocument('README.md').text).toContain('measured beside other signers');
  expect(text).toMatch(/^Taken \d{4}-\d\d-\d\d on .*Node\.js \d+/m);
  const rows = tableOf('| what | Zoneseal | ldns-signzone | ratio | kzonesign | ratio |');
  expect(rows.length).toBeGreaterThan(0);
  for (const [, own = '', ...peers] of rows) {
    for (const [seconds = '', ratio = ''] of [peers.slice(0, 2), peers.slice(2)]) {
      expect(Math.abs(Number.parseFloat(own) / Number.parseFloat(seconds) - Number(ratio))).toBeLessThan(
        0.01,
      );
    }
  }
});
