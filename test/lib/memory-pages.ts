import { ZonesealError } from '../../src/errors.js';
import type { PageChanges } from '../../src/publication/ports.js';
import type { PackedPage } from '../../src/signing/page-codec.js';
import { isVisible, type ZoneRow } from '../../src/zone/row.js';

/** A page as MemoryPublicationStore keeps it. */
export interface MemoryPage {
  readonly page: PackedPage;
  readonly since: number;
  until: number | undefined;
}

/** The order of keys. */
export const order = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

/** Replaces pages from a publication on. @throws ZonesealError PAGES_LOST */
export function changePages(stored: MemoryPage[], id: number, { replaced, pages }: PageChanges): void {
  for (const { chain, firstKey, since } of replaced) {
    const old = stored.find(
      (it) =>
        it.page.chain === chain &&
        order(it.page.firstKey, firstKey) === 0 &&
        String(it.since) === since &&
        it.until === undefined,
    );
    if (old === undefined) throw new ZonesealError('PAGES_LOST', 'a page is gone');
    old.until = id;
  }
  for (const page of pages) stored.push({ page, since: id, until: undefined });
}

/** Sort keys of the owners that a view sees another content of. */
export function changedOwners(before: readonly ZoneRow[], now: readonly ZoneRow[], view: string): Buffer[] {
  const [old, fresh] = [before, now].map((rows) => textByOwner(rows, view)) as [
    Map<string, string>,
    Map<string, string>,
  ];
  const keys = [...new Set([...old.keys(), ...fresh.keys()])];
  return keys.filter((key) => old.get(key) !== fresh.get(key)).map((key) => Buffer.from(key, 'latin1'));
}

function textByOwner(rows: readonly ZoneRow[], view: string): Map<string, string> {
  const owners = new Map<string, string>();
  for (const row of rows) {
    if (!isVisible(row, view)) continue;
    const key = Buffer.from(row.sortKey).toString('latin1');
    const text = JSON.stringify([row.owner, row.type, row.ttl, row.data]);
    owners.set(key, `${owners.get(key) ?? ''}${text}`);
  }
  return owners;
}
