import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DEVELOPMENT_KEYS_FOLDER } from './gateway-parts.js';
import type { Log } from './log.js';
import type { Database } from './store/database.js';

/** The zone that an empty embedded database gets. */
export const QUICKSTART_ZONE = 'quickstart.example.';

/** Owner relative to the zone, type, TTL, rdata, and the views that see it where not all do. */
type Row = readonly [
  owner: string,
  type: string,
  ttl: number,
  data: readonly string[],
  views?: readonly string[],
];

const DS = '60485 13 2 d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a';

/** Something of everything: split answers, a wildcard, an empty non-terminal, delegations with and without DS, an alias. */
export const QUICKSTART_ROWS: readonly Row[] = [
  ['@', 'SOA', 3600, [`ns1.${QUICKSTART_ZONE} hostmaster.${QUICKSTART_ZONE} 1 3600 600 1209600 300`]],
  ['@', 'NS', 3600, [`ns1.${QUICKSTART_ZONE}`, `ns2.${QUICKSTART_ZONE}`]],
  ['@', 'MX', 3600, [`10 mail.${QUICKSTART_ZONE}`]],
  ['@', 'TXT', 3600, ['"v=spf1 mx -all"']],
  ['@', 'CAA', 3600, ['0 issue "ca.example"']],
  ['ns1', 'A', 3600, ['192.0.2.53']],
  ['ns1', 'AAAA', 3600, ['2001:db8::53']],
  ['ns2', 'A', 3600, ['198.51.100.53']],
  ['mail', 'A', 3600, ['192.0.2.25']],
  ['www', 'A', 300, ['192.0.2.80'], ['external']],
  ['www', 'A', 300, ['10.1.0.80'], ['internal']],
  ['www', 'HTTPS', 300, ['1 . alpn="h2"']],
  ['shop', 'CNAME', 300, [`www.${QUICKSTART_ZONE}`]],
  ['intranet', 'A', 300, ['10.1.0.7'], ['internal']],
  ['_ldap._tcp.intranet', 'SRV', 300, [`0 0 389 intranet.${QUICKSTART_ZONE}`], ['internal']],
  ['*.apps', 'A', 300, ['192.0.2.90']],
  ['host.rack1.site', 'A', 300, ['192.0.2.101']],
  ['secure', 'NS', 3600, [`ns.secure.${QUICKSTART_ZONE}`]],
  ['secure', 'DS', 3600, [DS]],
  ['ns.secure', 'A', 3600, ['192.0.2.54']],
  ['partner', 'NS', 3600, ['ns.partner.example.', `ns.partner.${QUICKSTART_ZONE}`]],
  ['ns.partner', 'A', 3600, ['192.0.2.55']],
];

const manifestSchema = z.object({
  keys: z.array(
    z.object({
      zone: z.string(),
      role: z.enum(['KSK', 'ZSK', 'CSK']),
      algorithm: z.int(),
      keyTag: z.int(),
      flags: z.int(),
      publicKey: z.base64(),
      secret: z.string(),
    }),
  ),
  tsigKeys: z.array(
    z.object({
      name: z.string(),
      algorithm: z.string(),
      secret: z.string(),
      file: z.string(),
      kdigFile: z.string(),
    }),
  ),
});

/** What keys-dev/ says of its keys. */
export function readDevelopmentManifest(): z.infer<typeof manifestSchema> {
  return manifestSchema.parse(
    JSON.parse(readFileSync(join(DEVELOPMENT_KEYS_FOLDER, 'manifest.json'), 'utf8')),
  );
}

/**
 * Fills a database that has no zone and no view: two views, the quickstart zone in both, the throw-away keys of
 * keys-dev/ by their references, and a TSIG key for each view. In one transaction; does nothing to any other database.
 */
export async function importQuickstart(database: Database, log: Log): Promise<void> {
  const manifest = readDevelopmentManifest();
  const imported = await database.transaction(async (transaction) => {
    const [{ used } = { used: true }] = await transaction.query<{ used: boolean }>(
      'select exists (select from zoneseal.zones) or exists (select from zoneseal.views) as used',
    );
    if (used) return false;
    await transaction.execute("insert into zoneseal.views (name) values ('internal'), ('external')");
    const zones = await transaction.query<{ id: number }>(
      'insert into zoneseal.zones (name) values ($1) returning id',
      [QUICKSTART_ZONE],
    );
    const id = (zones[0] as { id: number }).id;
    await transaction.execute(
      'insert into zoneseal.zone_views (zone_id, view) select $1, name from zoneseal.views',
      [id],
    );
    for (const [owner, type, ttl, data, views] of QUICKSTART_ROWS) {
      const absolute = owner === '@' ? QUICKSTART_ZONE : `${owner}.${QUICKSTART_ZONE}`;
      await transaction.execute(
        'insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views) values ($1, $2, $3, $4, $5, $6)',
        [id, absolute, type, ttl, data, views ?? null],
      );
    }
    for (const key of manifest.keys) {
      await transaction.execute(
        `insert into zoneseal.zone_keys (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref)
         values ($1, $2, $3, $4, $5, $6, $7)`,
        [
          id,
          key.role,
          key.algorithm,
          key.flags,
          key.keyTag,
          Buffer.from(key.publicKey, 'base64'),
          key.secret,
        ],
      );
    }
    for (const { name, algorithm, secret } of manifest.tsigKeys) {
      const view = name.includes('internal') ? 'internal' : 'external';
      await transaction.execute(
        `with key as (insert into zoneseal.tsig_keys (name, algorithm, secret_ref) values ($1, $2, $3) returning id)
         insert into zoneseal.tsig_grants (key_id, view) select id, $4 from key`,
        [name, algorithm, secret, view],
      );
    }
    return true;
  });
  if (imported)
    log.info({ zone: QUICKSTART_ZONE, views: ['internal', 'external'] }, 'the quickstart zone was imported');
}
