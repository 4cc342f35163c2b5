import type { TestPostgres } from '../interop/lib/postgres.js';

/** Names of the small zones are numbers below this one. */
const PARENT = 'small.example.';

/** Zones made by one statement, so that neither it nor its triggers grow without bound. */
const BATCH = 1000;

/** The RRsets of each zone, ten records in all; `$` stands for the zone, `%` for an octet that differs from zone to zone. */
const RRSETS: readonly {
  readonly label: string;
  readonly type: string;
  readonly data: readonly string[];
}[] = [
  { label: '', type: 'SOA', data: ['ns1.example.net. hostmaster.example.net. 1 7200 900 1209600 300'] },
  { label: '', type: 'NS', data: ['ns1.example.net.', 'ns2.example.net.'] },
  { label: '', type: 'MX', data: ['10 mail.$'] },
  { label: '', type: 'TXT', data: ['"v=spf1 mx -all"'] },
  { label: '', type: 'A', data: ['192.0.2.%'] },
  { label: 'www', type: 'A', data: ['192.0.2.%'] },
  { label: 'www', type: 'AAAA', data: ['2001:db8::%'] },
  { label: 'mail', type: 'A', data: ['198.51.100.%'] },
  { label: 'ftp', type: 'CNAME', data: ['www.$'] },
];

/** Names of the zones, in the order in which they are made. */
export function smallZoneNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `z${i + 1}.${PARENT}`);
}

/** Loads zones into Zoneseal's schema by plain SQL; nothing serves them yet, and they have no keys. */
export function loadZones(postgres: TestPostgres, database: string, count: number): void {
  const values = RRSETS.map(
    ({ label, type, data }) =>
      `(${quote(label === '' ? '' : `${label}.`)}, ${quote(type)}, array[${data.map(quote).join(', ')}])`,
  ).join(',\n');
  for (let from = 1; from <= count; from += BATCH) {
    const to = Math.min(from + BATCH - 1, count);
    postgres.psql(
      `begin;
       insert into zoneseal.zones (name) select 'z' || i || '.${PARENT}' from generate_series(${from}, ${to}) i;
       insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
         select z.id, r.label || z.name, r.type, 3600,
           array(select replace(replace(d, '$', z.name), '%', (1 + i % 250)::text) from unnest(r.data) d)
         from generate_series(${from}, ${to}) i join zoneseal.zones z on z.name = 'z' || i || '.${PARENT}'
           cross join (values ${values}) r (label, type, data);
       commit;`,
      database,
    );
  }
  postgres.psql('vacuum analyze', database);
}

/** Has all zones sign with the key that one of them has: one key in Barbican, named by a row for each zone. */
export function shareKeys(postgres: TestPostgres, database: string): void {
  postgres.psql(
    `insert into zoneseal.zone_keys (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref, signs, published)
     select z.id, k.role, k.algorithm, k.flags, k.key_tag, k.public_key, k.secret_ref, k.signs, k.published
     from zoneseal.zones z, zoneseal.zone_keys k where z.id <> k.zone_id;
     vacuum analyze`,
    database,
  );
}

/** Loads the same zones into PowerDNS's schema, as its own tools would leave them. */
export function loadPowerDns(postgres: TestPostgres, database: string, count: number): void {
  const values = RRSETS.flatMap(({ label, type, data }) =>
    data.map((datum) => {
      const [prio, content] = type === 'MX' ? datum.split(' ') : ['0', datum];
      return `(${quote(label)}, ${quote(type)}, ${quote(relative(content as string))}, ${prio})`;
    }),
  ).join(',\n');
  const parent = relative(PARENT);
  for (let from = 1; from <= count; from += BATCH) {
    const to = Math.min(from + BATCH - 1, count);
    postgres.psql(
      `begin;
       insert into domains (name, type) select 'z' || i || '.${parent}', 'NATIVE' from generate_series(${from}, ${to}) i;
       insert into records (domain_id, name, type, content, ttl, prio, ordername, auth)
         select d.id, case r.label when '' then d.name else r.label || '.' || d.name end, r.type,
           replace(replace(r.content, '$', d.name), '%', (1 + i % 250)::text), 3600, r.prio, r.label, true
         from generate_series(${from}, ${to}) i join domains d on d.name = 'z' || i || '.${parent}'
           cross join (values ${values}) r (label, type, content, prio);
       commit;`,
      database,
    );
  }
}

/** Has all zones sign with the keys of those that `pdnsutil` made some for. */
export function sharePowerDnsKeys(postgres: TestPostgres, database: string): void {
  postgres.psql(
    `insert into cryptokeys (domain_id, flags, active, published, content)
     select d.id, k.flags, k.active, k.published, k.content
     from domains d, cryptokeys k where not exists (select from cryptokeys o where o.domain_id = d.id);
     vacuum analyze`,
    database,
  );
}

/** PowerDNS has absolute names without the dot at their end. */
function relative(text: string): string {
  return text.replaceAll(/\.(?= |$)/g, '');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
