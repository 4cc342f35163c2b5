import { InvalidArgumentError, Option } from 'commander';
import ipaddr from 'ipaddr.js';
import { Name } from '../dns/name.js';
import { parseSignatureTime } from '../dns/rdata/signature-time.js';
import { MAX_TTL } from '../dns/record.js';
import { parseTsigAlgorithm, TSIG_ALGORITHMS, type TsigAlgorithm } from '../dns/tsig-key.js';
import { secondsFromText } from '../dns/ttl.js';
import { isMetaType, typeFromText } from '../dns/types.js';
import { ALGORITHMS, algorithmFromText } from '../dnssec/algorithm.js';
import { errorMessage } from '../errors.js';
import type { KeyRole } from '../keys/key-set.js';
import { parseDuration } from '../keys/policy.js';

/** A domain name; the dot at its end may be left out. */
export function nameArgument(text: string): Name {
  try {
    return Name.parse(text === '' ? '.' : text, Name.root);
  } catch (error) {
    throw new InvalidArgumentError(`It is no domain name: ${errorMessage(error)}.`);
  }
}

/** Seconds, as a number or as `1h30m`. */
export function durationArgument(text: string): number {
  const seconds = parseDuration(text.trim());
  if (seconds === undefined) throw new InvalidArgumentError('Write seconds, or such as 1h30m or 14d.');
  return seconds;
}

/** A TTL, units allowed. */
export function ttlArgument(text: string): number {
  const seconds = secondsFromText(text);
  if (seconds === undefined || seconds > MAX_TTL) {
    throw new InvalidArgumentError(`Write seconds up to ${MAX_TTL}, or such as 1h30m.`);
  }
  return seconds;
}

/** An instant in seconds since 1970: seconds, YYYYMMDDHHmmSS, or ISO 8601 with its zone. */
export function timeArgument(text: string): number {
  const digits = /^[0-9]+$/.test(text) ? parseSignatureTime(text) : undefined;
  if (digits !== undefined) return digits;
  const milliseconds = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(milliseconds) || milliseconds < 0) {
    throw new InvalidArgumentError('Write 2026-11-23T12:00:00Z, 20261123120000 or seconds since 1970.');
  }
  return Math.floor(milliseconds / 1000);
}

/** A whole number between two limits. */
export function numberArgument(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(`Write a number from ${least} to ${most}.`);
    return value;
  };
}

/** The number of a DNSSEC algorithm that Zoneseal signs with, from its number or mnemonic. */
export function algorithmArgument(text: string): number {
  const algorithm = algorithmFromText(text);
  if (algorithm === undefined) throw new InvalidArgumentError(`Use one of ${algorithmList()}.`);
  return algorithm.number;
}

/** `8 (RSASHA256), …` */
export function algorithmList(): string {
  return [...ALGORITHMS.values()].map(({ number, mnemonic }) => `${number} (${mnemonic})`).join(', ');
}

/** The role of a key. */
export function roleArgument(text: string): KeyRole {
  const role = text.toUpperCase();
  if (role !== 'KSK' && role !== 'ZSK' && role !== 'CSK')
    throw new InvalidArgumentError('Use KSK, ZSK or CSK.');
  return role;
}

/** A type that a zone can hold. */
export function typeArgument(text: string): number {
  const type = typeFromText(text);
  if (type === undefined)
    throw new InvalidArgumentError('It is no type that is known; write TYPEnnn for others.');
  if (isMetaType(type)) throw new InvalidArgumentError('It is a meta or query type, which no zone can hold.');
  return type;
}

/** A view name as the configuration and the database have it. */
export function viewArgument(text: string): string {
  if (!/^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError(
      'A view name has up to 63 of a-z, 0-9, _ and -, and begins and ends with a letter or digit.',
    );
  }
  return text;
}

/** View names gathered from an option that may be given several times. */
export function viewsArgument(text: string, previous: readonly string[] | undefined): readonly string[] {
  return [...new Set([...(previous ?? []), viewArgument(text)])];
}

/** Domain names gathered from an option that may be given several times. */
export function namesArgument(text: string, previous: readonly Name[] | undefined): readonly Name[] {
  return [...(previous ?? []), nameArgument(text)];
}

/** Texts gathered from an option that may be given several times. */
export function textsArgument(text: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), text];
}

/** Address ranges gathered from an option that may be given several times; a single address is a range of one. */
export function rangesArgument(text: string, previous: readonly string[] | undefined): readonly string[] {
  const range = ipaddr.isValid(text) ? `${text}/${text.includes(':') ? 128 : 32}` : text;
  if (!ipaddr.isValidCIDR(range))
    throw new InvalidArgumentError('Write an address, or a range such as 192.0.2.0/24.');
  return [...(previous ?? []), range];
}

/** A TSIG algorithm. */
export function tsigAlgorithmArgument(text: string): TsigAlgorithm {
  const algorithm = parseTsigAlgorithm(text);
  if (algorithm === undefined) throw new InvalidArgumentError(`Use one of ${TSIG_ALGORITHMS.join(', ')}.`);
  return algorithm;
}

/** `--json`, where a program would read the output. */
export function jsonOption(): Option {
  return new Option('--json', 'print one JSON document for a program to read');
}

/** `--strip-dnssec`, where a signed zone may come in. */
export function stripDnssecOption(): Option {
  return new Option(
    '--strip-dnssec',
    'leave out DNSSEC records that Zoneseal makes itself (RRSIG, NSEC, NSEC3; at the apex DNSKEY, NSEC3PARAM, CDS, CDNSKEY, ZONEMD)',
  ).default(false, 'they are errors, but for CDS and CDNSKEY, which are data of your own');
}

/** `--include-folder`, where a master file comes in. */
export function includeFolderOption(): Option {
  return new Option(
    '--include-folder <folder>',
    '$INCLUDE is confined to this folder and relative to it (default: the folder of the file; for standard input none)',
  );
}
