-- Signed variants as pages of records in order, journals of what publications changed, and what operators ask of lines.

drop table zoneseal.signature_pages;

alter table zoneseal.publications
  -- slots that began before this instant begin at it (seconds since 1970): all signatures were to be made anew
  add column not_before bigint not null default 0,
  -- what the line was asked for when it was allocated
  add column wanted bigint not null default 0,
  add column cause text,
  -- renews signatures of the publication before, while a change that came after it cannot be published
  add column stopgap boolean not null default false,
  -- whose pages it has, as they were when it became ready; and the ready one that it replaced, unless it was the first
  add column generation bigint,
  add column previous bigint,
  add column zonemd_rdata bytea,
  add column zonemd_signatures bytea[],
  add column max_ttl bigint,
  -- when the first signature expires; and until when a nameserver that loses contact, and caches after it, stay valid
  add column expires_at bigint,
  add column octets bigint,
  -- what it took: signatures made and used again
  add column signatures bigint,
  add column reused bigint,
  -- of its journal; null: there is none, the difference was larger than the zone
  add column journal_octets bigint,
  add column removed bigint,
  add column added bigint;
comment on column zoneseal.publications.cause is 'why it was made: first, change, policy, keys, refresh, asked, format, pages';
create index publications_serial on zoneseal.publications (zone_id, view, serial) where state = 'ready';

alter table zoneseal.zones
  add column resigned_at bigint not null default 0,
  add column frozen_version bigint;
comment on column zoneseal.zones.frozen_version is 'the version that is served while the zone is frozen; null: it is not';

alter table zoneseal.serial_lines
  add column frozen_version bigint,
  -- when less validity is left of what is ready than the SOA's expire and the largest TTL
  add column safe_until timestamptz,
  -- counts what operators ask for: each number wants a publication of its own
  add column wanted bigint not null default 0,
  add column ready_wanted bigint not null default 0,
  add column failed_wanted bigint not null default 0;

drop index zoneseal.serial_lines_due;
alter table zoneseal.serial_lines drop column due_at;
alter table zoneseal.serial_lines add column due_at timestamptz not null generated always as (
  case
    when zone_id is null then 'infinity'
    when building is not null then building_until
    when ready is not null and ready_zone_version >= least(changed_version, coalesce(frozen_version, changed_version))
      and ready_key_set_version >= keys_changed_version and ready_policy = policy and ready_wanted >= wanted
      then case when failed is null then resign_at else greatest(resign_at, coalesce(retry_at, 'infinity')) end
    when failed is not null and failed_zone_version >= least(changed_version, coalesce(frozen_version, changed_version))
      and failed_key_set_version >= keys_changed_version and failed_policy = policy and failed_wanted >= wanted
      -- signatures are renewed also while a change cannot be published
      then least(coalesce(retry_at, 'infinity'), case when ready is not null then resign_at end)
    else '-infinity'
  end
) stored;
create index serial_lines_safe on zoneseal.serial_lines (safe_until) where zone_id is not null;
create index serial_lines_due on zoneseal.serial_lines (due_at) where zone_id is not null;

alter table zoneseal.prune_queue add column queued_at timestamptz not null default clock_timestamp();

-- Pages that were written anew, for one publication; later ones replace some of them.
create table zoneseal.signed_generations (
  id bigint primary key,
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  view text not null
);
create index signed_generations_line on zoneseal.signed_generations (zone_id, view);
comment on table zoneseal.signed_generations is 'sets of signed pages, each named by the publication it was written for';

create table zoneseal.signed_pages (
  generation bigint not null references zoneseal.signed_generations (id) on delete cascade,
  chain boolean not null,
  first_key bytea not null,
  since bigint not null,
  until bigint,
  chained boolean not null,
  expires bigint,
  content bytea not null,
  primary key (generation, chain, first_key, since)
);
create index signed_pages_present on zoneseal.signed_pages (generation, chain, first_key) where until is null;
create index signed_pages_expires on zoneseal.signed_pages (generation, expires) where until is null;
create index signed_pages_replaced on zoneseal.signed_pages (generation, until) where until is not null;
comment on column zoneseal.signed_pages.expires is 'when the first of its signatures expires, seconds since 1970';
-- signatures do not compress
alter table zoneseal.signed_pages alter column content set storage external;
comment on table zoneseal.signed_pages is 'signed records in canonical order (chain: of NSEC3, by hash), packed as src/signing/page-codec.ts says';
comment on column zoneseal.signed_pages.first_key is 'sort key (chain: hash) of its first name';
comment on column zoneseal.signed_pages.since is 'the publication from which on it is part of the zone; until: the one from which on it is not';

create table zoneseal.journal_parts (
  publication_id bigint not null references zoneseal.publications (id) on delete cascade,
  added boolean not null,
  part integer not null check (part >= 0),
  content bytea not null,
  primary key (publication_id, added, part)
);
alter table zoneseal.journal_parts alter column content set storage external;
comment on table zoneseal.journal_parts is 'records that a publication took away and put in, but for the SOA, packed as src/publication/journal.ts says';

-- Zones in views: as before, and the pages go with the line.
create or replace function zoneseal.zone_view_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z record;
begin
  if tg_op in ('UPDATE', 'DELETE') then
    update serial_lines
      set zone_id = null, policy = null, building = null, building_until = null, ready = null, ready_zone_version = null,
        ready_policy = null, ready_policy_version = null, ready_key_set_version = null, ready_format_version = null,
        resign_at = null, safe_until = null, failed = null, failed_zone_version = null, failed_policy = null, failed_policy_version = null,
        failed_key_set_version = null, failed_format_version = null, retry_at = null, frozen_version = null
      where zone_id = old.zone_id and view = old.view;
    delete from publications where zone_id = old.zone_id and view = old.view;
    delete from signed_generations where zone_id = old.zone_id and view = old.view;
    perform pg_notify('zoneseal', old.zone_id::text);
  end if;
  if tg_op in ('INSERT', 'UPDATE') then
    -- waits for writers of the zone, who otherwise would not see the line they have to tell of their changes
    select * into z from zones where id = new.zone_id for no key update;
    insert into serial_lines as l (zone, view, zone_id, policy, changed_version, keys_changed_version, frozen_version)
      values (z.name, new.view, z.id, z.policy, z.version, z.key_set_version, z.frozen_version)
      on conflict (zone, view) do update
        set zone_id = excluded.zone_id, policy = excluded.policy, changed_version = excluded.changed_version,
          keys_changed_version = excluded.keys_changed_version, frozen_version = excluded.frozen_version;
    perform pg_notify('zoneseal', new.zone_id::text);
  end if;
  return null;
end
$$;

-- The gateway's rights on what came after 006; called after grant_roles().
create or replace function zoneseal.grant_later_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_roles where rolname = 'zoneseal_gateway') then
    grant insert, delete on zoneseal.signed_generations, zoneseal.journal_parts to zoneseal_gateway;
    grant insert, update, delete on zoneseal.signed_pages to zoneseal_gateway;
  end if;
end
$$;
