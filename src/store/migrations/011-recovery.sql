-- compatible-from: 11
-- Databases that were set back (a failover that lost commits, a restore), and gateways of several releases side by side.

-- Each time the database is found to have been set back it becomes another incarnation. Gateways remember the one that they
-- trust, with its marker, which they move on all the time: one that is lower than remembered tells of lost commits.
create table zoneseal.clusters (
  incarnation uuid primary key default gen_random_uuid(),
  parent uuid,
  current boolean not null default true,
  -- whether commits are known to be lost; else nobody could tell
  certain boolean not null default true,
  system_identifier text,
  timeline bigint,
  marker bigint not null default 0,
  reason text,
  began_at timestamptz not null default clock_timestamp()
);
create unique index clusters_current on zoneseal.clusters (current) where current;
comment on table zoneseal.clusters is 'incarnations of this database: a new one begins when it is found to have been set back';

-- Null where the server does not tell, as where an administrator has taken away the right to ask.
create function zoneseal.server_identity(out system_identifier text, out timeline bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  begin
    select s.system_identifier::text into system_identifier from pg_control_system() s;
  exception when insufficient_privilege or undefined_function or feature_not_supported then
    system_identifier := null;
  end;
  begin
    -- not that of the last checkpoint, which comes some time after a promotion
    if not pg_is_in_recovery() then
      timeline := ('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::bigint;
    end if;
  exception when insufficient_privilege or undefined_function or feature_not_supported then
    timeline := null;
  end;
end
$$;

insert into zoneseal.clusters (certain, system_identifier, timeline, reason)
  select false, s.system_identifier, s.timeline, 'the first' from zoneseal.server_identity() s;

create function zoneseal.current_incarnation() returns uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select incarnation from zoneseal.clusters where current
$$;

-- What each statement that decides what is served looks at, in its own snapshot.
create function zoneseal.standing(out incarnation uuid, out marker bigint, out same_server boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  select c.incarnation, c.marker,
      (c.system_identifier, c.timeline) is not distinct from (s.system_identifier, s.timeline)
    into incarnation, marker, same_server
    from zoneseal.clusters c, zoneseal.server_identity() s where c.current;
end
$$;

alter table zoneseal.serial_lines
  -- the one for which it is known that the line is past what nameservers serve; others: it is to be found out before anything is served
  add column incarnation uuid default zoneseal.current_incarnation(),
  -- up to this publication all were made before the database was set back, and the line has jumped since: they are not served
  add column barred bigint not null default 0;
create index serial_lines_incarnation on zoneseal.serial_lines (incarnation, zone, view) where zone_id is not null;

-- Gateways that run, by the database's clock.
create table zoneseal.gateways (
  name text primary key,
  release text not null,
  schema_level integer not null,
  format_version bigint not null,
  page_format integer not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
);
comment on table zoneseal.gateways is 'gateways that run or ran a moment ago, and what each of them can read: newer forms wait until all can';

alter table zoneseal.migrations add column compatible_from integer;
comment on column zoneseal.migrations.compatible_from is 'gateways that know the schema up to this migration, or further, work with it; null: only those that know this one';

-- The rights on these tables; called with grant_roles() after each migration.
create function zoneseal.grant_recovery_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r text;
begin
  foreach r in array array['zoneseal_reader', 'zoneseal_gateway', 'zoneseal_admin'] loop
    if exists (select from pg_roles where rolname = r) then
      execute format('grant execute on function zoneseal.standing(), zoneseal.server_identity(), zoneseal.current_incarnation() to %I', r);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'zoneseal_gateway') then
    grant insert, update on zoneseal.clusters to zoneseal_gateway;
    grant insert, update, delete on zoneseal.gateways to zoneseal_gateway;
  end if;
end
$$;
revoke all on function zoneseal.grant_recovery_roles(), zoneseal.server_identity(), zoneseal.current_incarnation(),
  zoneseal.standing() from public;
