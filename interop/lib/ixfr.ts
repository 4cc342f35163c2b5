/** Answers to IXFR (RFC 1995 §4) and what they make of the zone that the client holds. */
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType } from '../../src/dns/types.js';
import { serialOf } from './soa.js';

/** One step from a serial to the next; the SOA records are the first of each part. */
export interface IxfrStep {
  readonly from: number;
  readonly to: number;
  readonly deleted: readonly ResourceRecord[];
  readonly added: readonly ResourceRecord[];
}

/** What an answer is: one SOA, the zone as a whole, or steps. */
export type IxfrAnswer =
  | { readonly kind: 'current'; readonly serial: number }
  | { readonly kind: 'whole'; readonly serial: number; readonly records: readonly ResourceRecord[] }
  | { readonly kind: 'steps'; readonly serial: number; readonly steps: readonly IxfrStep[] };

/**
 * Reads the records of an answer in their order.
 * @throws Error when they are none of the three
 */
export function readIxfr(records: readonly ResourceRecord[]): IxfrAnswer {
  const [first, second] = records;
  if (first?.type !== RRType.SOA) throw new Error('an answer to IXFR begins with an SOA');
  const serial = serialOf(first);
  if (second === undefined) return { kind: 'current', serial };
  const last = records.at(-1) as ResourceRecord;
  if (last.type !== RRType.SOA || serialOf(last) !== serial) throw new Error('it does not end as it began');
  if (second.type !== RRType.SOA || records.length === 2) {
    return { kind: 'whole', serial, records: records.slice(0, -1) };
  }
  const steps = readSteps(records.slice(1, -1));
  for (const [i, { to }] of steps.entries()) {
    const next = steps[i + 1]?.from ?? serial;
    if (to !== next) throw new Error(`a step leads to ${to}, the next begins with ${next}`);
  }
  return { kind: 'steps', serial, steps };
}

function readSteps(records: readonly ResourceRecord[]): IxfrStep[] {
  const parts: ResourceRecord[][] = [];
  for (const record of records) {
    if (record.type === RRType.SOA) parts.push([]);
    parts.at(-1)?.push(record);
  }
  if (parts.length % 2 === 1) throw new Error('a step without additions');
  const steps: IxfrStep[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const [deleted, added] = parts.slice(i, i + 2) as [ResourceRecord[], ResourceRecord[]];
    const [from, to] = [deleted, added].map((part) => serialOf(part[0] as ResourceRecord));
    steps.push({ from: from as number, to: to as number, deleted, added });
  }
  return steps;
}

/** The octets of a record, as a key; names as they are written. */
export const recordKey = ({ owner, type, ttl, rdata }: ResourceRecord): string =>
  `${owner} ${type} ${ttl} ${Buffer.from(rdata).toString('base64url')}`;

/**
 * A zone after steps, with nothing forgiven.
 * @throws Error when something is deleted that is not there, or added that is, octet by octet
 */
export function applyIxfr(
  zone: readonly ResourceRecord[],
  steps: readonly IxfrStep[],
): readonly ResourceRecord[] {
  const held = new Map(zone.map((record) => [recordKey(record), record]));
  for (const { from, to, deleted, added } of steps) {
    for (const record of deleted) {
      const key = recordKey(record);
      if (!held.delete(key)) throw new Error(`${from} to ${to} deletes what is not there: ${key}`);
    }
    for (const record of added) {
      const key = recordKey(record);
      if (held.has(key)) throw new Error(`${from} to ${to} adds what is there: ${key}`);
      held.set(key, record);
    }
  }
  return [...held.values()];
}
