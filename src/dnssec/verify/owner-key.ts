import { Name } from '../../dns/name.js';

/**
 * Owners as strings whose order is the canonical order (RFC 4034 §6.1): the octets of `Name.sortKey`, one character
 * each. Equal names have equal keys, and the names at or below another are those whose keys begin with its key.
 */
export type OwnerKey = string;

const LABEL_END = 0;
const ESCAPE = 1;

/** The key of a name. */
export function ownerKey(name: Name): OwnerKey {
  const octets = name.sortKey();
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');
}

/** The name of a key, in lower case. */
export function nameOfKey(key: OwnerKey): Name {
  const labels: Uint8Array[] = [];
  let label: number[] = [];
  for (let at = 0; at < key.length; at++) {
    const octet = key.charCodeAt(at);
    if (octet === LABEL_END) {
      labels.push(Uint8Array.from(label));
      label = [];
    } else {
      label.push(octet === ESCAPE ? key.charCodeAt(++at) - 1 : octet);
    }
  }
  return Name.fromLabels(labels.reverse());
}

/** The keys of the names strictly between a name and one above it, the highest first. */
export function keysBetween(key: OwnerKey, above: OwnerKey): OwnerKey[] {
  const keys: OwnerKey[] = [];
  for (
    let end = key.indexOf('\0', above.length);
    end >= 0 && end < key.length - 1;
    end = key.indexOf('\0', end + 1)
  ) {
    keys.push(key.slice(0, end + 1));
  }
  return keys;
}
