import { readFileSync } from 'node:fs';
import { parseType } from '../../../src/dns/types.js';

export interface RdataVector {
  readonly mnemonic: string;
  readonly type: number;
  /** Rdata in hexadecimal, as named-compilezone and dnspython have it. */
  readonly hex: string;
  readonly text: string;
}

/** The lines of test/vectors/rdata.tsv, whose head says how they were made. */
export const RDATA_VECTORS: readonly RdataVector[] = readFileSync(
  new URL('../../vectors/rdata.tsv', import.meta.url),
  'utf8',
)
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [mnemonic = '', hex = '', ...text] = line.split('\t');
    return { mnemonic, type: parseType(mnemonic), hex, text: text.join('\t') };
  });

export const toHex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

export const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
