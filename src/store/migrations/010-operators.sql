-- What operators do to a zone: hold it where it is, have it signed anew, move its serials, ask for a publication.
-- All of it runs with the rights of the schema's owner, so that operators need no rights on serial lines themselves.
-- The zone's row is locked as its writers lock it, and its lines after it, as everyone does.

alter table zoneseal.zones add column frozen_at timestamptz;
comment on column zoneseal.zones.frozen_at is 'since when the zone is frozen; null: it is not';

-- Locks a zone as its writers do.
create function zoneseal.operated_zone(of_zone text) returns zoneseal.zones
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z zones;
begin
  select * into z from zones where id = zone_id(of_zone) for no key update;
  if not found then
    raise exception 'zone "%" was deleted just now', of_zone using errcode = 'foreign_key_violation';
  end if;
  return z;
end
$$;

-- Holds a zone at its present version: what is written from now on waits. Frozen already: stays where it is.
create function zoneseal.zone_freeze(of_zone text, out held_version bigint, out is_new boolean)
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z zones := operated_zone(of_zone);
begin
  is_new := z.frozen_version is null;
  held_version := coalesce(z.frozen_version, z.version);
  if is_new then
    update zones set frozen_version = held_version, frozen_at = now() where id = z.id;
    update serial_lines set frozen_version = held_version where zone_id = z.id;
    perform pg_notify('zoneseal', z.id::text);
  end if;
end
$$;

-- Lets a zone go on; what waited is due at once. Null: it was not frozen.
create function zoneseal.zone_thaw(of_zone text) returns bigint
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z zones := operated_zone(of_zone);
begin
  if z.frozen_version is not null then
    update zones set frozen_version = null, frozen_at = null where id = z.id;
    update serial_lines set frozen_version = null where zone_id = z.id;
    insert into prune_queue (zone_id) values (z.id);
    perform pg_notify('zoneseal', z.id::text);
  end if;
  return z.frozen_version;
end
$$;

-- Wants a publication of a zone in a view, or in all its views; the numbers that they have to reach.
create function zoneseal.ask_publication(of_zone text, of_view text) returns table (asked_view text, asked bigint)
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z zones := operated_zone(of_zone);
begin
  perform pg_notify('zoneseal', z.id::text);
  return query
    update serial_lines l set wanted = l.wanted + 1
      where l.zone_id = z.id and (of_view is null or l.view = of_view)
      returning l.view, l.wanted;
end
$$;

-- Wants all signatures of a zone made anew, in every view. Twice within a second are two times.
create function zoneseal.zone_resign(of_zone text) returns bigint
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z zones := operated_zone(of_zone);
  present bigint := floor(extract(epoch from clock_timestamp()));
begin
  if z.resigned_at = present then
    present := present + 1;
  end if;
  update zones set resigned_at = present where id = z.id;
  perform ask_publication(of_zone, null);
  return present;
end
$$;

-- Whether serial a comes after b (RFC 1982 3.2).
create function zoneseal.serial_after(a bigint, b bigint) returns boolean
language sql immutable parallel safe as $$
  select (a - b + 4294967296) % 4294967296 between 1 and 2147483647
$$;

-- Moves a line to a serial, so that the next publication comes after it; only forward, as nameservers see it: after the last
-- one given out, and with what comes next after the one that is served, should some attempts fail as well. Where it is not moved, last and served say where it
-- stands. A line that has never begun may be moved before the zone is served in the view.
create function zoneseal.move_serial(of_zone text, of_view text, to_serial bigint, out was_moved boolean, out last bigint,
  out served bigint)
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z zones := operated_zone(of_zone);
  l record;
begin
  if to_serial is null or to_serial not between 0 and 4294967295 then
    raise exception 'a serial is a number of 32 bits' using errcode = 'invalid_parameter_value';
  end if;
  if not exists (select from views v where v.name = of_view) then
    raise exception 'there is no view "%"; create it with: zoneseal view add %', of_view, of_view
      using errcode = 'foreign_key_violation';
  end if;
  insert into serial_lines (zone, view) values (z.name, of_view) on conflict do nothing;
  select s.* into l from serial_lines s where s.zone = z.name and s.view = of_view for update;
  select p.serial into served from publications p where p.id = l.ready;
  last := l.last_serial;
  was_moved := (last is null or serial_after(to_serial, last))
    and (served is null or serial_after((to_serial + 1000) % 4294967296, served));
  if was_moved then
    update serial_lines s set last_serial = to_serial, wanted = s.wanted + case when s.ready is null then 0 else 1 end
      where s.zone = z.name and s.view = of_view;
    perform pg_notify('zoneseal', z.id::text);
  end if;
end
$$;
comment on function zoneseal.move_serial(text, text, bigint) is 'moves a serial line forward; was_moved false: it stands where last and served say';

-- As before, but for a frozen zone: the content it is held at is known by history alone, which this ends.
create or replace function zoneseal.zone_recheck(zone text) returns bigint
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  rechecked bigint := zone_id(zone);
  new_version bigint;
begin
  perform touch_zones(array[rechecked]);
  if exists (select from zones z where z.id = rechecked and z.frozen_version is not null) then
    raise exception 'zone "%" is frozen, and what it is held at could not be read any more; first: zoneseal zone thaw %', zone, zone
      using errcode = 'feature_not_supported';
  end if;
  update zones set readable_from = version where id = rechecked returning version into new_version;
  delete from rrset_history where zone_id = rechecked;
  delete from rrset_births where zone_id = rechecked;
  perform leave_to_settle(array[rechecked]);
  return new_version;
end
$$;

-- Operators' rights on the above; called with grant_roles() after each migration.
create function zoneseal.grant_operator_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_roles where rolname = 'zoneseal_admin') then
    grant execute on function zoneseal.zone_freeze(text), zoneseal.zone_thaw(text), zoneseal.zone_resign(text),
      zoneseal.ask_publication(text, text), zoneseal.move_serial(text, text, bigint) to zoneseal_admin;
  end if;
end
$$;
revoke all on function zoneseal.grant_operator_roles(), zoneseal.operated_zone(text), zoneseal.zone_freeze(text),
  zoneseal.zone_thaw(text), zoneseal.zone_resign(text), zoneseal.ask_publication(text, text),
  zoneseal.move_serial(text, text, bigint), zoneseal.serial_after(bigint, bigint) from public;
