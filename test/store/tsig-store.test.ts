import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { tsigKeyReader } from '../../src/gateway-store.js';
import type { Database } from '../../src/store/database.js';
import { TsigStore } from '../../src/store/tsig-store.js';
import { ListLog } from '../transfer/fixture.js';

const LONG = `${'a'.repeat(64)}.`;

/** A store whose tables hold these rows, as a program without a check of names may have written them. */
function storeOf(rows: readonly object[]): TsigStore {
  const query = (): Promise<unknown> => Promise.resolve(rows);
  return new TsigStore({ query } as unknown as Database);
}

function row(name: string, grants: readonly object[] | null): object {
  return { name, algorithm: 'hmac-sha256', secret_ref: `https://barbican/${name}`, grants };
}

function grant(view: string, zones: readonly string[] | null): object {
  return { view, zones, addresses: null };
}

describe('TSIG rows that cannot be read', () => {
  it('open nothing, are told of, and stop nothing else', async () => {
    const store = storeOf([
      row(LONG, [grant('internal', null)]),
      row('bad.', [grant('internal', ['fine.', 'a..b.'])]),
      row('half.', [grant('internal', [LONG]), grant('external', ['Fine.'])]),
      row('none.', null),
    ]);
    const problems: string[] = [];
    const keys = await store.read((message) => problems.push(message));
    expect(keys.map(({ name, grants }) => [name.toString(), grants])).toEqual([
      ['bad.', []],
      ['half.', [{ view: 'external', zones: new Set([Name.parse('fine.').key]), addresses: null }]],
      ['none.', []],
    ]);
    expect(problems).toEqual([
      expect.stringContaining(`TSIG key "${LONG}" is not used, its name cannot be read: `),
      expect.stringContaining(
        'a grant of the view internal to the TSIG key bad. is not used, its zone "a..b." ',
      ),
      expect.stringContaining(`to the TSIG key half. is not used, its zone "${LONG}" cannot be read: `),
    ]);
    expect(await store.read()).toHaveLength(3);
  });

  it('are warned of once for as long as they are there', async () => {
    const rows = [row('bad.', [grant('internal', ['a..b.'])])];
    const read = tsigKeyReader(storeOf(rows));
    const log = new ListLog();
    await read(log);
    await read(log);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]?.level).toBe('warn');
    rows.push(row('worse.', [grant('internal', ['..'])]));
    await read(log);
    expect(log.lines).toHaveLength(2);
    const [mended] = rows.splice(0, 1);
    await read(log);
    rows.push(mended as object);
    await read(log);
    expect(log.lines).toHaveLength(3);
  });
});
