/** Serials of zones, as answers and transfers have them. */
import type { Message } from '../../src/dns/message.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import type { TsigKey } from '../../src/dns/tsig-key.js';
import { RRType } from '../../src/dns/types.js';
import { query, type Target } from './dns-client.js';

/** The serial in an SOA record. */
export function serialOf({ rdata }: Pick<ResourceRecord, 'rdata'>): number {
  return Buffer.from(rdata).readUInt32BE(rdata.length - 20);
}

/** The serial in the answer section; undefined where there is none. */
export function serialIn(message: Pick<Message, 'answer'> | undefined): number | undefined {
  const soa = message?.answer.find(({ type }) => type === RRType.SOA);
  return soa === undefined ? undefined : serialOf(soa);
}

/** Asks for the serial of a zone over UDP; undefined when there is no answer with one in time. */
export async function askSerial(
  target: Target,
  zone: string,
  key: TsigKey | undefined,
  timeoutMilliseconds = 1000,
): Promise<number | undefined> {
  const signing = key === undefined ? {} : { signing: { key } };
  const answer = await query(target, { name: zone, type: 'SOA', ...signing, timeoutMilliseconds }).catch(
    () => undefined,
  );
  return serialIn(answer?.message);
}

/** Whether a serial comes after another one (RFC 1982 §3.2). */
export const isLater = (serial: number, than: number): boolean => ((serial - than) | 0) > 0;
