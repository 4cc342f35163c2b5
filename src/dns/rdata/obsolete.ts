import { base64Rest } from './encodings.js';
import { type Field, schema, type TypeSchema } from './field.js';
import { legacyName } from './name-field.js';
import { u16 } from './numbers.js';

/** A6, the one type whose name stands at an offset that the content gives (RFC 2874 §3.1). */
export const A6_TYPE = 38;

const always = { genericOnly: () => true } as const;

/** Where the name of an A6 begins; undefined when the prefix length 0 says that there is none. */
export function a6NameOffset(rdata: Uint8Array): number | undefined {
  const prefixLength = rdata[0] as number;
  return prefixLength === 0 ? undefined : 1 + ((128 - prefixLength + 7) >>> 3);
}

const a6: Field = {
  parse: (tokens) => tokens.fail('this obsolete type is written as \\# length hexadecimal'),
  format: (wire) => wire.fail('this obsolete type has no text'),
  check: (wire) => {
    const prefixLength = wire.u8();
    if (prefixLength > 128) wire.fail('its prefix length is above 128');
    wire.skip((128 - prefixLength + 7) >>> 3);
    if (prefixLength > 0) wire.skipName();
  },
};

/**
 * Types without a mnemonic here, known for the sake of the names in them: the canonical form lower-cases those (RFC 4034
 * §6.2). MD, MF, MB, MG, MR, MINFO (RFC 1035), PX (RFC 2163), NXT (RFC 2535), A6. Written in the form of RFC 3597.
 */
export const OBSOLETE_SCHEMAS: readonly (readonly [number, TypeSchema])[] = [
  ...[3, 4, 7, 8, 9].map((type) => [type, schema([legacyName], always)] as const),
  [14, schema([legacyName, legacyName], always)],
  [26, schema([u16('preference'), legacyName, legacyName], always)],
  [30, schema([legacyName, base64Rest('the type bitmap')], always)],
  [A6_TYPE, schema([a6], always)],
];
