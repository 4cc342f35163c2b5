import { FLAG, OPCODE, RCODE } from '../../src/dns/message.js';
import { Name } from '../../src/dns/name.js';
import { RRType } from '../../src/dns/types.js';

/** Random numbers below a bound, the same for the same seed. */
export type Random = (bound: number) => number;

/** A small generator of 32 bits of state (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** A copy with some octets changed, taken out, put in or repeated; the id stays. */
export function mutate(octets: Uint8Array, random: Random): Uint8Array {
  let copy = Buffer.from(octets);
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = 2 + random(Math.max(1, copy.length - 2));
    const length = 1 + random(16);
    switch (random(6)) {
      case 0:
        copy = Buffer.concat([copy.subarray(0, at), copy.subarray(at + length)]);
        break;
      case 1: {
        const added = Buffer.from(Array.from({ length }, () => random(256)));
        copy = Buffer.concat([copy.subarray(0, at), added, copy.subarray(at)]);
        break;
      }
      case 2:
        copy = Buffer.concat([copy.subarray(0, at), copy.subarray(at, at + length), copy.subarray(at)]);
        break;
      case 3:
        // what most looks like a compression pointer
        if (at + 2 <= copy.length) copy.writeUInt16BE(0xc000 | random(copy.length), at);
        break;
      default:
        if (at < copy.length)
          copy[at] = random(2) === 0 ? random(256) : (copy[at] as number) ^ (1 << random(8));
    }
  }
  return new Uint8Array(copy);
}

interface Parts {
  readonly flags?: number;
  readonly counts?: readonly [number, number, number, number];
  readonly body?: readonly (Uint8Array | readonly number[])[];
}

/** A message of any header and any body; its id is for the sender to set. */
export function messageOf({ flags = 0, counts = [0, 0, 0, 0], body = [] }: Parts): Uint8Array {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(flags, 2);
  counts.forEach((count, i) => header.writeUInt16BE(count, 4 + 2 * i));
  return new Uint8Array(Buffer.concat([header, ...body.map((part) => Uint8Array.from(part))]));
}

function repeated(times: number, octets: readonly number[]): number[] {
  return Array.from({ length: times * octets.length }, (_, i) => octets[i % octets.length] as number);
}

const u16 = (value: number): number[] => [value >>> 8, value & 0xff];

/** The question for a name, class IN unless given. */
export function questionOf(name: string, type: number, klass = 1): number[] {
  return [...Name.parse(name).wire, ...u16(type), ...u16(klass)];
}

/** A record with any owner octets. */
export function recordOf(
  owner: readonly number[],
  type: number,
  klass: number,
  rdata: readonly number[],
): number[] {
  return [...owner, ...u16(type), ...u16(klass), 0, 0, 0, 0, ...u16(rdata.length), ...rdata];
}

const ROOT = [0];
const OPT = recordOf(ROOT, RRType.OPT, 1232, []);

/** A query, and the RCODE that it is to be answered with; null: silence. */
export interface HostileCase {
  readonly name: string;
  readonly octets: Uint8Array;
  readonly rcode: number | null;
}

