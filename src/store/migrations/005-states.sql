-- What happens by itself when views, policies, zones and keys are written.

-- Policies: versions.

create function zoneseal.policy_versioned() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  if tg_op = 'UPDATE' then
    if new.name <> old.name then
      raise exception 'a policy cannot be renamed' using errcode = 'feature_not_supported';
    end if;
    new.version := old.version;
    if new.document = old.document then
      return new;
    end if;
  end if;
  new.version := coalesce((select max(version) from policy_versions where name = new.name), 0) + 1;
  new.updated_at := now();
  return new;
end
$$;
create trigger policy_versioned before insert or update on zoneseal.policies
  for each row execute function zoneseal.policy_versioned();

-- Apart from the above, which also runs for an INSERT that ON CONFLICT turns into an UPDATE.
create function zoneseal.policy_written() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  insert into policy_versions (name, version, document) values (new.name, new.version, new.document) on conflict do nothing;
  perform pg_notify('zoneseal', 'policy');
  return null;
end
$$;
create trigger policy_written after insert or update on zoneseal.policies
  for each row execute function zoneseal.policy_written();

insert into zoneseal.policies (name) values ('default');

-- Views.

create function zoneseal.view_kept() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  if tg_op = 'UPDATE' then
    if new.name <> old.name then
      raise exception 'a view cannot be renamed' using errcode = 'feature_not_supported';
    end if;
    return new;
  end if;
  if exists (select from rrsets where old.name = any (views)) then
    raise exception 'view "%" cannot be deleted: rrsets are tagged with it', old.name using errcode = 'foreign_key_violation';
  end if;
  return old;
end
$$;
create trigger view_kept before update or delete on zoneseal.views for each row execute function zoneseal.view_kept();

-- Zones.

create function zoneseal.zone_created() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  insert into key_set_versions (zone_id, version, keys) values (new.id, 0, '[]');
  perform pg_notify('zoneseal', new.id::text);
  return null;
end
$$;
create trigger zone_created after insert on zoneseal.zones for each row execute function zoneseal.zone_created();

create function zoneseal.zone_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  if new.name <> old.name then
    raise exception 'a zone cannot be renamed' using errcode = 'feature_not_supported';
  end if;
  if new.policy <> old.policy then
    update serial_lines set policy = new.policy where zone_id = new.id;
    perform pg_notify('zoneseal', new.id::text);
  end if;
  return null;
end
$$;
create trigger zone_changed after update of name, policy on zoneseal.zones
  for each row execute function zoneseal.zone_changed();

-- Rows of deleted zones go with them. Serial lines stay, so that the serials go on where they were when a zone comes back.
create function zoneseal.zones_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  ids bigint[] := array(select id from old_zones);
begin
  delete from rrsets where zone_id = any (ids);
  delete from rrset_births where zone_id = any (ids);
  delete from rrset_history where zone_id = any (ids);
  delete from changes where zone_id = any (ids);
  delete from prune_queue where zone_id = any (ids);
  perform pg_notify('zoneseal', i::text) from unnest(ids) i;
  return null;
end
$$;
create trigger zones_deleted after delete on zoneseal.zones
  referencing old table as old_zones for each statement execute function zoneseal.zones_deleted();

-- Zones in views: the serial line begins or goes on, and ends.

create function zoneseal.zone_view_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z record;
begin
  if tg_op in ('UPDATE', 'DELETE') then
    update serial_lines
      set zone_id = null, policy = null, building = null, building_until = null, ready = null, ready_zone_version = null,
        ready_policy = null, ready_policy_version = null, ready_key_set_version = null, ready_format_version = null,
        resign_at = null, failed = null, failed_zone_version = null, failed_policy = null, failed_policy_version = null,
        failed_key_set_version = null, failed_format_version = null, retry_at = null
      where zone_id = old.zone_id and view = old.view;
    delete from publications where zone_id = old.zone_id and view = old.view;
    perform pg_notify('zoneseal', old.zone_id::text);
  end if;
  if tg_op in ('INSERT', 'UPDATE') then
    -- waits for writers of the zone, who otherwise would not see the line they have to tell of their changes
    select * into z from zones where id = new.zone_id for no key update;
    insert into serial_lines as l (zone, view, zone_id, policy, changed_version, keys_changed_version)
      values (z.name, new.view, z.id, z.policy, z.version, z.key_set_version)
      on conflict (zone, view) do update
        set zone_id = excluded.zone_id, policy = excluded.policy, changed_version = excluded.changed_version,
          keys_changed_version = excluded.keys_changed_version;
    perform pg_notify('zoneseal', new.zone_id::text);
  end if;
  return null;
end
$$;
create trigger zone_view_changed after insert or update or delete on zoneseal.zone_views
  for each row execute function zoneseal.zone_view_changed();

-- Key sets: each transaction that changes a zone's keys gives it a new version.

