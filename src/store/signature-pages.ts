import { ZonesealError } from '../errors.js';
import type { SignaturePage } from '../signing/recorded.js';
import type { Database } from './database.js';

/** Pages read at a time: half a megabyte of P-256 signatures. */
const READ_PAGES = 40;

/**
 * When publication $1 has become ready: the signatures of its line's older ones go, but for those of the one before it, which
 * may still be asked for.
 */
export const DROP_OLD_PAGES = `
  delete from zoneseal.signature_pages s
  using zoneseal.publications new, zoneseal.publications old
  where new.id = $1 and old.zone_id = new.zone_id and old.view = new.view and s.publication_id = old.id
    and old.id < (
      select max(p.id) from zoneseal.publications p
      where p.zone_id = new.zone_id and p.view = new.view and p.state = 'ready' and p.id < new.id
    )`;

/** @throws ZonesealError PUBLICATION_LOST when the publication is not being built by this gateway (any more) */
export async function savePages(
  database: Database,
  publication: string,
  gateway: string,
  pages: readonly SignaturePage[],
): Promise<void> {
  const saved = await database.execute(
    `insert into zoneseal.signature_pages (publication_id, page, input, signatures)
     select p.id, t.page, t.input, t.signatures
     from zoneseal.publications p, unnest($3::integer[], $4::bytea[], $5::bytea[]) t (page, input, signatures)
     where p.id = $1 and p.gateway = $2 and p.state = 'building'`,
    [
      publication,
      gateway,
      pages.map(({ page }) => page),
      pages.map(({ input }) => Buffer.from(input)),
      pages.map(({ signatures }) => Buffer.from(signatures)),
    ],
  );
  if (saved === pages.length) return;
  throw new ZonesealError(
    'PUBLICATION_LOST',
    'the lease on a publication was lost while it was signed; another gateway has taken over',
  );
}

/** By ascending page; each read is a statement of its own, so that nothing is held open in between. */
export async function* readPages(
  database: Database,
  publication: string,
): AsyncGenerator<SignaturePage, void, undefined> {
  for (let from = 0; ; from += READ_PAGES) {
    const rows = await database.query<{ page: number; input: Buffer; signatures: Buffer }>(
      `select page, input, signatures from zoneseal.signature_pages
       where publication_id = $1 and page >= $2 and page < $3 order by page`,
      [publication, from, from + READ_PAGES],
    );
    for (const { page, input, signatures } of rows) yield { page, input, signatures };
    if (rows.length < READ_PAGES) return;
  }
}
