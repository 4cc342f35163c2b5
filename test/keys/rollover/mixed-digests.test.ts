import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import { dnskeyRdata, dsRdata, keyTag } from '../../../src/dnssec/dnskey.js';
import { observeParent } from '../../../src/keys/rollover/apply.js';
import { decide } from '../../../src/keys/rollover/decide.js';
import type { ManagedKey, RolloverState } from '../../../src/keys/rollover/model.js';
import { parentNow } from '../../../src/keys/rollover/parent-now.js';
import { ds, key, policy, zone } from './lab.js';

const HOUR = 3600;
const NAME = Name.parse('example.');
const zsk = key('z', 'ZSK');

function ksk(id: string, more: Partial<ManagedKey>): ManagedKey {
  const fields = { algorithm: 13, flags: 257, publicKey: new Uint8Array(64).fill(id.charCodeAt(0)) };
  return key(id, 'KSK', { ...fields, keyTag: keyTag(dnskeyRdata(fields)), ...more });
}

/** The state once the parent's one nameserver was seen with such DS. */
function withDs(state: RolloverState, records: readonly [ManagedKey, number][], at: number): RolloverState {
  const rdata = records.map(([of, digest]) => dsRdata(NAME, dnskeyRdata(of), digest));
  const sighting = { server: 'a', ds: rdata, ttl: HOUR, firstSeen: at, lastSeen: at };
  const seen = parentNow(NAME, state.keys, [sighting]);
  if (seen === null) throw new Error('nothing was seen');
  return { ...state, ds: observeParent(state, seen) };
}

/** What is done to the old key's part in the DNSKEY RRset now. */
const leaves = (state: RolloverState, now: number): boolean =>
  decide(state, now).steps.some(
    (step) =>
      step.kind === 'change' && step.keys.some(({ id, published }) => id === 'o' && published === false),
  );

/** Beyond what caches hold of the time before, and of any DS set that is there no more. */
const LATER = 1_000_000;

describe('DS of different digest types (RFC 4509 §3)', () => {
  const used = ksk('o', { goal: 'out', parent: false });
  const successor = ksk('n', { replaces: 'o' });
  const rolling = zone([used, successor, zsk], { ds: [ds(used)] });

  it.each([
    [4, 2],
    [2, 1],
  ])('a KSK does not leave while its DS has digest %i, and that of its successor %i', (old, fresh) => {
    const mixed = withDs(
      rolling,
      [
        [used, old],
        [successor, fresh],
      ],
      0,
    );
    expect(leaves(mixed, LATER)).toBe(false);
    expect(decide(mixed, LATER).waits[0]?.why).toMatch(/DS set \(KSK \d+\) finds no key of algorithm 13/);
    const mended = withDs(
      mixed,
      [
        [used, fresh],
        [successor, fresh],
      ],
      LATER,
    );
    expect(leaves(mended, LATER + 1)).toBe(false);
    expect(leaves(mended, 2 * LATER)).toBe(true);
  });

  it('a KSK leaves once its successor has the strongest digest in all caches, whatever else is there', () => {
    const mixed = withDs(
      rolling,
      [
        [used, 2],
        [successor, 4],
      ],
      0,
    );
    expect(leaves(mixed, 1)).toBe(false);
    expect(leaves(mixed, LATER)).toBe(true);
  });

  it('a KSK whose DS came first takes no place that the strongest digest does not lead to (RFC 7583 §3.3.2)', () => {
    const waiting = zone(
      [
        ksk('o', { goal: 'out' }),
        ksk('n', { replaces: 'o', published: false, signs: false, activeAt: null }),
        zsk,
      ],
      { policy: policy({ kskRoll: 'double-ds' }), ds: [ds(used)] },
    );
    const { keys } = waiting;
    const [old, fresh] = keys as [ManagedKey, ManagedKey];
    expect(
      leaves(
        withDs(
          waiting,
          [
            [old, 4],
            [fresh, 2],
          ],
          0,
        ),
        LATER,
      ),
    ).toBe(false);
    expect(
      leaves(
        withDs(
          waiting,
          [
            [old, 4],
            [fresh, 4],
          ],
          0,
        ),
        LATER,
      ),
    ).toBe(true);
  });
});
