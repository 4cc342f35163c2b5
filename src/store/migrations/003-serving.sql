-- What gateways write: serial lines, publications, leases. And what triggers write: history and changes.

create table zoneseal.rrset_births (
  row_id bigint primary key,
  zone_id bigint not null,
  version bigint not null
);
create index rrset_births_version on zoneseal.rrset_births (zone_id, version);
comment on table zoneseal.rrset_births is 'the zone version in which a row of rrsets got its present content; none: before any retained version';

create table zoneseal.rrset_history (
  zone_id bigint not null,
  valid_from bigint not null,
  valid_to bigint not null,
  row_id bigint not null,
  sort_key bytea not null,
  owner text not null,
  type text not null,
  ttl integer not null,
  data text[] not null,
  views text[],
  check (valid_from < valid_to)
);
create index rrset_history_canonical on zoneseal.rrset_history (zone_id, sort_key, type);
create index rrset_history_version on zoneseal.rrset_history (zone_id, valid_to);
comment on table zoneseal.rrset_history is 'rows that were replaced: content from version valid_from up to, not including, valid_to';

create table zoneseal.changes (
  id bigint generated always as identity primary key,
  zone_id bigint not null,
  version bigint not null,
  sort_key bytea,
  owner text,
  type text,
  views_before text[],
  views_after text[],
  created_at timestamptz not null default now()
);
create index changes_version on zoneseal.changes (zone_id, version);
comment on table zoneseal.changes is 'what a zone version changed, by owner and type; owner null: too many to list, anything in these views may have changed';
comment on column zoneseal.changes.views_before is 'of the views that see a difference those that saw data before; null: all views, {}: none';
comment on column zoneseal.changes.views_after is 'of the views that see a difference those that see data now; null: all views, {}: none';

-- Holds rows within a transaction only: the zones it has changed, to be settled when it commits.
create unlogged table zoneseal.zone_writes (
  zone_id bigint primary key
);

create table zoneseal.key_set_versions (
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  version bigint not null,
  keys jsonb not null,
  created_at timestamptz not null default now(),
  primary key (zone_id, version)
);
comment on table zoneseal.key_set_versions is 'key sets as they were; written by triggers alone';

create table zoneseal.publications (
  id bigint generated always as identity primary key,
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  view text not null,
  serial bigint not null check (serial between 0 and 4294967295),
  zone_version bigint not null,
  policy_name text not null,
  policy_version bigint not null,
  key_set_version bigint not null,
  time bigint not null,
  format_version bigint not null,
  state text not null check (state in ('building', 'ready', 'failed')),
  error text,
  resign_at bigint,
  soa_ttl bigint,
  soa_rdata bytea,
  soa_signatures bytea[],
  records bigint,
  gateway text not null,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  check (state <> 'ready' or (resign_at is not null and soa_rdata is not null))
);
create index publications_line on zoneseal.publications (zone_id, view, id);
create index publications_version on zoneseal.publications (zone_id, zone_version);
comment on table zoneseal.publications is 'what was served, is served or is being built: the frozen tuple and its serial';

-- One row a (zone, view), kept for ever, so that serials move forward even when a zone is deleted and comes back.
-- The row lock on it is what allocation of serials takes.
create table zoneseal.serial_lines (
  zone text not null,
  view text not null,
  zone_id bigint,
  last_serial bigint check (last_serial between 0 and 4294967295),
  -- what a new publication has to reach; kept by triggers
  policy text,
  changed_version bigint not null default 0,
  keys_changed_version bigint not null default 0,
  -- the publication being built
  building bigint,
  building_until timestamptz,
  -- the newest ready one
  ready bigint,
  ready_zone_version bigint,
  ready_policy text,
  ready_policy_version bigint,
  ready_key_set_version bigint,
  ready_format_version bigint,
  resign_at timestamptz,
  -- the newest one where it failed, and is newer than the newest ready one
  failed bigint,
  failed_zone_version bigint,
  failed_policy text,
  failed_policy_version bigint,
  failed_key_set_version bigint,
  failed_format_version bigint,
  retry_at timestamptz,
  -- when to look at it, but for new policy and format versions
  due_at timestamptz not null generated always as (
    case
      when zone_id is null then 'infinity'
      when building is not null then building_until
      when ready is not null and ready_zone_version >= changed_version
        and ready_key_set_version >= keys_changed_version and ready_policy = policy
        then case when failed is null then resign_at else greatest(resign_at, coalesce(retry_at, 'infinity')) end
      when failed is not null and failed_zone_version >= changed_version
        and failed_key_set_version >= keys_changed_version and failed_policy = policy
        then coalesce(retry_at, 'infinity')
      else '-infinity'
    end
  ) stored,
  tried_policy_version bigint generated always as (
    greatest(
      case when failed_policy = policy then failed_policy_version end,
      case when ready_policy = policy then ready_policy_version end
    )
  ) stored,
  tried_format_version bigint generated always as (greatest(failed_format_version, ready_format_version)) stored,
  primary key (zone, view)
);
create index serial_lines_due on zoneseal.serial_lines (due_at) where zone_id is not null;
create index serial_lines_policy on zoneseal.serial_lines (policy, tried_policy_version) where zone_id is not null;
create index serial_lines_format on zoneseal.serial_lines (tried_format_version) where zone_id is not null;
create index serial_lines_zone on zoneseal.serial_lines (zone_id, view) where zone_id is not null;
comment on table zoneseal.serial_lines is 'the serial last given out to each (zone, view), and where its publications stand';

create table zoneseal.leases (
  name text primary key,
  holder text not null,
  token bigint not null default 1,
  expires_at timestamptz not null
);
comment on table zoneseal.leases is 'who may do what alone; token grows with each new holder';

create table zoneseal.prune_queue (
  id bigint generated always as identity primary key,
  zone_id bigint not null
);
comment on table zoneseal.prune_queue is 'zones of which history may have become superfluous';
