import { Name } from '../dns/name.js';
import { parseRdataText } from '../dns/rdata/index.js';
import { MAX_TTL, type RRset } from '../dns/record.js';
import { isMetaType, typeFromText } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { GENERATED_REASON, isGeneratedType } from './generated.js';
import type { Report, ZoneRule } from './problem.js';
import type { RowContent } from './row.js';
import { sortRdata } from './rrset.js';

/** A row that was understood: an RRset in canonical form, and who sees it. */
export interface ParsedRow {
  readonly rrset: RRset;
  readonly views: readonly string[] | null;
}

/** Reads rows of one zone. Consecutive rows of one owner share its name. */
export class RowParser {
  readonly #zone: Name;
  #ownerText = '';
  #owner: Name | undefined;
  #ownerIsInZone = false;
  readonly #types = new Map<string, number | undefined>();

  constructor(zone: Name) {
    this.#zone = zone;
  }

  /**
   * The RRset of a row; undefined when `report` was told why there is none. A row with several faulty records has each of
   * them reported.
   */
  parse(row: RowContent, report: Report): ParsedRow | undefined {
    const owner = this.parseOwner(row, report);
    if (owner === undefined) return undefined;
    const type = this.#parseType(row.type);
    if (type === undefined) {
      return refuse(
        row,
        report,
        'type-unknown',
        'is no known type',
        'correct it, or write TYPEnnn and \\# rdata',
      );
    }
    if (isMetaType(type)) {
      return refuse(row, report, 'type-meta', 'is a meta or query type, which no zone can hold', 'delete it');
    }
    if (isGeneratedType(type, owner.equals(this.#zone))) {
      return refuse(
        row,
        report,
        'type-generated',
        GENERATED_REASON,
        'delete it, or import the zone with --strip-dnssec',
      );
    }
    if (row.views !== null && row.views.length === 0) {
      const next = 'name its views, or none (NULL) for all of them';
      return refuse(row, report, 'views-empty', 'its list of views is empty', next);
    }
    if (!Number.isInteger(row.ttl) || row.ttl < 0 || row.ttl > MAX_TTL) {
      return refuse(
        row,
        report,
        'ttl-invalid',
        `has the TTL ${row.ttl}`,
        `set one of 0 to ${MAX_TTL} seconds`,
      );
    }
    if (row.data.length === 0) {
      return refuse(
        row,
        report,
        'row-empty',
        'has no records',
        'add the data of at least one, or delete the row',
      );
    }
    const rdata = parseData(row, type, report);
    return rdata && { rrset: { owner, type, ttl: row.ttl, rdata: sortRdata(type, rdata) }, views: row.views };
  }

  /** The owner of a row, in the zone; undefined when `report` was told why there is none. */
  parseOwner(row: RowContent, report: Report): Name | undefined {
    if (this.#owner === undefined || row.owner !== this.#ownerText) {
      try {
        this.#owner = Name.parse(row.owner);
      } catch (error) {
        this.#owner = undefined;
        return refuse(row, report, 'owner-invalid', reasonOf(error), 'correct the owner');
      }
      this.#ownerText = row.owner;
      this.#ownerIsInZone = this.#owner.isAtOrBelow(this.#zone);
    }
    if (this.#ownerIsInZone) return this.#owner;
    const reason = `does not lie in ${this.#zone.toString()}`;
    return refuse(row, report, 'out-of-zone', reason, 'move it to the zone it belongs to, or delete it');
  }

  #parseType(text: string): number | undefined {
    let type = this.#types.get(text);
    if (type === undefined) {
      type = typeFromText(text);
      // what is not known is not kept, so that the map stays small whatever rows hold
      if (type !== undefined && this.#types.size < 1024) this.#types.set(text, type);
    }
    return type;
  }
}

/** The rdata of all records, or undefined when one of them was refused. */
function parseData(row: RowContent, type: number, report: Report): Uint8Array[] | undefined {
  const rdata: (Uint8Array | undefined)[] = row.data.map((text) => {
    try {
      return parseRdataText(type, text);
    } catch (error) {
      const which = row.data.length === 1 ? '' : `record "${shorten(text)}": `;
      return refuse(row, report, 'rdata-invalid', `${which}${reasonOf(error)}`, 'correct the record');
    }
  });
  return rdata.includes(undefined) ? undefined : (rdata as Uint8Array[]);
}

function refuse(row: RowContent, report: Report, rule: ZoneRule, reason: string, next: string): undefined {
  report({ severity: 'error', rule, owner: row.owner, type: row.type, reason, next });
  return undefined;
}

function reasonOf(error: unknown): string {
  const reason = error instanceof ZonesealError ? error.fields['reason'] : undefined;
  return typeof reason === 'string' ? reason : errorMessage(error);
}

/** The beginning of a record's text: enough to find it by. */
function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
