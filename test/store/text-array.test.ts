import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTextArray } from '../../src/store/text-array.js';

describe('arrays of texts as PostgreSQL writes them', () => {
  it.each([
    ['{}', []],
    ['{a}', ['a']],
    ['{192.0.2.1,192.0.2.2}', ['192.0.2.1', '192.0.2.2']],
    ['{"a b","c,d"}', ['a b', 'c,d']],
    ['{"",x}', ['', 'x']],
    ['{a,NULL,"NULL"}', ['a', 'NULL']],
    ['{"q\\"uo\\\\te",plain}', ['q"uo\\te', 'plain']],
    ['{"{x}"}', ['{x}']],
  ])('%s', (text, elements) => {
    expect(parseTextArray(text)).toEqual(elements);
  });

  it('come back from any texts that are quoted', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { maxLength: 8 }), (elements) => {
        const quoted = elements.map((element) => `"${element.replace(/[\\"]/g, '\\$&')}"`);
        expect(parseTextArray(`{${quoted.join(',')}}`)).toEqual(elements);
      }),
    );
  });

  it.each(['', 'a', '{"a', '{"a}', '{a'])('that are none are refused: %s', (text) => {
    expect(() => parseTextArray(text)).toThrow(SyntaxError);
  });
});
