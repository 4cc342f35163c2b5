-- Zone versions: what happens by itself when rrsets are written.
--
-- Each statement locks the zones it wrote to, in the order of their names, gives each one a new version unless this
-- transaction has done so already, moves replaced rows to history and notes births. When the transaction commits, a
-- deferred trigger compares what the version removed with what it added, and writes change rows for what is left.
-- All of it runs with the rights of the schema's owner, so that writers need rights on rrsets alone.

-- Locks zones for writing and gives them this transaction's version.
create function zoneseal.touch_zones(zone_ids bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z record;
begin
  for z in
    select t.id, t.written_by, t.written_at from zones t where t.id = any (zone_ids) order by t.name for no key update
  loop
    if z.written_by is distinct from pg_current_xact_id() or z.written_at is distinct from now() then
      update zones set version = version + 1, written_by = pg_current_xact_id(), written_at = now() where id = z.id;
    end if;
  end loop;
end
$$;

-- Has the zones settled when the transaction commits. Comes last: where a session has set constraints immediate, they are
-- settled here and now.
create function zoneseal.leave_to_settle(zone_ids bigint[]) returns void
language sql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
  insert into zone_writes select id from zones where id = any (zone_ids) on conflict do nothing
$$;

-- Refuses rows of unknown zones and views.
create function zoneseal.refuse_unknown(zone_ids bigint[], row_views text[]) returns void
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  missing text;
begin
  select i::text into missing from unnest(zone_ids) i where not exists (select from zones z where z.id = i) limit 1;
  if missing is not null then
    raise exception 'there is no zone with id %', missing using errcode = 'foreign_key_violation';
  end if;
  select v into missing from unnest(row_views) v where not exists (select from views t where t.name = v) limit 1;
  if missing is not null then
    raise exception 'there is no view "%"; create it with: zoneseal view add %', missing, missing
      using errcode = 'foreign_key_violation';
  end if;
end
$$;

-- Each row's own look-ups are written as subqueries: plans are kept for a session, and one made for a statement of
-- 100,000 rows must not read whole tables when the next statement has one.

create function zoneseal.rrsets_inserted() returns trigger
language plpgsql security definer
set search_path = pg_catalog, zoneseal, pg_temp set enable_seqscan = off set jit = off as $$
declare
  ids bigint[] := array(select distinct n.zone_id from new_rows n);
begin
  if ids = '{}' then
    return null;
  end if;
  perform touch_zones(ids);
  perform refuse_unknown(ids, array(
    select distinct v from (select distinct n.views from new_rows n where n.views is not null) t, unnest(t.views) v
  ));
  insert into rrset_births (row_id, zone_id, version)
    select n.id, n.zone_id, (select z.version from zones z where z.id = n.zone_id) from new_rows n;
  perform leave_to_settle(ids);
  return null;
end
$$;

create function zoneseal.rrsets_deleted() returns trigger
language plpgsql security definer
set search_path = pg_catalog, zoneseal, pg_temp set enable_seqscan = off set jit = off as $$
declare
  ids bigint[] := array(select distinct o.zone_id from old_rows o);
begin
  if ids = '{}' then
    return null;
  end if;
  perform touch_zones(ids);
  insert into rrset_history (zone_id, valid_from, valid_to, row_id, sort_key, owner, type, ttl, data, views)
    select t.* from (
      select o.zone_id,
        coalesce((select b.version from rrset_births b where b.row_id = o.id), 0) as valid_from,
        (select z.version from zones z where z.id = o.zone_id) as valid_to, -- null where the zone itself is deleted
        o.id, o.sort_key, o.owner, o.type, o.ttl, o.data, o.views
      from old_rows o
    ) t
    where t.valid_from < t.valid_to;
  delete from rrset_births where row_id = any (array(select o.id from old_rows o));
  perform leave_to_settle(ids);
  return null;
end
$$;

create function zoneseal.rrsets_updated() returns trigger
language plpgsql security definer
set search_path = pg_catalog, zoneseal, pg_temp set enable_seqscan = off set enable_nestloop = off
set jit = off as $$
declare
  paired bigint;
  ids bigint[];
begin
  select count(*),
      array_agg(distinct o.zone_id) filter (where o is distinct from n)
        || array_agg(distinct n.zone_id) filter (where o is distinct from n)
    into paired, ids
    from old_rows o join new_rows n on n.id = o.id;
  if paired <> (select count(*) from old_rows) then
    raise exception 'the id of a row of rrsets cannot be changed' using errcode = 'feature_not_supported';
  end if;
  if ids is null then
    return null;
  end if;
  perform touch_zones(ids);
  perform refuse_unknown(ids, array(
    select distinct v from (select distinct n.views from new_rows n where n.views is not null) t, unnest(t.views) v
  ));
  insert into rrset_history (zone_id, valid_from, valid_to, row_id, sort_key, owner, type, ttl, data, views)
    select t.* from (
      select o.zone_id,
        coalesce((select b.version from rrset_births b where b.row_id = o.id), 0) as valid_from,
        (select z.version from zones z where z.id = o.zone_id) as valid_to,
        o.id, o.sort_key, o.owner, o.type, o.ttl, o.data, o.views
      from old_rows o join new_rows n on n.id = o.id
      where o is distinct from n
    ) t
    where t.valid_from < t.valid_to;
  insert into rrset_births as b (row_id, zone_id, version)
    select n.id, n.zone_id, (select z.version from zones z where z.id = n.zone_id)
    from old_rows o join new_rows n on n.id = o.id
    where o is distinct from n
    on conflict (row_id) do update set zone_id = excluded.zone_id, version = excluded.version;
  perform leave_to_settle(ids);
  return null;
end
$$;

create function zoneseal.rrsets_truncated() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  ids bigint[] := array(select distinct r.zone_id from rrsets r);
begin
  perform touch_zones(ids);
  insert into rrset_history (zone_id, valid_from, valid_to, row_id, sort_key, owner, type, ttl, data, views)
    select r.zone_id, coalesce(b.version, 0), z.version, r.id, r.sort_key, r.owner, r.type, r.ttl, r.data, r.views
    from rrsets r join zones z on z.id = r.zone_id left join rrset_births b on b.row_id = r.id
    where coalesce(b.version, 0) < z.version;
  delete from rrset_births;
  perform leave_to_settle(ids);
  return null;
end
$$;

create trigger rrsets_inserted after insert on zoneseal.rrsets
  referencing new table as new_rows for each statement execute function zoneseal.rrsets_inserted();
create trigger rrsets_deleted after delete on zoneseal.rrsets
  referencing old table as old_rows for each statement execute function zoneseal.rrsets_deleted();
create trigger rrsets_updated after update on zoneseal.rrsets
  referencing old table as old_rows new table as new_rows for each statement execute function zoneseal.rrsets_updated();
create trigger rrsets_truncated before truncate on zoneseal.rrsets
  for each statement execute function zoneseal.rrsets_truncated();
alter table zoneseal.rrsets enable always trigger rrsets_inserted;
alter table zoneseal.rrsets enable always trigger rrsets_deleted;
alter table zoneseal.rrsets enable always trigger rrsets_updated;
alter table zoneseal.rrsets enable always trigger rrsets_truncated;

-- How many (owner, type) pairs one version lists; with more it says "too many to list".
create function zoneseal.change_limit() returns integer language sql immutable parallel safe as 'select 1000';

-- Writes the change rows of a zone's newest version; no row when it differs in nothing from the one before.
create function zoneseal.write_changes(settled_zone bigint, settled_version bigint) returns void
language plpgsql security definer
set search_path = pg_catalog, zoneseal, pg_temp set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $$
declare
  universe text[] := array(select name from views) || '{""}'; -- "" stands for any view that is not there yet
  before_many boolean;
  after_many boolean;
begin
  select count(*) > change_limit() into before_many from (
    select from rrset_history where zone_id = settled_zone and valid_to = settled_version limit change_limit() + 1
  ) t;
  select count(*) > change_limit() into after_many from (
    select from rrset_births where zone_id = settled_zone and version = settled_version limit change_limit() + 1
  ) t;
  -- a zone filled or emptied at once: every row is a difference
  if after_many and not exists (select from rrset_history where zone_id = settled_zone and valid_to = settled_version)
    or before_many and not exists (select from rrset_births where zone_id = settled_zone and version = settled_version)
  then
    insert into changes (zone_id, version, views_before, views_after)
      select settled_zone, settled_version,
        case when before_many then seen_by(array_agg(distinct views::text)) else '{}' end,
        case when after_many then seen_by(array_agg(distinct views::text)) else '{}' end
      from (
        select views from rrset_history where before_many and zone_id = settled_zone and valid_to = settled_version
        union all
        select r.views from rrset_births b join rrsets r on r.id = b.row_id
        where after_many and b.zone_id = settled_zone and b.version = settled_version
      ) t;
    return;
  end if;
  with
    before as (
      select sort_key, type, owner, ttl, data, views from rrset_history
      where zone_id = settled_zone and valid_to = settled_version
    ),
    after as (
      select r.sort_key, r.type, r.owner, r.ttl, r.data, r.views
      from rrset_births b join rrsets r on r.id = b.row_id
      where b.zone_id = settled_zone and b.version = settled_version
    ),
    -- rows of which the other side has no equal
    sides as (
      select false as present, t.* from (table before except table after) t
      union all
      select true, t.* from (table after except table before) t
    ),
    few as (
      select count(*) <= change_limit() as yes
      from (select distinct sort_key, type from sides limit change_limit() + 1) t
    ),
    -- what each view sees of each owner and type on both sides
    seen as (
      select s.sort_key, s.type, min(s.owner) as owner, u.name,
        array_agg(row (s.owner, s.ttl, s.data)::text order by s.owner, s.ttl, s.data)
          filter (where not s.present) as data_before,
        array_agg(row (s.owner, s.ttl, s.data)::text order by s.owner, s.ttl, s.data)
          filter (where s.present) as data_after
      from sides s join unnest(universe) u (name) on s.views is null or u.name = any (s.views)
      where (select yes from few)
      group by s.sort_key, s.type, u.name
    ),
    keys as (
      select sort_key, type, min(owner) as owner,
        array_agg(name) filter (where data_before is not null) as views_before,
        array_agg(name) filter (where data_after is not null) as views_after
      from seen
      where data_before is distinct from data_after
      group by sort_key, type
    ),
    -- too many to list: only which views see a difference
    differing as (
      select u.name,
        exists (
          (select sort_key, type, owner, ttl, data from sides where not present and (views is null or u.name = any (views)))
          except
          (select sort_key, type, owner, ttl, data from sides where present and (views is null or u.name = any (views)))
        ) as gone,
        exists (
          (select sort_key, type, owner, ttl, data from sides where present and (views is null or u.name = any (views)))
          except
          (select sort_key, type, owner, ttl, data from sides where not present and (views is null or u.name = any (views)))
        ) as come
      from unnest(universe) u (name)
      where not (select yes from few)
    )
  insert into changes (zone_id, version, sort_key, owner, type, views_before, views_after)
    select settled_zone, settled_version, sort_key, owner, type,
      shown_views(views_before, universe), shown_views(views_after, universe)
    from keys
    union all
    select settled_zone, settled_version, null, null, null,
      shown_views(array_agg(name) filter (where gone), universe),
      shown_views(array_agg(name) filter (where come), universe)
    from differing having bool_or(gone or come);
end
$$;

-- Views as change rows hold them: null for every view, else without the stand-in for views that are not there yet.
create function zoneseal.shown_views(names text[], universe text[]) returns text[]
language sql immutable parallel safe as $$
  select case
    when names is null then '{}'
    when names @> universe then null
    else array(select n from unnest(names) n where n <> '' order by n)
  end
$$;

-- The views of rows, given the distinct texts of their arrays: null when one of them is for all views.
create function zoneseal.seen_by(view_sets text[]) returns text[]
language sql immutable parallel safe as $$
  select case
    when array_position(view_sets, null) is not null then null
    else array(select distinct v from unnest(view_sets) s, unnest(s::text[]) v order by v)
  end
$$;

-- Writes the changes of a zone's newest version and tells the serial lines of the views that see a difference.
create function zoneseal.settle_zone(settled_zone bigint) returns void
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp set enable_seqscan = off set jit = off as $$
declare
  z record;
  every_view boolean;
  some_views text[];
begin
  select version, readable_from into z from zones where id = settled_zone;
  if not found then
    return;
  end if;
  delete from changes where zone_id = settled_zone and version = z.version;
  if z.readable_from = z.version then
    insert into changes (zone_id, version) values (settled_zone, z.version);
  else
    perform write_changes(settled_zone, z.version);
  end if;
  select bool_or(views_before is null or views_after is null) into every_view
    from changes where zone_id = settled_zone and version = z.version;
  if every_view is not null then
    some_views := array(
      select distinct v from changes c, unnest(c.views_before || c.views_after) v
      where c.zone_id = settled_zone and c.version = z.version
    );
    update serial_lines set changed_version = z.version
      where zone_id = settled_zone and (every_view or view = any (some_views));
    perform pg_notify('zoneseal', settled_zone::text);
  end if;
  insert into prune_queue (zone_id) values (settled_zone);
end
$$;

create function zoneseal.zone_written() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  delete from zone_writes where zone_id = new.zone_id;
  perform settle_zone(new.zone_id);
  return null;
end
$$;

create constraint trigger zone_written after insert on zoneseal.zone_writes
  deferrable initially deferred for each row execute function zoneseal.zone_written();
alter table zoneseal.zone_writes enable always trigger zone_written;

-- To be called after rows of a zone were changed in a way that no statement trigger sees (logical replication, a
-- restore of single tables, triggers disabled): gives the zone a version in which anything may have changed.
-- Versions before it cannot be read any more, since their history is not known. Returns the new version.
create function zoneseal.zone_recheck(zone text) returns bigint
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  rechecked bigint := zone_id(zone);
  new_version bigint;
begin
  perform touch_zones(array[rechecked]);
  update zones set readable_from = version where id = rechecked returning version into new_version;
  delete from rrset_history where zone_id = rechecked;
  delete from rrset_births where zone_id = rechecked;
  perform leave_to_settle(array[rechecked]);
  return new_version;
end
$$;
