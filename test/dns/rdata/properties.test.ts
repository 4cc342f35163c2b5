import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import {
  canonicalRdata,
  checkRdata,
  formatPortable,
  formatRdata,
  parseRdataText,
} from '../../../src/dns/rdata/index.js';
import { parseType, RRType, typeToText } from '../../../src/dns/types.js';
import { ZonesealError } from '../../../src/errors.js';
import { RDATA_ARBITRARIES } from './arbitrary.js';
import { fromHex, RDATA_VECTORS, toHex } from './vector-file.js';

const types = [...RDATA_ARBITRARIES].map(([type, wire]) => ({ mnemonic: typeToText(type), type, wire }));
const knownTypes = [...Object.values(RRType), 3, 14, 26, 30, 38, 65_280];

/** What a call gives, or the reason of its RDATA_INVALID; any other error is a fault. */
function attempt<T>(call: () => T): { value: T } | { reason: string } {
  try {
    return { value: call() };
  } catch (error) {
    if (error instanceof ZonesealError && error.code === 'RDATA_INVALID') return { reason: error.message };
    throw error;
  }
}

describe('wire to text and back', () => {
  it.each(types)('$mnemonic', ({ type, wire }) => {
    fc.assert(
      fc.property(wire, (rdata) => {
        checkRdata(type, rdata);
        const text = formatRdata(type, rdata);
        expect(text).toMatch(/^[\x20-\x7e]+$/);
        expect(toHex(parseRdataText(type, text))).toBe(toHex(rdata));
        const [mnemonic, portable] = formatPortable(type, rdata).split('\t') as [string, string];
        expect(toHex(parseRdataText(parseType(mnemonic), portable))).toBe(toHex(rdata));
        const canonical = canonicalRdata(type, rdata);
        expect(canonical).toHaveLength(rdata.length);
        checkRdata(type, canonical);
      }),
      { numRuns: 60 },
    );
  });
});

describe('whatever comes', () => {
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .tuple(fc.constantFrom(...RDATA_VECTORS), fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([{ hex }, at, octet]) => {
        const rdata = fromHex(hex);
        if (rdata.length > 0) rdata[at % rdata.length] = octet;
        return rdata;
      }),
  );

  it('octets are refused, or written so that they are read back', () => {
    fc.assert(
      fc.property(fc.constantFrom(...knownTypes), octets, (type, rdata) => {
        if ('reason' in attempt(() => checkRdata(type, rdata))) {
          expect(attempt(() => formatRdata(type, rdata))).toHaveProperty('reason');
          return;
        }
        const text = formatRdata(type, rdata);
        expect(toHex(parseRdataText(type, text))).toBe(toHex(rdata));
      }),
      { numRuns: 3000 },
    );
  });

  const words = fc.oneof(
    fc.constantFrom(...RDATA_VECTORS.flatMap(({ text }) => text.split(' '))),
    fc.string({ maxLength: 8 }),
    fc.constantFrom('"', '(', ')', ';', '\\', '=', '@', '\\#', '-'),
  );

  it('text is refused, or read so that what is written from it is the same rdata', () => {
    fc.assert(
      fc.property(fc.constantFrom(...knownTypes), fc.array(words, { maxLength: 8 }), (type, parts) => {
        const outcome = attempt(() => parseRdataText(type, parts.join(' '), Name.root));
        if ('reason' in outcome) return;
        checkRdata(type, outcome.value);
        expect(toHex(parseRdataText(type, formatRdata(type, outcome.value)))).toBe(toHex(outcome.value));
      }),
      { numRuns: 3000 },
    );
  });
});
