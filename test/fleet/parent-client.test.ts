import { generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { FLAG, type Message } from '../../src/dns/message.js';
import { MessageWriter } from '../../src/dns/message-writer.js';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import { RRClass, RRType } from '../../src/dns/types.js';
import { dnskeyRdata, dsRdata, keyTag } from '../../src/dnssec/dnskey.js';
import { readSignature, signedOctets } from '../../src/dnssec/verify/signature.js';
import { type DsSighting, ParentClient } from '../../src/fleet/parent-client.js';
import { FakePeer } from './fake-peer.js';

const PARENT = Name.parse('example.');
const ZONE = 'child.example.';
const DAY = 86_400;
const CAP = 7 * DAY;

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
const dnskey = dnskeyRdata({
  flags: 257,
  algorithm: 13,
  publicKey: Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]),
});
const ANCHOR = dsRdata(PARENT, dnskey, 2);

interface Rrset {
  readonly owner: string;
  readonly type: number;
  readonly text: string;
  /** As it was signed; null: it is not. */
  readonly signed: number | null;
  /** As it comes. */
  readonly ttl: number;
}

const DS: Rrset = {
  owner: ZONE,
  type: RRType.DS,
  text: `7 13 2 ${'a1'.repeat(32)}`,
  signed: 3600,
  ttl: 3600,
};
/** MINIMUM is 900. */
const SOA: Rrset = {
  owner: 'example.',
  type: RRType.SOA,
  text: 'ns.example. host.example. 1 3600 600 86400 900',
  signed: 7200,
  ttl: 7200,
};
const NSEC: Rrset = {
  owner: ZONE,
  type: RRType.NSEC,
  text: 'd.example. NS RRSIG NSEC',
  signed: 900,
  ttl: 900,
};

let peer: FakePeer;
beforeEach(async () => {
  peer = await FakePeer.start();
});
afterEach(() => peer.close());

function rrsig({ owner, type, signed }: Rrset, rdata: Uint8Array): Uint8Array {
  const signer = PARENT.wire;
  const header = Buffer.alloc(18 + signer.length);
  const name = Name.parse(owner);
  header.writeUInt16BE(type, 0);
  header.set([13, name.labelCount], 2);
  header.writeUInt32BE(signed ?? 0, 4);
  header.writeUInt32BE(systemClock.seconds() + 1000, 8);
  header.writeUInt32BE(systemClock.seconds() - 1000, 12);
  header.writeUInt16BE(keyTag(dnskey), 16);
  header.set(signer, 18);
  const set = { type, records: [{ ttl: 0, rdata }], duplicates: 0 };
  const input = signedOctets(readSignature(header, 0), name, set);
  return Buffer.concat([header, sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' })]);
}

function answer(request: Message, answers: readonly Rrset[], authorities: readonly Rrset[]): Uint8Array {
  const writer = new MessageWriter(4096);
  writer.writeHeader(request.id, FLAG.QR | FLAG.AA);
  const [question] = request.question;
  if (question === undefined) throw new Error('there is no question');
  writer.writeQuestion(question.name, question.type, question.class);
  const write = (section: 'answer' | 'authority', rrset: Rrset, rdata: Uint8Array): void => {
    const name = Name.parse(rrset.owner);
    writer.writeRecord(section, name, rrset.type, RRClass.IN, rrset.ttl, rdata);
    if (rrset.signed !== null)
      writer.writeRecord(section, name, RRType.RRSIG, RRClass.IN, rrset.ttl, rrsig(rrset, rdata));
  };
  if (question.type === RRType.DNSKEY) {
    write('answer', { owner: 'example.', type: RRType.DNSKEY, text: '', signed: 60, ttl: 60 }, dnskey);
    return writer.finish();
  }
  for (const rrset of answers) write('answer', rrset, parseRdataText(rrset.type, rrset.text, Name.root));
  for (const rrset of authorities)
    write('authority', rrset, parseRdataText(rrset.type, rrset.text, Name.root));
  return writer.finish();
}

async function find(
  answers: readonly Rrset[],
  authorities: readonly Rrset[],
  anchors: readonly Uint8Array[],
): Promise<DsSighting> {
  peer.answering = (request) => [answer(request, answers, authorities)];
  const client = new ParentClient({
    clock: systemClock,
    answerSeconds: 5,
    sourceIpv4: undefined,
    sourceIpv6: undefined,
  });
  const server = { address: '127.0.0.1', port: peer.port };
  const parent = { name: 'example.', servers: [server], anchors };
  return client.findDs(ZONE, parent, server, new AbortController().signal);
}

describe('the TTL of a DS set (RFC 4034 §3.1.4)', () => {
  it.each([
    ['as it was signed', 3600, 3600, 3600],
    ['as it was signed, where someone on the way has made it shorter', 3600, 0, 3600],
    ['as it was signed, where someone on the way has made it longer', 3600, 0x7fffffff, 3600],
    ['no longer than caches keep anything (RFC 8767 §4)', 0x7fffffff, 0x7fffffff, CAP],
  ])('is with a trust anchor %s', async (_, signed, ttl, expected) => {
    expect(await find([{ ...DS, signed, ttl }], [], [ANCHOR])).toMatchObject({
      kind: 'seen',
      ttl: expected,
      isProved: true,
    });
  });

  it.each([
    ['as it comes', 0, 0],
    ['no longer than caches keep anything (RFC 8767 §4)', 0x7fffffff, CAP],
  ])('is without a trust anchor %s, and not proved', async (_, ttl, expected) => {
    expect(await find([{ ...DS, ttl }], [], [])).toMatchObject({
      kind: 'seen',
      ttl: expected,
      isProved: false,
    });
  });
});

describe('the TTL of the answer that there is no DS (RFC 2308 §5)', () => {
  it.each([
    ['that of the SOA and of the NSEC records', 7200, 900, 900],
    ['that of the SOA where it is less than MINIMUM', 300, 60, 300],
    ['that of the NSEC records where it is larger (RFC 8198 §5)', 300, 1800, 1800],
  ])('is with a trust anchor %s', async (_, soa, nsec, ttl) => {
    const authority = [
      { ...SOA, signed: soa, ttl: 0 },
      { ...NSEC, signed: nsec, ttl: 0 },
    ];
    expect(await find([], authority, [ANCHOR])).toEqual({ kind: 'seen', ds: [], ttl, isProved: true });
  });

  it('is not known where the SOA is not signed', async () => {
    expect(await find([], [{ ...SOA, signed: null }, NSEC], [ANCHOR])).toEqual({
      kind: 'unknown',
      problem: 'its SOA has no signature that is valid by the trust anchor',
    });
  });

  it('is without a trust anchor what the SOA says', async () => {
    expect(await find([], [SOA], [])).toEqual({ kind: 'seen', ds: [], ttl: 900, isProved: false });
  });
});
