import { PAGE_FORMAT } from '../signing/page-codec.js';
import { FORMAT_VERSION } from './produce.js';

/** What a gateway can read, and write: itself and everything older that its release still knows. */
export interface KnownFormats {
  /** Newest output format. */
  readonly formatVersion: number;
  /** Newest format of pages. */
  readonly pageFormat: number;
}

/** What this release knows. */
export const KNOWN_FORMATS: KnownFormats = { formatVersion: FORMAT_VERSION, pageFormat: PAGE_FORMAT };

/** The format of pages that an output format is stored in: a new one comes with a new output format. */
export function pageFormatOf(_formatVersion: number): number {
  return 1;
}

/**
 * The output format to make publications in: the newest that every gateway which runs can read. While an older release runs beside this
 * one, what it cannot read is not written.
 */
export function agreedFormat(
  own: KnownFormats,
  others: readonly KnownFormats[],
  pagesOf: (formatVersion: number) => number = pageFormatOf,
): number {
  let format = own.formatVersion;
  const isReadBy = (it: KnownFormats): boolean =>
    it.formatVersion >= format && it.pageFormat >= pagesOf(format);
  while (format > 1 && !others.every(isReadBy)) format--;
  return format;
}
