import type { TokenReader } from './tokens.js';
import type { WireReader, WireWriter } from './wire.js';

/**
 * One piece of an rdata as canonical form and message compression see it. `compress`: may be compressed when sent
 * (RFC 3597 §4). `decompress`: may be found compressed. `lower`: lower-cased in canonical form (RFC 4034 §6.2).
 */
export type RdataPart =
  | { readonly kind: 'octets'; readonly length: number }
  | { readonly kind: 'string' }
  | {
      readonly kind: 'name';
      readonly compress: boolean;
      readonly decompress: boolean;
      readonly lower: boolean;
    };

/** One field of an rdata: the one place that knows its presentation and its wire format. */
export interface Field {
  /** What the field is for canonical form and compression; left out where the shape depends on the content. */
  readonly part?: RdataPart;
  /** Takes the field's tokens and writes its octets. */
  parse(tokens: TokenReader, out: WireWriter): void;
  /** Reads the field's octets and gives its tokens; empty where the field has none. */
  format(wire: WireReader): string;
  /** Passes over the field's octets and throws when they are not well formed. */
  check(wire: WireReader): void;
}

/** The description of one type, from which its codecs follow. */
export interface TypeSchema {
  readonly fields: readonly Field[];
  /** Rules that span fields, on the finished rdata: the reason why it is not allowed, or undefined. */
  readonly rule?: (rdata: Uint8Array) => string | undefined;
  /** Whether this well-formed rdata can be written only in the form of RFC 3597 §5. */
  readonly genericOnly?: (rdata: Uint8Array) => boolean;
}

/** A schema of the given fields. */
export function schema(fields: readonly Field[], more: Omit<TypeSchema, 'fields'> = {}): TypeSchema {
  return { fields, ...more };
}
