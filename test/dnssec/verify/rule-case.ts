import { expect } from 'vitest';
import type { VerifiableRecord, VerifyOptions, VerifyRule } from '../../../src/dnssec/verify/index.js';
import { makeKey, type ResignOptions, records, resign, show } from './resign.js';

export type Zone = VerifiableRecord[];

export interface RuleCase {
  readonly rule: VerifyRule;
  readonly title: string;
  /** The vector it begins with; `ldns-nsec-13` where it is left out. */
  readonly vector?: string;
  /** Lines to add. */
  readonly add?: string;
  /** Records to leave out, by pattern on their line. */
  readonly drop?: RegExp;
  readonly change?: (zone: Zone) => Zone | Promise<Zone>;
  /** `false`: the signatures stay as they are. */
  readonly resign?: ResignOptions | false;
  readonly options?: Partial<VerifyOptions>;
  /** Where the fault is to be, and with what type. */
  readonly at: string;
  readonly severity?: 'warning';
  /** Other rules that the same change has to break. */
  readonly also?: readonly VerifyRule[];
}

export const matches = (pattern: RegExp) => (record: VerifiableRecord) => pattern.test(show(record));
export const edit = (pattern: RegExp, make: (record: VerifiableRecord) => VerifiableRecord) => (zone: Zone) =>
  zone.map((record) => (matches(pattern)(record) ? make(record) : record));
export const octets = (pattern: RegExp, change: (rdata: Uint8Array) => void) =>
  edit(pattern, (record) => {
    const rdata = record.rdata.slice();
    change(rdata);
    return { ...record, rdata };
  });
/** Rewrites the text of records. */
export const text = (pattern: RegExp, from: RegExp | string, to: string) => async (zone: Zone) => {
  const [kept, rest] = [zone.filter((r) => !matches(pattern)(r)), zone.filter(matches(pattern))];
  expect(rest.length).toBeGreaterThan(0);
  return [...kept, ...(await records(rest.map((r) => show(r).replace(from, to)).join('\n')))];
};

export const NSEC = 'ldns-nsec-13';
export const NSEC3 = 'bind-nsec3-13';
export const OPT_OUT = 'knot-opt-out-13';
export const ksk = makeKey(15, 257);
export const zsk = makeKey(15, 256);
export const other = makeKey(13, 257);

/** The zone of a case: a sound one, changed, and signed anew unless the case says no. */
export async function buildCase(entry: RuleCase, sound: Zone, now: number): Promise<Zone> {
  let zone = sound;
  if (entry.drop !== undefined) {
    const pattern = entry.drop;
    zone = sound.filter((record) => !pattern.test(show(record)));
    expect(zone.length).toBeLessThan(sound.length);
  }
  if (entry.change !== undefined) zone = await entry.change(zone);
  if (entry.add !== undefined) zone = [...zone, ...(await records(entry.add))];
  return entry.resign === false ? zone : resign(zone, { now, ...entry.resign });
}