/** Queries about a zone that are wrong in one way each. */
export function wrongQueries(zone: string): HostileCase[] {
  const soa = questionOf(zone, RRType.SOA);
  const formerr = (name: string, parts: Parts): HostileCase => ({
    name,
    octets: messageOf(parts),
    rcode: RCODE.FORMERR,
  });
  const tsig = recordOf([1, 0x6b, 0], RRType.TSIG, 255, [
    ...Name.parse('hmac-sha256.').wire,
    ...Array<number>(16).fill(0),
  ]);
  const cases: HostileCase[] = [
    formerr('a header alone', {}),
    formerr('no question but OPT', { counts: [0, 0, 0, 1], body: [OPT] }),
    formerr('two questions', { counts: [2, 0, 0, 0], body: [soa, soa] }),
    formerr('300 questions', {
      counts: [300, 0, 0, 0],
      body: [repeated(300, questionOf('.', RRType.SOA))],
    }),
    formerr('octets after the last record', { counts: [1, 0, 0, 0], body: [soa, [0]] }),
    formerr('two OPT records', { counts: [1, 0, 0, 2], body: [soa, OPT, OPT] }),
    formerr('OPT in the answer section', { counts: [1, 1, 0, 0], body: [soa, OPT] }),
    formerr('OPT of a name', {
      counts: [1, 0, 0, 1],
      body: [soa, recordOf([1, 0x61, 0], RRType.OPT, 1232, [])],
    }),
    formerr('OPT with a cut-off option', {
      counts: [1, 0, 0, 1],
      body: [soa, recordOf(ROOT, RRType.OPT, 1232, [0, 3, 0, 9, 1])],
    }),
    formerr('TSIG before OPT', { counts: [1, 0, 0, 2], body: [soa, tsig, OPT] }),
    formerr('two TSIG records', { counts: [1, 0, 0, 2], body: [soa, tsig, tsig] }),
    formerr('TSIG with empty rdata', {
      counts: [1, 0, 0, 1],
      body: [soa, recordOf(ROOT, RRType.TSIG, 255, [])],
    }),
    formerr('TSIG of class IN', { counts: [1, 0, 0, 1], body: [soa, recordOf(ROOT, RRType.TSIG, 1, [])] }),
    formerr('a name that is a pointer to itself', { counts: [1, 0, 0, 0], body: [[0xc0, 12, 0, 6, 0, 1]] }),
    formerr('a pointer forward', { counts: [1, 0, 0, 0], body: [[0xc0, 20, 0, 6, 0, 1, 0, 0, 0]] }),
    formerr('two pointers to each other', {
      counts: [1, 0, 0, 0],
      body: [[1, 0x61, 0xc0, 16, 0xc0, 12, 0, 6, 0, 1]],
    }),
    formerr('a pointer into the header', { counts: [1, 0, 0, 0], body: [[0xc0, 2, 0, 6, 0, 1]] }),
    formerr('a pointer that is cut off', { counts: [1, 0, 0, 0], body: [[0xc0]] }),
    formerr('a label of type 01', { counts: [1, 0, 0, 0], body: [[0x41, 0x61, 0, 0, 6, 0, 1]] }),
    formerr('a name of 256 octets', {
      counts: [1, 0, 0, 0],
      body: [repeated(51, [4, 0x61, 0x61, 0x61, 0x61]), [0, 0, 6, 0, 1]],
    }),
  ];
  for (const [section, what] of ['questions', 'answers', 'authorities', 'additionals'].entries()) {
    for (const count of [2, 64, 65_535]) {
      const counts: [number, number, number, number] = [1, 0, 0, 0];
      counts[section] = count;
      cases.push(formerr(`a count of ${count} ${what} that are not there`, { counts, body: [soa] }));
    }
  }
  for (let opcode = 1; opcode < 16; opcode++) {
    const flags = opcode << 11;
    const parts = { flags, counts: [1, 0, 0, 0] as const, body: [soa] };
    cases.push({ name: `opcode ${opcode}`, octets: messageOf(parts), rcode: RCODE.NOTIMP });
  }
  const update = messageOf({ flags: OPCODE.UPDATE << 11, counts: [9, 9, 9, 9], body: [[0xff]] });
  cases.push({ name: 'an UPDATE that cannot be read', octets: update, rcode: RCODE.NOTIMP });
  const version1 = recordOf(ROOT, RRType.OPT, 1232, []);
  version1[6] = 1;
  const badvers = messageOf({ counts: [1, 0, 0, 1], body: [soa, version1] });
  cases.push({ name: 'EDNS of version 1', octets: badvers, rcode: RCODE.BADVERS });
  // a stranger is not told what else is wrong
  const ixfr = messageOf({ counts: [1, 0, 0, 0], body: [questionOf(zone, RRType.IXFR)] });
  cases.push({ name: 'IXFR without a SOA', octets: ixfr, rcode: RCODE.REFUSED });
  const chaos = messageOf({ counts: [1, 0, 0, 0], body: [questionOf(zone, RRType.SOA, 3)] });
  cases.push({ name: 'class CH', octets: chaos, rcode: RCODE.REFUSED });
  const answers = cases.map(({ name, octets }): HostileCase => {
    const answer = octets.slice();
    answer[2] = (answer[2] as number) | (FLAG.QR >>> 8);
    return { name: `${name}, QR set`, octets: answer, rcode: null };
  });
  return [...cases, ...answers];
}

/** Messages of nearly 64 KiB that ask for as much work as compression pointers can. */
export function pointerMessages(): HostileCase[] {
  const size = 65_535 - 12;
  const pointers = (step: (i: number) => number): number[] =>
    Array.from({ length: Math.floor(size / 2) }, (_, i) => u16(0xc000 | (step(i) & 0x3fff))).flat();
  const question = questionOf('example.', RRType.AXFR);
  const begin = 12 + question.length;
  // 64 records are the most that are looked at
  const few = [1, 64, 0, 0] as const;
  const many = [1, 65_535, 65_535, 65_535] as const;
  const deep = [...question];
  while (deep.length < 0x3f00) {
    deep.push(...u16(0xc000 | (deep.length === question.length ? 12 : 10 + deep.length)));
  }
  const records = [...repeated(63, [1, 0x61]), 0, ...u16(RRType.AXFR), ...u16(1)];
  for (let i = 0; i < 64; i++) {
    const soa = [1, 0x62, 0xc0, 12, 1, 0x62, 0xc0, 12, ...repeated(20, [0])];
    records.push(...recordOf([1, 0x63, 0xc0, 12], RRType.SOA, 1, soa));
  }
  const chained = [...questionOf('.', RRType.AXFR)];
  for (let i = 0; chained.length + 16 < 0x3f00; i++) {
    const owner = [1, 0x61 + (i % 26), ...u16(0xc000 | (12 + Math.max(0, chained.length - 14)))];
    chained.push(...recordOf(owner, 10, 1, []));
  }
  const cases: [string, Uint8Array][] = [
    ['pointers to the first of them', messageOf({ counts: few, body: [question, pointers(() => begin)] })],
    [
      'pointers each to the one before',
      messageOf({ counts: few, body: [question, pointers((i) => begin - 2 + 2 * i)] }),
    ],
    [
      'pointers each to the one after',
      messageOf({ counts: few, body: [question, pointers((i) => begin + 2 + 2 * i)] }),
    ],
    ['pointers to themselves', messageOf({ counts: few, body: [question, pointers((i) => begin + 2 * i)] })],
    [
      'pointers that say they are 200,000 records',
      messageOf({ counts: many, body: [question, pointers(() => 12)] }),
    ],
    [
      'a chain of pointers, then its end',
      messageOf({ counts: few, body: [deep, pointers(() => 10 + deep.length)] }),
    ],
    ['names and rdata through pointers', messageOf({ counts: few, body: [records, repeated(60_000, [0])] })],
    [
      'each record continuing the one before',
      messageOf({ counts: few, body: [chained, repeated(49_000, [0])] }),
    ],
    ['labels of one octet without an end', messageOf({ counts: few, body: [repeated(size, [1, 0x61])] })],
    ['zeros', messageOf({ counts: few, body: [repeated(size, [0])] })],
  ];
  return cases.map(([name, octets]) => ({ name, octets: octets.slice(0, 65_535), rcode: RCODE.FORMERR }));
}
