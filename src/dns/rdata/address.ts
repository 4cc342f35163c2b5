import type { Field } from './field.js';

/** The 32 bits of a dotted quad without leading zeros; undefined for any other text. */
export function parseIpv4(text: string, from = 0, to = text.length): number | undefined {
  let address = 0;
  let part = -1; // no digit yet
  let dots = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      if (part < 0 || ++dots > 3) return undefined;
      address = address * 256 + part;
      part = -1;
      continue;
    }
    const digit = code - 0x30;
    if (digit < 0 || digit > 9 || part === 0) return undefined;
    part = part < 0 ? digit : part * 10 + digit;
    if (part > 255) return undefined;
  }
  return part < 0 || dots !== 3 ? undefined : address * 256 + part;
}

/** The dotted quad of four octets. */
export function formatIpv4(octets: Uint8Array, at = 0): string {
  return `${octets[at]}.${octets[at + 1]}.${octets[at + 2]}.${octets[at + 3]}`;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * Writes the 16 octets of an IPv6 address (RFC 4291 §2.2, the mixed form included; no zone index) and says whether the
 * text was one.
 */
export function parseIpv6(text: string, out: Uint8Array, offset: number): boolean {
  const end = offset + 16;
  let at = offset;
  let gap = -1; // where :: stands
  let i = 0;
  if (text.startsWith('::')) {
    gap = at;
    i = 2;
  } else if (text.length === 0 || text.charCodeAt(0) === 0x3a) return false;
  while (i < text.length) {
    const groupStart = i;
    let value = 0;
    let digit = -1;
    while (i < text.length && i - groupStart <= 4) {
      digit = hexDigit(text.charCodeAt(i));
      if (digit < 0) break;
      value = value * 16 + digit;
      i++;
    }
    if (text.charCodeAt(i) === 0x2e) {
      const address = at + 4 <= end ? parseIpv4(text, groupStart) : undefined;
      if (address === undefined) return false;
      for (let shift = 24; shift >= 0; shift -= 8) out[at++] = address / 2 ** shift;
      break;
    }
    if (i === groupStart || i - groupStart > 4 || at + 2 > end) return false;
    out[at++] = value >>> 8;
    out[at++] = value;
    if (i === text.length) break;
    if (text.charCodeAt(i) !== 0x3a || ++i === text.length) return false;
    if (text.charCodeAt(i) === 0x3a) {
      if (gap >= 0) return false;
      gap = at;
      i++;
    }
  }
  if (gap < 0) return at === end;
  if (at === end) return false;
  const moved = at - gap;
  out.copyWithin(end - moved, gap, at);
  out.fill(0, gap, end - moved);
  return true;
}

/** An IPv6 address as RFC 5952 §4 writes it. */
export function formatIpv6(octets: Uint8Array, at = 0): string {
  let gapStart = -1;
  let gapGroups = 1; // a single zero group is not shortened
  for (let group = 0; group < 8; ) {
    let next = group;
    while (next < 8 && octets[at + next * 2] === 0 && octets[at + next * 2 + 1] === 0) next++;
    if (next - group > gapGroups) {
      gapStart = group;
      gapGroups = next - group;
    }
    group = next + 1;
  }
  let text = '';
  for (let group = 0; group < 8; group++) {
    if (group === gapStart) {
      text += group === 0 ? '::' : ':';
      group += gapGroups - 1;
      continue;
    }
    const value = (octets[at + group * 2] as number) * 256 + (octets[at + group * 2 + 1] as number);
    text += group === 7 ? value.toString(16) : `${value.toString(16)}:`;
  }
  return text;
}

/** An IPv4 address (RFC 1035 §3.4.1). */
export const ipv4: Field = {
  part: { kind: 'octets', length: 4 },
  parse: (tokens, out) => {
    const token = tokens.word('an IPv4 address');
    out.u32(parseIpv4(token.text) ?? tokens.failToken(token, 'is no IPv4 address'));
  },
  format: (wire) => {
    wire.skip(4);
    return formatIpv4(wire.octets, wire.at - 4);
  },
  check: (wire) => wire.skip(4),
};

/** An IPv6 address (RFC 3596 §2). */
export const ipv6: Field = {
  part: { kind: 'octets', length: 16 },
  parse: (tokens, out) => {
    const token = tokens.word('an IPv6 address');
    if (!parseIpv6(token.text, out.octets, out.length)) tokens.failToken(token, 'is no IPv6 address');
    out.length += 16;
  },
  format: (wire) => {
    wire.skip(16);
    return formatIpv6(wire.octets, wire.at - 16);
  },
  check: (wire) => wire.skip(16),
};
