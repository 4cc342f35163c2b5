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
  const rows = tableOf('| what | Zoneseal | peer | ratio | aim |');
  const peers = new Set<string>();
  let own = '';
  for (const [, value = '', peer = '', ratio = ''] of rows) {
    if (value !== '') own = value;
    const [, name = '', figure = ''] = /^(.*?) ([\d.,]+)(?: (?:s|ms|MB))?$/.exec(peer) ?? [];
    if (name === '' || ratio === '') continue;
    peers.add(name);
    const measured = numberOf(own) / numberOf(figure);
    expect(Math.abs(measured / numberOf(ratio) - 1), `${own}, ${peer}`).toBeLessThan(0.03);
  }
  expect([...peers]).toEqual(expect.arrayContaining(['kzonesign', 'ldns-signzone', 'PowerDNS', 'knotd']));
});

function numberOf(text: string): number {
  return Number.parseFloat(text.replaceAll(',', ''));
}
