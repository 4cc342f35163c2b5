-- compatible-from: 11
-- Parent zones: where the DS of the zones below them are looked for.

create table zoneseal.parents (
  name text primary key check (name = lower(name collate "C")),
  sort_key bytea not null generated always as (zoneseal.sort_key(name)) stored unique,
  -- of all its nameservers, and of who is told of changed CDS; each `address port`
  servers text[] not null check (cardinality(servers) > 0 and array_position(servers, null) is null),
  notify text[] not null default '{}' check (array_position(notify, null) is null),
  -- DS rdata of its keys in presentation format; none: answers are believed as they come
  trust_anchors text[] not null default '{}' check (array_position(trust_anchors, null) is null),
  updated_at timestamptz not null default now()
);
comment on table zoneseal.parents is 'zones above others: their nameservers are asked for the DS of the zones below';
comment on column zoneseal.parents.trust_anchors is 'DS rdata of its keys; answers have to be valid by them; {}: they are believed';

-- When to ask for the DS of each zone that has keys which may have one.
create table zoneseal.parent_looks (
  zone_id bigint primary key references zoneseal.zones (id) on delete cascade,
  -- whether a key roll waits for the parent
  awaits boolean not null,
  since timestamptz not null default now(),
  due_at timestamptz not null default now(),
  -- when the parent was last told of changed CDS, since the roll waits
  told_at timestamptz
);
create index parent_looks_due on zoneseal.parent_looks (due_at);
comment on table zoneseal.parent_looks is 'when the parent of a zone is to be asked for its DS';

-- Rights on the above; called with grant_roles() after each migration.
create function zoneseal.grant_parent_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_roles where rolname = 'zoneseal_admin') then
    grant insert, update, delete on zoneseal.parents to zoneseal_admin;
    grant update (due_at) on zoneseal.parent_looks to zoneseal_admin;
  end if;
  if exists (select from pg_roles where rolname = 'zoneseal_gateway') then
    grant insert, update, delete on zoneseal.parent_looks to zoneseal_gateway;
  end if;
end
$$;
revoke all on function zoneseal.grant_parent_roles() from public;
