-- compatible-from: 11
-- A secret is used by its id alone, and its reference can be written in more than one way (the id by itself, another host, a slash at the end). So
-- whether others use it is a question of ids as well: one that a live zone has is not to be destroyed because another zone has it written otherwise.

-- The id at the end of a reference in lower case; all of the text where there is none. As generous as whoever asks Barbican for it: two that
-- are taken for the same keep a secret, two that are taken for others destroy it.
create function zoneseal.secret_id(reference text) returns text
language sql immutable parallel safe as $$
  select coalesce(lower(substring(reference from '([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/?$')), reference)
$$;
comment on function zoneseal.secret_id(text) is 'what a reference to a secret is compared by: the id in it, however it is written';

create index zone_keys_secret_id on zoneseal.zone_keys (zoneseal.secret_id(secret_ref));
create index secret_creations_secret_id on zoneseal.secret_creations (zoneseal.secret_id(secret_ref));

-- what is being destroyed goes on being so
delete from zoneseal.deleted_keys d using zoneseal.deleted_keys o
  where zoneseal.secret_id(d.secret_ref) = zoneseal.secret_id(o.secret_ref)
    and (d.taken_at is not null, d.destroy_at, d.secret_ref) < (o.taken_at is not null, o.destroy_at, o.secret_ref);
create unique index deleted_keys_secret_id on zoneseal.deleted_keys (zoneseal.secret_id(secret_ref));

-- What Barbican deletes by itself is told apart from what somebody has deleted.
alter table zoneseal.zone_keys add column secret_expires_at timestamptz;
comment on column zoneseal.zone_keys.secret_expires_at is 'when Barbican deletes the secret by itself; null: never, or it is not known';

-- As before, by ids.
create or replace function zoneseal.zone_keys_left() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  retention interval;
begin
  select make_interval(secs => coalesce(duration_seconds(p.document ->> 'keyRetention'), 604800)) into retention
    from policies p where p.name = old.policy;
  insert into deleted_keys as d (secret_ref, zone, role, algorithm, key_tag, destroy_at)
    select distinct on (secret_id(k.secret_ref)) k.secret_ref, old.name, k.role, k.algorithm, k.key_tag,
      coalesce(k.removed_at, clock_timestamp()) + coalesce(retention, interval '7 days')
    from zone_keys k where k.zone_id = old.id
    order by secret_id(k.secret_ref), k.removed_at desc nulls first
    -- it was shared with another zone, which is gone
    on conflict (secret_id(secret_ref)) do update set zone = excluded.zone, role = excluded.role, algorithm = excluded.algorithm,
      key_tag = excluded.key_tag, destroy_at = greatest(d.destroy_at, excluded.destroy_at);
  return old;
end
$$;

-- As before, by ids: of one secret there may be several creations then, and one that was given up is enough.
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
    delete from secret_creations where secret_id(secret_ref) = secret_id(r) and abandoned_at is null;
    if exists (select from secret_creations where secret_id(secret_ref) = secret_id(r)) then
      raise exception 'the secret was given up before it came into use, as its making took too long; make it again'
        using errcode = 'check_violation', constraint = 'secret_given_up';
    end if;
    delete from deleted_keys where secret_id(secret_ref) = secret_id(r) and taken_at is null;
    if exists (select from deleted_keys where secret_id(secret_ref) = secret_id(r)) then
      raise exception 'the secret is being destroyed, as its zone was deleted long enough ago; make another one'
        using errcode = 'check_violation', constraint = 'secret_given_up';
    end if;
  end loop;
  return null;
end
$$;

-- The rights on the above; called with grant_roles() after each migration.
create function zoneseal.grant_secret_id_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r text;
begin
  foreach r in array array['zoneseal_reader', 'zoneseal_gateway', 'zoneseal_admin'] loop
    if exists (select from pg_roles where rolname = r) then
      execute format('grant execute on function zoneseal.secret_id(text) to %I', r);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'zoneseal_gateway') then
    grant insert (secret_expires_at) on zoneseal.zone_keys to zoneseal_gateway;
  end if;
end
$$;
revoke all on function zoneseal.grant_secret_id_roles(), zoneseal.secret_id(text) from public;
