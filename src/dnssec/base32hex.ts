const ALPHABET = new TextEncoder().encode('0123456789abcdefghijklmnopqrstuv');

/** Base32 with the extended hex alphabet in lower case and without padding (RFC 4648 §7, RFC 5155 §3.3), as ASCII octets. */
export function base32hex(octets: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.ceil((octets.length * 8) / 5));
  let bits = 0;
  let held = 0;
  let to = 0;
  for (let i = 0; i < octets.length; i++) {
    held = ((held << 8) | (octets[i] as number)) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out[to++] = ALPHABET[(held >> bits) & 31] as number;
    }
  }
  if (bits > 0) out[to] = ALPHABET[(held << (5 - bits)) & 31] as number;
  return out;
}
