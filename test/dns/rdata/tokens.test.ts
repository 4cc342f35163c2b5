import { describe, expect, it } from 'vitest';
import { tokenizeRdata } from '../../../src/dns/rdata/index.js';

const texts = (text: string) =>
  tokenizeRdata(text).map((token) => (token.quoted ? [token.text] : token.text));

describe('RFC 1035 §5.1: the tokens of one rdata', () => {
  it.each([
    ['', []],
    ['  \t ', []],
    ['a b\tc', ['a', 'b', 'c']],
    ['"a b" c', [['a b'], 'c']],
    ['"a""b"', [['a'], ['b']]],
    ['""', [['']]],
    ['a ; comment "', ['a']],
    ['a;comment', ['a']],
    ['"a;b" c', [['a;b'], 'c']],
    ['a\\;b a\\ b "\\""', ['a\\;b', 'a\\ b', ['\\"']]],
    ['a\\\\ b', ['a\\\\', 'b']],
    ['( a ; one\n b ; two\n ) c', ['a', 'b', 'c']],
    ['a(b)c', ['a', 'b', 'c']],
    ['((a)(b))', ['a', 'b']],
    ['a b\n', ['a', 'b']],
    ['a b\r\n ; more\n', ['a', 'b']],
    ['\\# 0', ['\\#', '0']],
  ])('%j', (text, tokens) => {
    expect(texts(text)).toEqual(tokens);
  });

  it('have columns from 1', () => {
    expect(tokenizeRdata('10 "a b"  c').map((token) => token.column)).toEqual([1, 4, 11]);
  });

  it('may be a key with a quoted value (RFC 9460 Appendix A)', () => {
    expect(tokenizeRdata('alpn="h2,h3" x')).toEqual([
      { text: 'alpn=h2,h3', quoted: false, column: 1, valueAt: 5 },
      { text: 'x', quoted: false, column: 14 },
    ]);
  });

  it.each([
    ['"open', /not closed/],
    ['"open\nnext"', /not closed/],
    ['"end\\"', /not closed/],
    ['key="open', /not closed/],
    ['a"b"', /quotation mark inside a word/],
    ['"a"b', /without a space/],
    ['k="a"b', /without a space/],
    ['(a', /parenthesis is not closed/],
    ['a)', /no opening one/],
    ['a\nb', /goes on after the end of its line/],
    ['a\\', /nothing after it/],
  ])('%j is refused', (text, reason) => {
    expect(() => tokenizeRdata(text)).toThrow(reason);
    expect(() => tokenizeRdata(text)).toThrow(expect.objectContaining({ code: 'RDATA_INVALID' }) as Error);
  });
});
