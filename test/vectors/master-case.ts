/**
 * Master files with one difficulty each, what they stand for, and what other programs make of them. The origin is
 * `example.` and every text that is not `bare` is read after PROLOGUE. interop/codecs/master-file.test.ts gives each file to
 * named-compilezone and ldns-read-zone; `named` and `ldns` say what happens there: 'same' when records or error agree, or
 * how and why the program differs.
 */
export interface MasterCase {
  readonly title: string;
  /** The file; characters are octets. */
  readonly text: string;
  /** Without PROLOGUE before it. */
  readonly bare?: boolean;
  /** Files in the folder that $INCLUDE is confined to. */
  readonly files?: Readonly<Record<string, string>>;
  /** Records after those of PROLOGUE, one line each: owner TTL type rdata. */
  readonly records?: readonly string[];
  /** Where the first error is (lines counted without PROLOGUE) and what its reason says. */
  readonly error?: readonly [line: number, column: number, reason: RegExp];
  readonly named?: string;
  readonly ldns?: string;
}