create function zoneseal.key_set_document(of_zone bigint) returns jsonb
language sql stable set search_path = pg_catalog, zoneseal, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', k.id, 'role', k.role, 'algorithm', k.algorithm, 'flags', k.flags, 'keyTag', k.key_tag,
    'publicKey', translate(encode(k.public_key, 'base64'), E'\n', ''), 'secretRef', k.secret_ref, 'view', k.view,
    'signs', k.signs, 'published', k.published
  ) order by k.id), '[]')
  from zone_keys k where k.zone_id = of_zone
$$;

-- What of a key set shows in a view: the keys it publishes, and those that sign in it.
create function zoneseal.keys_seen(keys jsonb, in_view text) returns jsonb
language sql immutable parallel safe as $$
  select coalesce(jsonb_agg(t.shown order by t.shown), '[]')
  from jsonb_array_elements(keys) k,
    lateral (select jsonb_build_object(
      'key', jsonb_build_array(k -> 'algorithm', k -> 'flags', k -> 'publicKey'),
      'published', k -> 'published',
      'signsAs', case when (k -> 'signs')::boolean and coalesce(k ->> 'view', in_view) = in_view
        then jsonb_build_array(k -> 'role', k -> 'view') end
    ) as shown) t
  where t.shown -> 'published' = 'true' or t.shown -> 'signsAs' <> 'null'
$$;

create function zoneseal.touch_key_sets(zone_ids bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z record;
  new_version bigint;
  keys_now jsonb;
  keys_before jsonb;
begin
  for z in
    select t.id, t.key_set_version, t.keys_written_by, t.keys_written_at
    from zones t where t.id = any (zone_ids) order by t.name for no key update
  loop
    new_version := z.key_set_version;
    if z.keys_written_by is distinct from pg_current_xact_id() or z.keys_written_at is distinct from now() then
      update zones set key_set_version = key_set_version + 1, keys_written_by = pg_current_xact_id(), keys_written_at = now()
        where id = z.id returning key_set_version into new_version;
    end if;
    keys_now := key_set_document(z.id);
    insert into key_set_versions as v (zone_id, version, keys) values (z.id, new_version, keys_now)
      on conflict (zone_id, version) do update set keys = excluded.keys;
    select keys into keys_before from key_set_versions
      where zone_id = z.id and version < new_version order by version desc limit 1;
    update serial_lines set keys_changed_version = new_version
      where zone_id = z.id and keys_seen(keys_now, view) is distinct from keys_seen(keys_before, view);
    insert into prune_queue (zone_id) values (z.id);
    perform pg_notify('zoneseal', z.id::text);
  end loop;
end
$$;

create function zoneseal.zone_keys_written() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    perform touch_key_sets(array(select zone_id from new_rows));
  elsif tg_op = 'DELETE' then
    perform touch_key_sets(array(select zone_id from old_rows));
  else
    perform touch_key_sets(array(
      select zone_id from (table old_rows except table new_rows) t
      union
      select zone_id from (table new_rows except table old_rows) t
    ));
  end if;
  return null;
end
$$;
create trigger zone_keys_inserted after insert on zoneseal.zone_keys
  referencing new table as new_rows for each statement execute function zoneseal.zone_keys_written();
create trigger zone_keys_deleted after delete on zoneseal.zone_keys
  referencing old table as old_rows for each statement execute function zoneseal.zone_keys_written();
create trigger zone_keys_updated after update on zoneseal.zone_keys
  referencing old table as old_rows new table as new_rows for each statement execute function zoneseal.zone_keys_written();

-- TSIG keys: gateways are told to read them again.

create function zoneseal.tsig_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  perform pg_notify('zoneseal', 'tsig');
  return null;
end
$$;
create trigger tsig_changed after insert or update or delete or truncate on zoneseal.tsig_keys
  for each statement execute function zoneseal.tsig_changed();
create trigger tsig_changed after insert or update or delete or truncate on zoneseal.tsig_grants
  for each statement execute function zoneseal.tsig_changed();

-- TRUNCATE would pass by all of the above.

create function zoneseal.truncate_refused() returns trigger
language plpgsql set search_path = pg_catalog as $$
begin
  raise exception 'TRUNCATE of zoneseal.% is refused; use DELETE', tg_table_name using errcode = 'feature_not_supported';
end
$$;

do $$
declare
  t text;
  r record;
begin
  foreach t in array array['views', 'policies', 'zones', 'zone_views', 'zone_keys', 'serial_lines'] loop
    execute format('create trigger %I before truncate on zoneseal.%I for each statement execute function zoneseal.truncate_refused()',
      t || '_truncated', t);
  end loop;
  for r in
    select c.relname, g.tgname from pg_trigger g join pg_class c on c.oid = g.tgrelid
    where c.relnamespace = 'zoneseal'::regnamespace and not g.tgisinternal
  loop
    execute format('alter table zoneseal.%I enable always trigger %I', r.relname, r.tgname);
  end loop;
end
$$;
