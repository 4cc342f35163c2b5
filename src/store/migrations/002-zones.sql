-- What operators and other programs write: views, policies, zones, RRsets, keys.

create table zoneseal.views (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  created_at timestamptz not null default now()
);
comment on table zoneseal.views is 'named audiences; a zone is served in the views it is assigned to';

create table zoneseal.policies (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  version bigint not null default 1,
  document jsonb not null default '{}' check (jsonb_typeof(document) = 'object'),
  updated_at timestamptz not null default now()
);
comment on table zoneseal.policies is 'how zones are signed; version grows by itself whenever document changes';

create table zoneseal.policy_versions (
  name text not null,
  version bigint not null,
  document jsonb not null,
  created_at timestamptz not null default now(),
  primary key (name, version)
);
comment on table zoneseal.policy_versions is 'every version a policy had; written by triggers alone';

create table zoneseal.zones (
  id bigint generated always as identity primary key,
  name text not null unique check (name = lower(name collate "C")),
  sort_key bytea not null generated always as (zoneseal.sort_key(name)) stored unique,
  policy text not null default 'default' references zoneseal.policies (name),
  version bigint not null default 0,
  key_set_version bigint not null default 0,
  -- the oldest version of which history may be complete: grows when rows were changed past the triggers
  readable_from bigint not null default 0,
  -- the transaction that made this version and key set version; its start tells a restored database's transactions apart
  written_by xid8,
  written_at timestamptz,
  keys_written_by xid8,
  keys_written_at timestamptz,
  created_at timestamptz not null default now()
);
comment on table zoneseal.zones is 'zones by their absolute lower-case name; version grows by one with each transaction that changes rrsets';

create table zoneseal.zone_views (
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  view text not null references zoneseal.views (name),
  created_at timestamptz not null default now(),
  primary key (zone_id, view)
);
create index zone_views_view on zoneseal.zone_views (view);
comment on table zoneseal.zone_views is 'the views a zone is served in';

-- zone_id has no foreign key: one check a row costs more than the row. The triggers refuse unknown zones and
-- take rows away with their zone.
create table zoneseal.rrsets (
  id bigint generated always as identity primary key,
  zone_id bigint not null,
  owner text not null,
  sort_key bytea not null generated always as (zoneseal.sort_key(owner)) stored,
  type text not null check (type ~ '^[A-Z][A-Z0-9-]*$' and length(type) <= 20),
  ttl integer not null check (ttl >= 0),
  data text[] not null check (cardinality(data) > 0 and array_ndims(data) = 1 and array_position(data, null) is null),
  views text[] check (cardinality(views) > 0 and array_ndims(views) = 1 and array_position(views, null) is null)
);
-- also the order in which a zone is read
create unique index rrsets_canonical on zoneseal.rrsets (zone_id, sort_key, type, coalesce(views, '{}'));
comment on table zoneseal.rrsets is 'one row is one RRset as some views see it; any program may write it with plain SQL';
comment on column zoneseal.rrsets.owner is 'absolute name in presentation format, ASCII';
comment on column zoneseal.rrsets.type is 'type mnemonic in upper case, or TYPEnnn';
comment on column zoneseal.rrsets.data is 'one rdata each in presentation format, names absolute';
comment on column zoneseal.rrsets.views is 'the views that see it; null: all';

create table zoneseal.zone_keys (
  id bigint generated always as identity primary key,
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  role text not null check (role in ('KSK', 'ZSK', 'CSK')),
  algorithm integer not null check (algorithm between 1 and 254),
  flags integer not null check (flags between 0 and 65535),
  key_tag integer not null check (key_tag between 0 and 65535),
  public_key bytea not null check (length(public_key) > 0),
  secret_ref text not null check (secret_ref <> ''),
  view text references zoneseal.views (name),
  signs boolean not null default true,
  published boolean not null default true,
  created_at timestamptz not null default now(),
  unique (zone_id, algorithm, public_key),
  check (view is null or role = 'ZSK')
);
comment on table zoneseal.zone_keys is 'key sets; private halves are in Barbican under secret_ref, never here';

create table zoneseal.tsig_keys (
  id bigint generated always as identity primary key,
  name text not null unique check (name = lower(name collate "C")),
  sort_key bytea not null generated always as (zoneseal.sort_key(name)) stored unique,
  algorithm text not null check (algorithm in ('hmac-sha1', 'hmac-sha224', 'hmac-sha256', 'hmac-sha384', 'hmac-sha512')),
  secret_ref text not null check (secret_ref <> ''),
  created_at timestamptz not null default now()
);
comment on table zoneseal.tsig_keys is 'TSIG keys; secrets are in Barbican under secret_ref, never here';

create table zoneseal.tsig_grants (
  id bigint generated always as identity primary key,
  key_id bigint not null references zoneseal.tsig_keys (id) on delete cascade,
  view text not null references zoneseal.views (name),
  zones text[] check (cardinality(zones) > 0 and array_ndims(zones) = 1 and array_position(zones, null) is null),
  addresses cidr[] check (cardinality(addresses) > 0 and array_ndims(addresses) = 1 and array_position(addresses, null) is null)
);
create index tsig_grants_key on zoneseal.tsig_grants (key_id);
comment on table zoneseal.tsig_grants is 'what a TSIG key may take: a view; its zones (null: all) from addresses (null: any)';

-- The id of a zone by name, for programs that write rrsets.
create function zoneseal.zone_id(zone text) returns bigint
language plpgsql stable parallel safe as $$
declare
  found_id bigint;
begin
  select z.id into found_id from zoneseal.zones z where z.sort_key = zoneseal.sort_key(zone);
  if found_id is null then
    raise exception 'zone "%" is not held; create it with: zoneseal zone import', zone using errcode = 'foreign_key_violation';
  end if;
  return found_id;
end
$$;
