import { nameOctetsAt } from '../name.js';
import type { Field } from './field.js';
import { parseDecimal } from './numbers.js';

/** Flags of a KEY by mnemonic (RFC 2535 §7.1). */
const FLAGS: ReadonlyMap<string, number> = new Map([
  ['NOCONF', 0x4000],
  ['NOAUTH', 0x8000],
  ['NOKEY', 0xc000],
  ['FLAG2', 0x2000],
  ['EXTEND', 0x1000],
  ['FLAG4', 0x0800],
  ['FLAG5', 0x0400],
  ['USER', 0],
  ['ZONE', 0x0100],
  ['HOST', 0x0200],
  ['NTYP3', 0x0300],
  ['FLAG8', 0x0080],
  ['FLAG9', 0x0040],
  ['FLAG10', 0x0020],
  ['FLAG11', 0x0010],
  ...Array.from({ length: 16 }, (_, i): [string, number] => [`SIG${i}`, i]),
]);

/** Protocols of a KEY by mnemonic (RFC 2535 §7.1). */
export const KEY_PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['NONE', 0],
  ['TLS', 1],
  ['EMAIL', 2],
  ['DNSSEC', 3],
  ['IPSEC', 4],
  ['ALL', 255],
]);

function parseFlags(text: string): number | undefined {
  const number = parseDecimal(text, 0xffff);
  if (number !== undefined) return number;
  let flags = 0;
  for (const word of text.toUpperCase().split('|')) {
    const flag = FLAGS.get(word);
    if (flag === undefined) return undefined;
    flags |= flag;
  }
  return flags;
}

/** The flags of a KEY, written as a number or as mnemonics with `|` between. */
export const keyFlags: Field = {
  part: { kind: 'octets', length: 2 },
  parse: (tokens, out) => {
    const token = tokens.word('flags');
    out.u16(
      parseFlags(token.text) ??
        tokens.failToken(token, 'is neither a number from 0 to 65535 nor known flags'),
    );
  },
  format: (wire) => String(wire.u16()),
  check: (wire) => wire.skip(2),
};

/** Whether well-formed KEY rdata ends after its algorithm; several programs read that in the form of RFC 3597 alone. */
export function hasNoKey(rdata: Uint8Array): boolean {
  return rdata.length === 4;
}

/** Whether a KEY has a key exactly when its two highest flags do not say that there is none (RFC 2535 §3.1.2). */
export function keyPresenceRule(rdata: Uint8Array): string | undefined {
  const saysNone = (rdata[0] as number) >>> 6 === 3;
  if (saysNone === hasNoKey(rdata)) return undefined;
  return saysNone ? 'its flags say that there is no key, but one follows' : 'the public key is missing';
}

const PRIVATE_DNS = 253;
const PRIVATE_OID = 254;

/** A private algorithm's key begins with the name or the object identifier of the algorithm (RFC 4034 Appendix A.1.1). */
export function privateKeyRule(rdata: Uint8Array): string | undefined {
  const algorithm = rdata[3];
  if (rdata.length === 4) return undefined;
  if (algorithm === PRIVATE_OID && 5 + (rdata[4] as number) > rdata.length) {
    return 'a key of algorithm 254 begins with a length and an object identifier';
  }
  if (algorithm !== PRIVATE_DNS) return undefined;
  try {
    nameOctetsAt(rdata, 4);
    return undefined;
  } catch {
    return 'a key of algorithm 253 begins with a domain name in wire format';
  }
}
