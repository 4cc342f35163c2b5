import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/keys/rollover/decide.js';
import type { SilentServer } from '../../../src/keys/rollover/model.js';
import { unseenDs } from '../../../src/keys/rollover/parent-fault.js';
import { type LastSighting, silentServers } from '../../../src/keys/rollover/parent-now.js';
import { describeSilent } from '../../../src/keys/rollover/words.js';
import { ds, key, zone } from './lab.js';

const DS = [new Uint8Array([1])];
const seen = (server: string, firstSeen: number, lastSeen: number, of: LastSighting['ds'] = DS) => {
  return { server, ds: of, ttl: 60, firstSeen, lastSeen };
};

describe("a nameserver of the parent's is silent", () => {
  it.each<[string, LastSighting[], string[]]>([
    ['not where nobody was asked', [], []],
    ['not where all answered together', [seen('a 53', 1, 9), seen('b 53', 9, 9, [])], []],
    ['not where none has changed since', [seen('a 53', 1, 5), seen('b 53', 2, 9)], []],
    ['where it has never answered', [seen('a 53', 1, 9), seen('b 53', 2, 2, null)], ['b 53 null 2']],
    ['where another one has changed since', [seen('a 53', 1, 5.5), seen('b 53', 8, 9, [])], ['a 53 5 1']],
    ['not where an operator has said since what all have', [seen('a 53', 1, 5, null), seen('', 1, 7)], []],
    [
      'where another one has changed since an operator said it',
      [seen('a 53', 1, 5), seen('', 6, 7), seen('b 53', 8, 9, [])],
      ['a 53 5 1'],
    ],
    ['not where nobody has a nameserver, but an operator said it', [seen('', 6, 7)], []],
  ])('%s', (_, sightings, expected) => {
    expect(
      silentServers(sightings).map(({ server, answeredAt, askedAt }) => `${server} ${answeredAt} ${askedAt}`),
    ).toEqual(expected);
  });
});

describe('a wait for the parent', () => {
  const ksk = key('k', 'KSK');
  const zsk = key('z', 'ZSK');
  const stopped: SilentServer = { server: '192.0.2.2 53', answeredAt: 100, askedAt: 50 };
  const never: SilentServer = { server: '2001:db8::1 5353', answeredAt: null, askedAt: 50 };
  const NAMED =
    "of the parent's nameservers 192.0.2.2 has not answered since 1970-01-01T00:01:40Z, " +
    '2001:db8::1 port 5353 has never answered since it was first asked at 1970-01-01T00:00:50Z';
  const CHECK = 'see: zoneseal parent check example.';

  /** A roll that waits until the parent has the DS of the new key, and not that of the old one. */
  const successor = key('n', 'KSK', { replaces: 'k', activeAt: null });
  const waiting = zone([{ ...ksk, parent: false, goal: 'out' }, successor, zsk], {
    ds: [ds(ksk), { ...ds(successor), seenAt: null }],
  });
  /** One of which nobody knows what the parent has. */
  const unknown = zone([ksk, zsk], { asked: ['k'], ds: [] });
  /** A key that is out, and of which the parent has a DS still. */
  const out = key('o', 'KSK', { published: false, signs: false, parent: false, goal: 'out' });
  const left = zone([ksk, zsk, out], { ds: [ds(ksk), ds(out)] });

  it.each([
    ['for its DS set', unknown],
    ['for another DS set', waiting],
    ['for a DS to go', left],
  ])('%s, names the nameservers that are silent, and points to what asks them', (_, state) => {
    const text = (silent: readonly SilentServer[] | undefined): string =>
      decide({ ...state, ...(silent === undefined ? {} : { silent }) }, 0)
        .waits.map(({ message }) => message)
        .join('\n');
    expect(text([stopped, never])).toContain(`${NAMED}; ${CHECK}`);
    expect(text([stopped, never])).not.toContain('parent set');
    expect(text([])).toContain(CHECK);
    expect(text([])).not.toContain('parent set');
    expect(text(undefined)).toContain('zoneseal parent set');
    expect(text(undefined)).not.toContain(CHECK);
  });

  it('for the first DS does so too', () => {
    expect(unseenDs({ ...unknown, silent: [stopped, never] }, null)).toContain(
      `nobody knows what it has: ${NAMED}; ${CHECK}`,
    );
    expect(unseenDs({ ...zone([ksk, zsk], { ds: [ds()] }), silent: [stopped] }, null)).toContain(
      '192.0.2.2 has not answered since 1970-01-01T00:01:40Z; it has none',
    );
  });

  it('names some of many', () => {
    const many = Array.from({ length: 13 }, (_, i) => ({ ...stopped, server: `192.0.2.${i} 53` }));
    expect(describeSilent(many)).toMatch(/192\.0\.2\.4 has not answered since \S+, and 8 others have not$/);
    expect(describeSilent([])).toBeNull();
  });
});
