import { Name } from '../dns/name.js';
import { parseRdataText } from '../dns/rdata/index.js';
import { MAX_TTL, type RRset } from '../dns/record.js';
import { isMetaType, typeFromText } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { isGeneratedType } from './generated.js';
import type { Finding } from './problem.js';
import type { ZoneRow } from './row.js';
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
  parse(row: ZoneRow, report: (finding: Finding) => void): ParsedRow | undefined {
    const fail = (rule: Finding['rule'], reason: string, next: string): undefined => {
      report({ severity: 'error', rule, owner: row.owner, type: row.type, reason, next });
      return undefined;
    };
    const owner = this.#parseOwner(row.owner, (reason) => fail('owner-invalid', reason, 'correct the owner'));
    if (owner === undefined) return undefined;
    if (!this.#ownerIsInZone) {
      return fail(
        'out-of-zone',
        `does not lie in ${this.#zone.toString()}`,
        'move it to the zone it belongs to, or delete it',
      );
    }
    const type = this.#parseType(row.type);
    if (type === undefined) {
      return fail(
        'type-unknown',
        'is no type that is known',
        'correct it, or write it as TYPEnnn with \\# rdata',
      );
    }
    if (isMetaType(type)) {
      return fail('type-meta', 'is a meta or query type, which no zone can hold', 'delete it');
    }
    if (isGeneratedType(type, owner.equals(this.#zone))) {
      return fail(
        'type-generated',
        'is a DNSSEC record that Zoneseal makes itself',
        'delete it, or import the zone with --strip-dnssec',
      );
    }
    if (row.views !== null && row.views.length === 0) {
      return fail(
        'views-empty',
        'its list of views is empty',
        'name its views, or none (NULL) for all of them',
      );
    }
    if (!Number.isInteger(row.ttl) || row.ttl < 0 || row.ttl > MAX_TTL) {
      return fail('ttl-invalid', `has the TTL ${row.ttl}`, `set one between 0 and ${MAX_TTL} seconds`);
    }
    if (row.data.length === 0) {
      return fail('row-empty', 'has no records', 'add the data of at least one, or delete the row');
    }
    const rdata = parseData(type, row.data, (reason) => {
      fail('rdata-invalid', reason, 'correct the record');
    });
    if (rdata === undefined) return undefined;
    return { rrset: { owner, type, ttl: row.ttl, rdata: sortRdata(type, rdata) }, views: row.views };
  }

  #parseOwner(text: string, fail: (reason: string) => void): Name | undefined {
    if (this.#owner !== undefined && text === this.#ownerText) return this.#owner;
    try {
      this.#owner = Name.parse(text);
    } catch (error) {
      this.#owner = undefined;
      fail(reasonOf(error));
      return undefined;
    }
    this.#ownerText = text;
    this.#ownerIsInZone = this.#owner.isAtOrBelow(this.#zone);
    return this.#owner;
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
function parseData(
  type: number,
  data: readonly string[],
  fail: (reason: string) => void,
): Uint8Array[] | undefined {
  const rdata: Uint8Array[] = [];
  let sound = true;
  for (const text of data) {
    try {
      rdata.push(parseRdataText(type, text));
    } catch (error) {
      sound = false;
      fail(data.length === 1 ? reasonOf(error) : `record "${shorten(text)}": ${reasonOf(error)}`);
    }
  }
  return sound ? rdata : undefined;
}

function reasonOf(error: unknown): string {
  const reason = error instanceof ZonesealError ? error.fields['reason'] : undefined;
  return typeof reason === 'string' ? reason : errorMessage(error);
}

/** The beginning of a record's text: enough to find it by. */
function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
