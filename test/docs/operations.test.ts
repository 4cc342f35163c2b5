import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.js';
import { type GatewayState, gatewayMetrics } from '../../src/gateway-metrics.js';
import { ROOT, readDocument, readDocuments } from './documents.js';

const guide = readDocument('docs/operations.md').text;

/** Everything that the sources say, for looking up what a page says of them. */
function sources(): string {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
    .join('\n');
}

describe('the operator’s guide', () => {
  it('names metrics that there are', () => {
    // what they read is asked for later
    const metrics = gatewayMetrics({ server: { counts: { tcp: {}, udp: {} } } } as unknown as GatewayState);
    expect(metrics.filter(({ name }) => name.startsWith('zoneseal')).map(({ name }) => name)).toEqual([]);
    const names = new Set(metrics.map(({ name }) => `zoneseal_${name}`));
    const roles = ['zoneseal_reader', 'zoneseal_writer', 'zoneseal_gateway', 'zoneseal_admin'];
    const named = [...guide.matchAll(/`[^`\n]*?(zoneseal_[a-z_]+)[^`\n]*`/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !names.has(name) && !roles.includes(name))).toEqual([]);
    expect(named.length).toBeGreaterThan(10);
  });

  it('quotes lines of the log as they are written', () => {
    const text = sources();
    const quoted = [...guide.matchAll(/^\| (?:info|warn|error) \| `([^`]+)` \|/gm)].map(
      ([, line = '']) => line,
    );
    expect(quoted.length).toBeGreaterThan(8);
    expect(quoted.filter((line) => !text.includes(`'${line}'`))).toEqual([]);
  });

  it('and the other pages name error codes that there are', () => {
    const prefixes = new Set(Object.keys(ERROR_CODES).map((code) => code.split('_', 1)[0]));
    const wrong = readDocuments().flatMap(({ path, text }) =>
      [...text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)]
        .filter(([, code = '']) => prefixes.has(code.split('_', 1)[0]) && !(code in ERROR_CODES))
        .map(([, code]) => `${path}: ${code}`),
    );
    expect(wrong).toEqual([]);
  });
});
