-- compatible-from: 11
-- A zone that is assigned to a view, or taken from one, has its keys looked at: rolls may have waited for that view, or have to now.

create function zoneseal.view_looked_at() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  -- of a zone that is being deleted there is nothing to look at
  insert into key_looks (zone_id)
    select z.id from zones z where z.id in (old.zone_id, new.zone_id);
  return null;
end
$$;
create trigger view_looked_at after insert or update or delete on zoneseal.zone_views
  for each row execute function zoneseal.view_looked_at();
alter table zoneseal.zone_views enable always trigger view_looked_at;
