import type { Name } from '../dns/name.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { AddressRange, parseAddress } from './address-range.js';
import type { BoundedLog } from './bounded-log.js';
import type { TsigGrant, TsigKeyEntry } from './ports.js';

/** An address range that an operator opened for one view: its clients need no TSIG key. */
export interface OpenRange {
  /** CIDR, or one address. */
  readonly range: string;
  readonly view: string;
}

/**
 * Which view a client sees: the one that its TSIG key is granted for this zone and address or, without TSIG, the one
 * that its address range was opened for; none otherwise. Whether a zone is held plays no part in it.
 */
export class AccessRules {
  /** The longest prefix first. */
  readonly #open: readonly { readonly range: AddressRange; readonly view: string }[];
  readonly #log: BoundedLog;
  readonly #ranges = new WeakMap<TsigGrant, readonly AddressRange[]>();

  /** @throws ZonesealError ACCESS_INVALID when a range is malformed, or opened for two views */
  constructor(open: readonly OpenRange[], log: BoundedLog) {
    const parsed = open.map(({ range, view }) => ({ range: AddressRange.parse(range), view }));
    const views = new Map<string, string>();
    for (const { range, view } of parsed) {
      const other = views.get(range.key);
      if (other !== undefined && other !== view) {
        throw new ZonesealError(
          'ACCESS_INVALID',
          `an address range is opened for the views ${other} and ${view}`,
          {
            views: [other, view],
          },
        );
      }
      views.set(range.key, view);
    }
    this.#open = parsed.sort((a, b) => b.range.prefixLength - a.range.prefixLength);
    this.#log = log;
  }

  /** The view of a client that signed its request with a key; undefined: refuse. Grants that name several views give none. */
  viewOfKey(entry: TsigKeyEntry, zone: Name, address: string): string | undefined {
    const peer = parseAddress(address);
    const views = new Set<string>();
    for (const grant of entry.grants) {
      if (grant.zones !== null && !grant.zones.has(zone.key)) continue;
      if (grant.addresses !== null) {
        if (peer === undefined || !this.#rangesOf(entry, grant).some((range) => range.contains(peer)))
          continue;
      }
      views.add(grant.view);
    }
    if (views.size > 1) {
      this.#log.once(
        `views ${entry.name.key} ${zone.key}`,
        'warn',
        { key: entry.name.toString(), zone: zone.toString(), views: [...views] },
        'a TSIG key is granted several views of one zone at one address, so it gets none; narrow its grants',
      );
      return undefined;
    }
    for (const view of views) return view;
    return undefined;
  }

  /** The view that an address was opened for, by its longest range; undefined: refuse. */
  viewOfAddress(address: string): string | undefined {
    const peer = parseAddress(address);
    if (peer === undefined) return undefined;
    return this.#open.find(({ range }) => range.contains(peer))?.view;
  }

  /** A range that cannot be read opens nothing, and is told of. */
  #rangesOf(entry: TsigKeyEntry, grant: TsigGrant): readonly AddressRange[] {
    let ranges = this.#ranges.get(grant);
    if (ranges === undefined) {
      ranges = (grant.addresses ?? []).flatMap((text) => {
        try {
          return [AddressRange.parse(text)];
        } catch (error) {
          this.#log.once(
            `range ${entry.name.key} ${text}`,
            'warn',
            { key: entry.name.toString(), reason: errorMessage(error) },
            'a grant of a TSIG key has an address range that cannot be read; it matches nobody',
          );
          return [];
        }
      });
      this.#ranges.set(grant, ranges);
    }
    return ranges;
  }
}
