import type { RdataPart } from './field.js';
import { SCHEMAS } from './table.js';

export type { RdataPart } from './field.js';

/** The parts up to the last name that is compressed or lower-cased, neighbouring octets as one; undefined without any. */
function partsOf(type: number): readonly RdataPart[] | undefined {
  const fields = SCHEMAS.get(type)?.fields ?? [];
  const treated = fields.findLastIndex(
    ({ part }) => part?.kind === 'name' && (part.compress || part.decompress || part.lower),
  );
  if (treated < 0) return undefined;
  const parts: RdataPart[] = [];
  for (const { part } of fields.slice(0, treated + 1)) {
    const previous = parts.at(-1);
    if (part === undefined)
      throw new TypeError(`type ${type}: a field of unknown shape stands before a name`);
    if (part.kind === 'octets' && previous?.kind === 'octets') {
      parts[parts.length - 1] = { kind: 'octets', length: previous.length + part.length };
    } else parts.push(part);
  }
  return parts;
}

const PARTS: readonly (readonly RdataPart[] | undefined)[] = Array.from(
  { length: Math.max(...SCHEMAS.keys()) + 1 },
  (_, type) => partsOf(type),
);

/**
 * What rdata of a type consists of, as far as its canonical form and the compression of its names need to know; what
 * follows the last part is taken as it is. Undefined: the whole rdata is.
 */
export function rdataParts(type: number): readonly RdataPart[] | undefined {
  return PARTS[type];
}
