-- compatible-from: 11
-- Much that a zone is filled with first has no births: a row without one was there before any retained version, and there is none before
-- the first. They are most of what a large import has to write beside its rows.

create or replace function zoneseal.rrsets_inserted() returns trigger
language plpgsql security definer
set search_path = pg_catalog, zoneseal, pg_temp set enable_seqscan = off set jit = off as $$
declare
  ids bigint[] := array(select distinct n.zone_id from new_rows n);
  unborn bigint[] := '{}';
begin
  if ids = '{}' then
    return null;
  end if;
  perform touch_zones(ids);
  perform refuse_unknown(ids, array(
    select distinct v from (select distinct n.views from new_rows n where n.views is not null) t, unnest(t.views) v
  ));
  if (select count(*) from (select from new_rows limit change_limit() + 1) t) > change_limit() then
    -- history begins with them, so that they count as a change of everything
    update zones set readable_from = version where id = any (ids) and version = 1 and readable_from = 0;
    unborn := array(select z.id from zones z where z.id = any (ids) and z.version = 1);
  end if;
  insert into rrset_births (row_id, zone_id, version)
    select n.id, n.zone_id, (select z.version from zones z where z.id = n.zone_id) from new_rows n
    where n.zone_id <> all (unborn);
  perform leave_to_settle(ids);
  return null;
end
$$;
