import { isMetaType, RRType, typeToText } from '../types.js';

/** Types whose mnemonic Knot DNS 3.2, NSD 4.6 or ldns 1.8 cannot read in a master file. */
const LACKING_MNEMONIC: ReadonlySet<number> = new Set([
  RRType.X25,
  RRType.ISDN,
  RRType.SIG,
  RRType.HIP,
  RRType.AVC,
]);

/** Whether every nameserver and validator reads this type's mnemonic, if it has one. */
export function hasPortableMnemonic(type: number): boolean {
  return !LACKING_MNEMONIC.has(type) && !isMetaType(type);
}

/** A type in a form that every nameserver and validator reads: its mnemonic, or TYPEnnn where some lack that. */
export function portableTypeText(type: number): string {
  return hasPortableMnemonic(type) ? typeToText(type) : `TYPE${type}`;
}
