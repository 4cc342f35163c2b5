import { typeToText } from '../../dns/types.js';

/** The types of a bitmap (RFC 4034 §4.1.2), ascending; undefined when it is not well formed. */
export function readTypes(bitmap: Uint8Array): number[] | undefined {
  const types: number[] = [];
  let window = -1;
  for (let at = 0; at < bitmap.length; ) {
    const next = bitmap[at] as number;
    const length = bitmap[at + 1] ?? 0;
    const end = at + 2 + length;
    if (next <= window || length < 1 || length > 32 || end > bitmap.length || bitmap[end - 1] === 0)
      return undefined;
    for (let octet = 0; octet < length; octet++) {
      const bits = bitmap[at + 2 + octet] as number;
      for (let bit = 0; bit < 8; bit++) {
        if ((bits & (0x80 >>> bit)) !== 0) types.push((next << 8) | (octet << 3) | bit);
      }
    }
    window = next;
    at = end;
  }
  return types;
}

/** What tells two sets of types apart, in words; undefined when nothing does. Both ascend. */
export function typeDifference(stated: readonly number[], there: readonly number[]): string | undefined {
  if (stated.length === there.length && stated.every((type, i) => type === there[i])) return undefined;
  const surplus = stated.filter((type) => !there.includes(type)).map(typeToText);
  const lacking = there.filter((type) => !stated.includes(type)).map(typeToText);
  return [
    ...(surplus.length > 0 ? [`states ${surplus.join(', ')}, which the owner does not have`] : []),
    ...(lacking.length > 0 ? [`lacks ${lacking.join(', ')}, which the owner has`] : []),
  ].join(' and ');
}
