import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import { dnskeyRdata, dsRdata, keyTag } from '../../../src/dnssec/dnskey.js';
import type { DsUse } from '../../../src/keys/rollover/model.js';
import { bogusDs, misfitOf, unseenDs } from '../../../src/keys/rollover/parent-fault.js';
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

  it('makes a zone bogus to some where the strongest digests are of another key (RFC 4509 §3)', () => {
    expect(bogusDs(all(seen(['j', 'k']), seen(['j'])), null)).toBe(
      'zone example. is bogus to some: validators that take the strongest digest only, or ask a nameserver of the parent that has less, find the DS of KSK 300 alone, and KSK 100 signs its key sets; see "zoneseal parent check example.", and have the parent take for every key DS of the same digests, as "zoneseal keys ds example." prints them',
    );
    expect(bogusDs(all(seen(['j', 'k']), seen(['k'])), null)).toBeNull();
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

  it('is told of while the parent has another one as well', () => {
    const both = unseenDs(all(seen(['k']), seen(['j', 'k'])), null);
    expect(both).toMatch(/^the DS of KSK 100 is wanted at the parent, and is not all that was seen there/);
    const going = { deleteSentinel: true, policy: policy({ signed: false }), ds: [seen([]), seen(['k'])] };
    expect(unseenDs(zone([ksk, zsk], going), null)).toContain('was seen with some as well');
  });

  it('may be none at all, or not be asked for', () => {
    const going = { deleteSentinel: true, policy: policy({ signed: false }), ds: [seen(['k'])] };
    expect(unseenDs(zone([ksk, zsk], going), null)).toContain('it has that of KSK 100');
    expect(unseenDs(zone([zsk], {}), null)).toBeNull();
  });
});

describe('the DS that one nameserver of the parent gives', () => {
  const at = Name.parse('Example.');
  const made = (id: string, algorithm: number, signs: boolean) => {
    const fields = { algorithm, flags: 257, publicKey: new Uint8Array(64).fill(id.charCodeAt(0)) };
    const tag = keyTag(dnskeyRdata(fields));
    return key(id, 'KSK', { ...fields, keyTag: tag, signs, published: signs });
  };
  const fresh = made('new', 13, true);
  const old = made('old', 13, false);
  const gone = made('x', 15, false);
  const record = (of: typeof old, digest: number) => dsRdata(at, dnskeyRdata(of), digest);
  const misfit = (...ds: Uint8Array[]) => misfitOf(at, ds, [fresh, old, gone]);

  it.each<[string, Uint8Array[]]>([
    ['there is none', []],
    ['it is of what signs', [record(fresh, 2)]],
    ['all keys have the same digests', [record(old, 2), record(fresh, 2)]],
    [
      'what signs has the strongest digest',
      [record(old, 1), record(fresh, 2), record(old, 2), record(fresh, 4)],
    ],
  ])('is right where %s', (_, ds) => {
    expect(misfit(...ds)).toBeNull();
  });

  it.each([
    [4, 2],
    [2, 1],
  ])('is bogus to those that take the strongest digest only: %i of the old key, %i of what signs', (a, b) => {
    expect(misfit(record(old, a), record(fresh, b))).toBe(
      `validators that take the strongest digest only find the DS of ${old.keyTag} alone, which signs no DNSKEY RRset of example., and bogus answers; have the parent take for every key DS of the same digests: zoneseal keys ds example.`,
    );
  });

  it('is so as well where the strongest one is of another algorithm', () => {
    expect(misfit(record(fresh, 2), record(gone, 4))).toContain(`the DS of ${gone.keyTag} alone`);
  });

  it('is bogus to all where it is of no key that signs', () => {
    expect(misfit(record(old, 2))).toMatch(/^no DS record there is of a key that signs .* of example\./);
  });
});
