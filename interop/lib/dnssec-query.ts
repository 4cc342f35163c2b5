import { randomInt } from 'node:crypto';
import { FLAG, type Message, readMessage } from '../../src/dns/message.js';
import { MessageWriter } from '../../src/dns/message-writer.js';
import { Name } from '../../src/dns/name.js';
import { formatRdata } from '../../src/dns/rdata/index.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRClass, typeFromText, typeToText } from '../../src/dns/types.js';
import { exchangeTcp, type Target } from './dns-client.js';

/**
 * Asks over TCP with the DO bit (RFC 3225).
 * @returns undefined when no answer comes in time
 */
export async function queryWithDo(
  target: Target,
  question: { readonly name: string; readonly type: string },
  options: { readonly recursionDesired: boolean; readonly timeoutMilliseconds?: number },
): Promise<Message | undefined> {
  const type = typeFromText(question.type);
  if (type === undefined) throw new Error(`no type: ${question.type}`);
  const writer = new MessageWriter(512);
  writer.writeHeader(randomInt(0x10000), options.recursionDesired ? FLAG.RD : 0);
  writer.writeQuestion(Name.parse(question.name), type, RRClass.IN);
  writer.writeEdns({ udpSize: 1232, version: 0, dnssecOk: true, options: [], extendedRcode: 0 });
  const octets = await exchangeTcp(target, writer.finish(), options.timeoutMilliseconds ?? 10_000);
  return octets === undefined ? undefined : readMessage(octets);
}

/** A record as one line of text. */
export function recordText({ owner, ttl, type, rdata }: ResourceRecord): string {
  return `${owner}\t${ttl}\tIN\t${typeToText(type)}\t${formatRdata(type, rdata)}`;
}
