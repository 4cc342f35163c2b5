import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { EXAMPLE, formatConfigReference } from '../../src/config-reference.js';
import { fieldsOf, settingsOf } from '../../src/config-settings.js';
import { readDocument, readDocuments, splitBlocks } from './documents.js';

function load(text: string): ReturnType<typeof loadConfig> {
  const folder = mkdtempSync(join(tmpdir(), 'zoneseal-docs-'));
  try {
    const file = join(folder, 'zoneseal.yaml');
    writeFileSync(file, text);
    return loadConfig(file, {});
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the reference of the configuration', () => {
  it('is that of the schema (make it anew with: npm run docs)', () => {
    expect(readDocument('docs/configuration.md').text).toBe(formatConfigReference());
  });

  it('says the same on every host', () => {
    expect(formatConfigReference()).not.toMatch(/workers.*`[0-9]+`/);
  });

  it('has every setting and every part of a list', () => {
    const text = formatConfigReference();
    for (const setting of settingsOf()) {
      expect(text).toContain(`| \`${setting.path.join('.')}\`<br>\`${setting.variable}\` |`);
      for (const part of fieldsOf(setting)) expect(text).toContain(`| \`${part.path.at(-1)}\` |`);
    }
  });

  it('has an example that is a configuration', () => {
    const config = load(EXAMPLE);
    expect(config.barbican?.applicationCredentialIdFile).toBe('/etc/zoneseal/barbican-id');
    expect(config.limits).toMatchObject({ transfers: 128, spoolOctets: 20 * 1024 ** 3 });
  });
});

describe('configurations in pages', () => {
  const blocks = readDocuments().flatMap((document) =>
    splitBlocks(document)
      .blocks.filter(({ language, lines }) => language === 'yaml' && /^# \S*\.yaml/.test(lines[0] ?? ''))
      .map(({ lines, line }) => [`${document.path}:${line}`, `${lines.join('\n')}\n`] as const),
  );
  it.each(blocks)('%s', (_, text) => {
    expect(() => load(text)).not.toThrow();
  });

  it('name settings that there are', () => {
    const names = new Set(settingsOf().map(({ path }) => path.join('.')));
    const sections = new Set(
      [...names].filter((name) => name.includes('.')).map((name) => name.split('.')[0]),
    );
    for (const document of readDocuments()) {
      for (const [, name = ''] of splitBlocks(document).prose.matchAll(/`([a-z]+\.[a-zA-Z]+)`/g)) {
        if (!sections.has(name.split('.')[0]) || /\.(ts|js|md|key|yaml|conf)$/.test(name)) continue;
        expect(names.has(name), `${document.path}: ${name}`).toBe(true);
      }
    }
  });
});
