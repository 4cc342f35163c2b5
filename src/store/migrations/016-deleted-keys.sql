-- compatible-from: 11
-- Private keys of zones that were deleted: they are destroyed once the retention of their policy is over, unless a key uses them again.

create table zoneseal.deleted_keys (
  secret_ref text primary key check (secret_ref <> ''),
  zone text not null,
  role text not null,
  algorithm integer not null,
  key_tag integer not null,
  deleted_at timestamptz not null default clock_timestamp(),
  -- by when it may come into use again
  destroy_at timestamptz not null,
  -- since when it is being destroyed, and must not come into use any more
  taken_at timestamptz
);
create index deleted_keys_due on zoneseal.deleted_keys (destroy_at);
comment on table zoneseal.deleted_keys is 'private keys of deleted zones that are in the key store still; a gateway or command destroys those that were made here';

-- Seconds of a duration as policies have them (`7d`, `1h30m`, `3600`); null when it is none.
create function zoneseal.duration_seconds(duration text) returns bigint
language sql immutable parallel safe as $$
  select case
    when duration ~ '^[0-9]{1,12}$' then duration::bigint
    when duration ~* '^([0-9]{1,9}[smhdw])+$' then (
      select sum(m[1]::bigint * case lower(m[2]) when 's' then 1 when 'm' then 60 when 'h' then 3600 when 'd' then 86400 else 604800 end)::bigint
      from regexp_matches(duration, '([0-9]+)([smhdw])', 'gi') m)
  end
$$;

-- While the zone's keys are there still, whoever deletes it.
create function zoneseal.zone_keys_left() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  retention interval;
begin
  select make_interval(secs => coalesce(duration_seconds(p.document ->> 'keyRetention'), 604800)) into retention
    from policies p where p.name = old.policy;
  insert into deleted_keys as d (secret_ref, zone, role, algorithm, key_tag, destroy_at)
    select distinct on (k.secret_ref) k.secret_ref, old.name, k.role, k.algorithm, k.key_tag,
      coalesce(k.removed_at, clock_timestamp()) + coalesce(retention, interval '7 days')
    from zone_keys k where k.zone_id = old.id
    order by k.secret_ref, k.removed_at desc nulls first
    -- it was shared with another zone, which is gone
    on conflict (secret_ref) do update set zone = excluded.zone, role = excluded.role, algorithm = excluded.algorithm,
      key_tag = excluded.key_tag, destroy_at = greatest(d.destroy_at, excluded.destroy_at);
  return old;
end
$$;
create trigger zone_keys_left before delete on zoneseal.zones
  for each row execute function zoneseal.zone_keys_left();
alter table zoneseal.zones enable always trigger zone_keys_left;

-- As before; one of a deleted zone that comes into use again is not destroyed.
create or replace function zoneseal.secret_used() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  used text[];
  r text;
begin
  if tg_table_name = 'zone_keys' then
    used := array[new.secret_ref];
  else
    used := array_remove(array[new.secret_ref, new.next_secret_ref], null);
  end if;
  foreach r in array used loop
    delete from secret_creations where secret_ref = r and abandoned_at is null;
    if not found and exists (select from secret_creations where secret_ref = r) then
      raise exception 'the secret was given up before it came into use, as its making took too long; make it again'
        using errcode = 'check_violation', constraint = 'secret_given_up';
    end if;
    delete from deleted_keys where secret_ref = r and taken_at is null;
    if not found and exists (select from deleted_keys where secret_ref = r) then
      raise exception 'the secret is being destroyed, as its zone was deleted long enough ago; make another one'
        using errcode = 'check_violation', constraint = 'secret_given_up';
    end if;
  end loop;
  return null;
end
$$;

-- The rights on the above; called with grant_roles() after each migration.
create function zoneseal.grant_deleted_key_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r text;
begin
  foreach r in array array['zoneseal_gateway', 'zoneseal_admin'] loop
    if exists (select from pg_roles where rolname = r) then
      execute format('grant update (taken_at), delete on zoneseal.deleted_keys to %I', r);
    end if;
  end loop;
end
$$;
revoke all on function zoneseal.grant_deleted_key_roles(), zoneseal.zone_keys_left(), zoneseal.duration_seconds(text) from public;
