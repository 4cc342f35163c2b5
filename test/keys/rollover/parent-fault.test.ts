import { describe, expect, it } from 'vitest';
import type { DsUse } from '../../../src/keys/rollover/model.js';
import { bogusDs, unseenDs } from '../../../src/keys/rollover/parent-fault.js';
import { ds, key, policy, zone } from './lab.js';

const ksk = key('k', 'KSK', { keyTag: 100 });
const other = key('j', 'KSK', { keyTag: 300, published: false, signs: false, parent: false });
const zsk = key('z', 'ZSK', { keyTag: 200 });
const seen = (keys: readonly string[], more: Partial<DsUse> = {}): DsUse => {
  return { ...ds(ksk), keys, algorithms: keys.length === 0 ? [] : [13], ...more };
};
const all = (...sets: DsUse[]) => zone([ksk, other, zsk], { ds: sets });

describe('the DS at the parent (RFC 4035 §5.2)', () => {
  it.each<[string, DsUse[]]>([
    ['is of a key that signs the key sets', [seen(['k'])]],
    ['is so beside others', [seen(['k', 'unknown:7'])]],
    ['is not there', [seen([])]],
    ['was never seen', [seen(['unknown:7'], { seenAt: null })]],
    ['is over', [seen(['k']), seen(['unknown:7'], { until: 5 })]],
  ])('makes nothing bogus where it %s', (_, sets) => {
    expect(bogusDs(all(...sets), null)).toBeNull();
  });

  it('makes a zone bogus where it is of none of its keys, and what to do is said', () => {
    expect(bogusDs(all(seen(['unknown:7'])), null)).toBe(
      'zone example. is bogus: the parent has the DS of unknown key 7 alone, and KSK 100 signs its key sets; look at what is wanted with "zoneseal keys ds example.", and correct the DS at the parent',
    );
  });

  it('makes a zone bogus where one of its nameservers has another', () => {
    expect(bogusDs(all(seen(['k']), seen(['j', 'unknown:7'])), null)).toContain(
      'DS of KSK 300, unknown key 7 alone',
    );
  });

  it('makes a zone bogus that is served unsigned', () => {
    const unsigned = zone([], { policy: policy({ signed: false }), ds: [seen(['unknown:7'])] });
    expect(bogusDs(unsigned, null)).toContain('the zone is served unsigned');
  });

  it('makes nothing bogus once it is out, though the parent is asked for it still', () => {
    const present = (...keys: readonly string[]) => ({
      sets: [{ keys, algorithms: keys.length === 0 ? [] : [13], ttl: 60 }],
    });
    const state = all(seen(['j']), seen([]));
    expect(bogusDs(state, present('j'))).toContain('the DS of KSK 300 alone');
    expect(bogusDs(state, present())).toBeNull();
    expect(unseenDs(state, present())).toContain('it has none;');
  });

  it('says nothing of a zone that is not served from here', () => {
    expect(bogusDs({ ...all(seen(['unknown:7'])), uses: [] }, null)).toBeNull();
  });
});

describe('the DS that is wanted', () => {
  it('is told of until it was seen, with what the parent has', () => {
    expect(unseenDs(all(seen(['k'])), null)).toBeNull();
    expect(unseenDs(all(), null)).toMatch(/^the DS of KSK 100 is wanted at the parent.*zoneseal parent set/);
    expect(unseenDs(all(seen(['k'], { seenAt: null }), seen([])), null)).toContain('it has none');
    expect(unseenDs(all(seen(['unknown:7'])), null)).toContain('it has that of unknown key 7');
  });

  it('may be none at all, or not be asked for', () => {
    const going = { deleteSentinel: true, policy: policy({ signed: false }), ds: [seen(['k'])] };
    expect(unseenDs(zone([ksk, zsk], going), null)).toContain('it has that of KSK 100');
    expect(unseenDs(zone([zsk], {}), null)).toBeNull();
  });
});
