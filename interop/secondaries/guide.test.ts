import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const folder = new URL('../config/', import.meta.url);
const guide = readFileSync(new URL('../../docs/secondaries.md', import.meta.url), 'utf8');
const quoted = new Map(
  [...guide.matchAll(/^<!-- interop\/config\/(\S+) -->\n```\w*\n([\s\S]*?)```$/gm)].map(([, file, text]) => [
    file,
    text,
  ]),
);

describe('docs/secondaries.md', () => {
  test.each(readdirSync(folder))('quotes interop/config/%s as the suite runs it', (file) => {
    expect(quoted.get(file)).toBe(readFileSync(new URL(file, folder), 'utf8'));
  });

  test('says what every word in its files stands for', () => {
    const words = new Set([...quoted.values()].flatMap((text) => text?.match(/\{\{[A-Z_]+\}\}/g) ?? []));
    const prose = guide.replaceAll(/^```[\s\S]*?^```$/gm, '');
    expect(
      [...words].filter(
        (word) => !prose.includes(`\`${word}\``) && !/\{\{(INTERNAL|EXTERNAL)_KEY_/.test(word),
      ),
    ).toEqual([]);
  });
});
