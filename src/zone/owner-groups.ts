import type { Name } from '../dns/name.js';
import type { Report } from './problem.js';
import type { ParsedRow } from './row-parser.js';

/** The rows of one owner. */
export interface OwnerRows {
  readonly name: Name;
  readonly rows: readonly ParsedRow[];
}

/** Gathers rows that arrive in canonical order into owners. */
export class OwnerGroups {
  #name: Name | undefined;
  #rows: ParsedRow[] = [];

  /**
   * Takes the next row and returns the owner before it when the row begins a new one. Rows out of order are reported and left
   * out: cuts and chains are found by the order.
   */
  push(row: ParsedRow, report: Report): OwnerRows | undefined {
    return this.#take(row.rrset.owner, row, report);
  }

  /** The same of a row that is left out, so that its owner comes in any case; how it is spelt there does not matter where another row is not left out. */
  note(owner: Name, report: Report): OwnerRows | undefined {
    return this.#take(owner, undefined, report);
  }

  #take(owner: Name, row: ParsedRow | undefined, report: Report): OwnerRows | undefined {
    const previous = this.#name;
    if (previous !== undefined) {
      const order = owner === previous ? 0 : owner.compare(previous);
      if (order === 0) {
        if (row === undefined) return undefined;
        // spelt as the first row that is not left out has it
        const name = this.#rows.length === 0 ? owner : previous;
        this.#name = name;
        this.#rows.push(name === owner ? row : { ...row, rrset: { ...row.rrset, owner: name } });
        return undefined;
      }
      if (order < 0) {
        report({
          severity: 'error',
          rule: 'order',
          owner: owner.toString(),
          reason: `comes after ${previous.toString()}, which is not the canonical order (RFC 4034 §6.1)`,
          next: 'correct the sort key of its rows',
        });
        return undefined;
      }
    }
    const finished = this.finish();
    this.#name = owner;
    this.#rows = row === undefined ? [] : [row];
    return finished;
  }

  /** The last owner. */
  finish(): OwnerRows | undefined {
    const name = this.#name;
    if (name === undefined) return undefined;
    const finished = { name, rows: this.#rows };
    this.#name = undefined;
    this.#rows = [];
    return finished;
  }
}
