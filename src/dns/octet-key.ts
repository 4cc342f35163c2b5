/** A string that is the same for the same octets alone: for maps and sets. */
export function octetKey(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('latin1');
}

/** Each of some octets once, in the order in which they come first. */
export function distinctOctets(all: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(all.map((octets) => [octetKey(octets), octets])).values()];
}
