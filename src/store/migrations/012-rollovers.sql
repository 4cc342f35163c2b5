-- compatible-from: 11
-- Key rollovers: what becomes of each key, what each view was served with and when, what the parent was seen to have.
-- Decisions are taken elsewhere (src/keys/rollover/); here is what they look at, and it is kept by triggers, so that gateways of
-- the release before keep it as well.

alter table zoneseal.zone_keys
  add column key_sets_only boolean not null default false,
  add column parent boolean not null default false,
  add column goal text not null default 'in' check (goal in ('in', 'out')),
  -- without a foreign key: which one it was stays known when that one is destroyed
  add column replaces bigint,
  add column active_at timestamptz,
  add column removed_at timestamptz,
  add column roll_asked_at timestamptz,
  add constraint zone_keys_key_sets_only check (not key_sets_only or role = 'CSK'),
  add constraint zone_keys_parent check (not parent or role <> 'ZSK'),
  -- a key that was taken out does nothing any more
  add constraint zone_keys_removed check (removed_at is null or not (signs or published or parent));
comment on column zoneseal.zone_keys.key_sets_only is 'a CSK that signs the DNSKEY, CDS and CDNSKEY RRsets, and not the rest';
comment on column zoneseal.zone_keys.parent is 'CDS and CDNSKEY name it: the parent is to have its DS';
comment on column zoneseal.zone_keys.goal is 'what it is to become: in use, or gone';
comment on column zoneseal.zone_keys.replaces is 'the key that it is to replace, which may be gone';
comment on column zoneseal.zone_keys.active_at is 'when it first did what its role does; null: not yet';
comment on column zoneseal.zone_keys.removed_at is 'when it was taken out of the key set; null: it is part of it';
comment on column zoneseal.zone_keys.roll_asked_at is 'when an operator asked for it to be replaced';
create index zone_keys_zone on zoneseal.zone_keys (zone_id);

alter table zoneseal.key_set_versions add column delete_sentinel boolean not null default false;

alter table zoneseal.zones
  add column delete_sentinel boolean not null default false,
  -- when time alone brings the next step; null: nothing that time alone brings. Every zone is looked at once
  add column keys_due_at timestamptz default now(),
  -- the version of its policy that its keys were last decided by
  add column keys_policy_version bigint not null default 0,
  add column keys_held_at timestamptz;
create index zones_keys_due on zoneseal.zones (keys_due_at);
create index zones_keys_policy on zoneseal.zones (policy, keys_policy_version);
comment on column zoneseal.zones.delete_sentinel is 'CDS and CDNSKEY ask the parent to remove all DS (RFC 8078 section 4)';
comment on column zoneseal.zones.keys_held_at is 'since when its keys stay as they are; null: they roll';

alter table zoneseal.serial_lines
  -- until when caches may hold what the database, which was set back, does not know of
  add column keys_unknown_until timestamptz;

alter table zoneseal.publications add column dnskey_ttl bigint;
comment on column zoneseal.publications.dnskey_ttl is 'TTL of its DNSKEY RRset, or of the answer that there is none';

-- Zones to be looked at because something happened. Rows are added by transactions that hold locks on lines, and so must not wait for
-- the zone's row; what was looked at is deleted row by row.
create table zoneseal.key_looks (
  id bigint generated always as identity primary key,
  zone_id bigint not null
);
create index key_looks_zone on zoneseal.key_looks (zone_id);
comment on table zoneseal.key_looks is 'zones of which a key roll may go on';

-- The key set: as before, with what is new, and without keys that were taken out.
create or replace function zoneseal.key_set_document(of_zone bigint) returns jsonb
language sql stable set search_path = pg_catalog, zoneseal, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', k.id, 'role', k.role, 'algorithm', k.algorithm, 'flags', k.flags, 'keyTag', k.key_tag,
    'publicKey', translate(encode(k.public_key, 'base64'), E'\n', ''), 'secretRef', k.secret_ref, 'view', k.view,
    'signs', k.signs, 'published', k.published, 'keySetsOnly', k.key_sets_only, 'parent', k.parent
  ) order by k.id), '[]')
  from zone_keys k where k.zone_id = of_zone and k.removed_at is null
$$;

-- What of a key set shows in a view: the keys it publishes, those that sign in it, and those that the parent is to have.
create or replace function zoneseal.keys_seen(keys jsonb, in_view text) returns jsonb
language sql immutable parallel safe as $$
  select coalesce(jsonb_agg(t.shown order by t.shown), '[]')
  from jsonb_array_elements(keys) k,
    lateral (select jsonb_build_object(
      'key', jsonb_build_array(k -> 'algorithm', k -> 'flags', k -> 'publicKey'),
      'published', k -> 'published',
      'parent', coalesce(k -> 'parent', 'false'),
      'signsAs', case when (k -> 'signs')::boolean and coalesce(k ->> 'view', in_view) = in_view
        then jsonb_build_array(k -> 'role', k -> 'view', coalesce(k -> 'keySetsOnly', 'false')) end
    ) as shown) t
  where t.shown -> 'published' = 'true' or t.shown -> 'signsAs' <> 'null' or t.shown -> 'parent' = 'true'
$$;

create or replace function zoneseal.touch_key_sets(zone_ids bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  z record;
  b record;
  new_version bigint;
  keys_now jsonb;
begin
  for z in
    select t.id, t.key_set_version, t.keys_written_by, t.keys_written_at, t.delete_sentinel
    from zones t where t.id = any (zone_ids) order by t.name for no key update
  loop
    new_version := z.key_set_version;
    if z.keys_written_by is distinct from pg_current_xact_id() or z.keys_written_at is distinct from now() then
      update zones set key_set_version = key_set_version + 1, keys_written_by = pg_current_xact_id(), keys_written_at = now()
        where id = z.id returning key_set_version into new_version;
    end if;
    keys_now := key_set_document(z.id);
    insert into key_set_versions as v (zone_id, version, keys, delete_sentinel)
      values (z.id, new_version, keys_now, z.delete_sentinel)
      on conflict (zone_id, version) do update set keys = excluded.keys, delete_sentinel = excluded.delete_sentinel;
    select keys, delete_sentinel into b from key_set_versions
      where zone_id = z.id and version < new_version order by version desc limit 1;
    update serial_lines set keys_changed_version = new_version
      where zone_id = z.id
        and (z.delete_sentinel is distinct from b.delete_sentinel or keys_seen(keys_now, view) is distinct from keys_seen(b.keys, view));
    insert into prune_queue (zone_id) values (z.id);
    insert into key_looks (zone_id) values (z.id);
    perform pg_notify('zoneseal', z.id::text);
  end loop;
end
$$;

create function zoneseal.delete_sentinel_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  perform touch_key_sets(array[new.id]);
  return null;
end
$$;
create trigger delete_sentinel_changed after update of delete_sentinel on zoneseal.zones
  for each row when (new.delete_sentinel <> old.delete_sentinel) execute function zoneseal.delete_sentinel_changed();
alter table zoneseal.zones enable always trigger delete_sentinel_changed;

-- Zones: as before; another policy may want other keys, and what hangs on a deleted zone without a foreign key goes with it.
create or replace function zoneseal.zone_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  if new.name <> old.name then
    raise exception 'a zone cannot be renamed' using errcode = 'feature_not_supported';
  end if;
  if new.policy <> old.policy then
    update serial_lines set policy = new.policy where zone_id = new.id;
    insert into key_looks (zone_id) values (new.id);
    perform pg_notify('zoneseal', new.id::text);
  end if;
  return null;
end
$$;

create or replace function zoneseal.zones_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  ids bigint[] := array(select id from old_zones);
begin
  delete from rrsets where zone_id = any (ids);
  delete from rrset_births where zone_id = any (ids);
  delete from rrset_history where zone_id = any (ids);
  delete from changes where zone_id = any (ids);
  delete from prune_queue where zone_id = any (ids);
  delete from key_set_uses where zone_id = any (ids);
  delete from key_looks where zone_id = any (ids);
  perform pg_notify('zoneseal', i::text) from unnest(ids) i;
  return null;
end
$$;

-- Which key set each view was served with, and when. No foreign key to the zone: its check would lock the zone's row after that of
-- the line, and everyone else locks them the other way round.
create table zoneseal.key_set_uses (
  id bigint generated always as identity primary key,
  zone_id bigint not null,
  view text not null,
  version bigint not null,
  -- when its first publication was ready
  since timestamptz not null,
  -- when another version's was, or the zone was taken from the view; null: it is what is served
  replaced_at timestamptz,
  -- the serial under which the next version was first ready; null: there is none, the zone was taken from the view
  replaced_serial bigint check (replaced_serial between 0 and 4294967295),
  -- when all nameservers of the view were without it
  gone_at timestamptz,
  -- the largest TTL of anything served under it, that of negative answers included
  max_ttl bigint not null,
  -- the TTL of its DNSKEY RRset, or of the answer that there is none
  dnskey_ttl bigint not null
);
create unique index key_set_uses_present on zoneseal.key_set_uses (zone_id, view) where replaced_at is null;
create index key_set_uses_version on zoneseal.key_set_uses (zone_id, version);
create index key_set_uses_going on zoneseal.key_set_uses (zone_id, view) where replaced_at is not null and gone_at is null;
comment on table zoneseal.key_set_uses is 'which version of its key set a zone was served with in a view, from when to when, and how long caches keep it';

-- Whether a peer of a view is not known to serve a serial of its line, or a later one.
create function zoneseal.has_peer_behind(of_zone bigint, of_view text, serial bigint) returns boolean
language sql stable set search_path = pg_catalog, zoneseal, pg_temp as $$
  select exists (
    select from peer_states s
    where s.zone_id = of_zone and s.view = of_view
      and (s.serial_seen is null or s.serial_seen <> serial and not serial_after(s.serial_seen, serial))
  )
$$;

-- Notes the uses that no peer of a view serves any more.
create function zoneseal.note_gone_uses(of_zone bigint, of_view text) returns void
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  -- locked before peers are looked at, so that of two that catch up at the same time the later one sees both
  perform from key_set_uses u
    where u.zone_id = of_zone and u.view = of_view and u.replaced_at is not null and u.gone_at is null
    order by u.id for update;
  if not found then
    return;
  end if;
  update key_set_uses u set gone_at = clock_timestamp()
    where u.zone_id = of_zone and u.view = of_view and u.replaced_at is not null and u.gone_at is null
      and not has_peer_behind(of_zone, of_view, u.replaced_serial);
  if found then
    insert into key_looks (zone_id) values (of_zone);
  end if;
end
$$;

-- A line has come to a publication, or its newest one to say what another key set says; or it has ended. The name puts it after
-- line_ready_changed, which locks the peers' rows.
create function zoneseal.line_used() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  u record;
  p record;
begin
  if new.zone_id is null then
    update key_set_uses set replaced_at = clock_timestamp(), gone_at = clock_timestamp()
      where zone_id = old.zone_id and view = old.view and replaced_at is null;
    -- what its nameservers serve is not known any more, and not seen
    update key_set_uses set gone_at = clock_timestamp()
      where zone_id = old.zone_id and view = old.view and gone_at is null;
    return null;
  end if;
  if new.ready is null or new.ready_key_set_version is null then
    return null;
  end if;
  -- the release before says no TTL of the DNSKEY RRset, but that is among all
  select b.serial, coalesce(b.max_ttl, 0) as max_ttl, coalesce(b.dnskey_ttl, b.max_ttl, 0) as dnskey_ttl into p
    from publications b where b.id = new.ready;
  select t.id, t.version, t.max_ttl, t.dnskey_ttl into u
    from key_set_uses t where t.zone_id = new.zone_id and t.view = new.view and t.replaced_at is null;
  if u.id is not null and u.version = new.ready_key_set_version then
    if p.max_ttl > u.max_ttl or p.dnskey_ttl > u.dnskey_ttl then
      update key_set_uses set max_ttl = greatest(max_ttl, p.max_ttl), dnskey_ttl = greatest(dnskey_ttl, p.dnskey_ttl) where id = u.id;
    end if;
    return null;
  end if;
  update key_set_uses set replaced_at = clock_timestamp(), replaced_serial = p.serial where id = u.id;
  insert into key_set_uses (zone_id, view, version, since, max_ttl, dnskey_ttl)
    values (new.zone_id, new.view, new.ready_key_set_version, clock_timestamp(), p.max_ttl, p.dnskey_ttl);
  insert into key_looks (zone_id) values (new.zone_id);
  perform note_gone_uses(new.zone_id, new.view);
  return null;
end
$$;
create trigger line_used after update of zone_id, ready, ready_key_set_version on zoneseal.serial_lines
  for each row when (new.zone_id is distinct from old.zone_id or new.ready is distinct from old.ready
    or new.ready_key_set_version is distinct from old.ready_key_set_version)
  execute function zoneseal.line_used();
alter table zoneseal.serial_lines enable always trigger line_used;

-- The database was set back: what was served since the backup, and with which keys, is not known. Nothing rolls until caches are without it.
create function zoneseal.line_barred() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  new.keys_unknown_until := clock_timestamp() + interval '2 days' + make_interval(secs => coalesce(
    (select max(greatest(u.max_ttl, u.dnskey_ttl)) from key_set_uses u where u.zone_id = new.zone_id and u.view = new.view), 86400));
  return new;
end
$$;
create trigger line_barred before update of barred on zoneseal.serial_lines
  for each row when (new.barred > old.barred) execute function zoneseal.line_barred();
alter table zoneseal.serial_lines enable always trigger line_barred;

create function zoneseal.peer_state_seen() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  perform note_gone_uses(old.zone_id, old.view);
  return null;
end
$$;
create trigger peer_state_seen after update of serial_seen on zoneseal.peer_states
  for each row when (new.serial_seen is distinct from old.serial_seen) execute function zoneseal.peer_state_seen();
create trigger peer_state_gone after delete on zoneseal.peer_states
  for each row execute function zoneseal.peer_state_seen();
alter table zoneseal.peer_states enable always trigger peer_state_seen;
alter table zoneseal.peer_states enable always trigger peer_state_gone;

-- What is served now, and was before as far as publications are retained.
insert into zoneseal.key_set_uses (zone_id, view, version, since, replaced_at, replaced_serial, max_ttl, dnskey_ttl)
  select r.zone_id, r.view, r.key_set_version, r.since,
    lead(r.since) over line, lead(r.serial) over line, r.max_ttl, r.max_ttl
  from (
    select p.zone_id, p.view, p.key_set_version, min(coalesce(p.finished_at, p.created_at)) as since,
      (array_agg(p.serial order by p.id))[1] as serial, max(coalesce(p.max_ttl, 0)) as max_ttl
    from zoneseal.publications p join zoneseal.serial_lines l on l.zone_id = p.zone_id and l.view = p.view and p.id <= l.ready
    where p.state = 'ready'
    group by p.zone_id, p.view, p.key_set_version
  ) r
  window line as (partition by r.zone_id, r.view order by r.key_set_version);
update zoneseal.key_set_uses set gone_at = now()
  where replaced_at is not null and not zoneseal.has_peer_behind(zone_id, view, replaced_serial);

-- Keys that are there are in use. That is no change of any key set.
alter table zoneseal.zone_keys disable trigger zone_keys_updated;
update zoneseal.zone_keys set active_at = created_at;
alter table zoneseal.zone_keys enable always trigger zone_keys_updated;

-- What the parent's nameservers were seen to have.
create table zoneseal.ds_sightings (
  id bigint generated always as identity primary key,
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  -- address of the nameserver; empty: said by hand, of all of them
  server text not null,
  -- DS rdata in order, {}: there is none; null: it has not answered yet
  ds bytea[] check (array_position(ds, null) is null),
  ttl bigint,
  first_seen timestamptz not null,
  last_seen timestamptz not null,
  -- whether it is one of the parent's nameservers still
  listed boolean not null default true,
  check (first_seen <= last_seen)
);
create index ds_sightings_server on zoneseal.ds_sightings (zone_id, server, id);
comment on table zoneseal.ds_sightings is 'the DS RRsets of a zone as each nameserver of its parent was seen to have them';

create table zoneseal.ds_uses (
  id bigint generated always as identity primary key,
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  -- ids of keys; unknown: and a key tag for those that are none of the zone's
  keys text[] not null check (array_position(keys, null) is null),
  algorithms integer[] not null check (array_position(algorithms, null) is null),
  since timestamptz not null,
  -- when one of the parent's nameservers was first seen with it; null: the parent was only asked for it
  seen_at timestamptz,
  -- when the last of them was seen without it; null: not yet
  until timestamptz,
  ttl bigint
);
create index ds_uses_zone on zoneseal.ds_uses (zone_id);
comment on table zoneseal.ds_uses is 'the DS sets that the parent has, had or may take, as decisions on key rolls look at them';

create table zoneseal.key_events (
  id bigint generated always as identity primary key,
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  at timestamptz not null default clock_timestamp(),
  -- null: it is of the zone, not of a key
  key_id bigint,
  key_tag integer,
  what text not null,
  why text not null
);
create index key_events_zone on zoneseal.key_events (zone_id, id);
comment on table zoneseal.key_events is 'what became of keys, when and why';

do $$
declare
  t text;
begin
  foreach t in array array['key_set_uses', 'ds_sightings', 'ds_uses', 'key_events'] loop
    execute format('create trigger %I before truncate on zoneseal.%I for each statement execute function zoneseal.truncate_refused()',
      t || '_truncated', t);
    execute format('alter table zoneseal.%I enable always trigger %I', t, t || '_truncated');
  end loop;
end
$$;

-- The rights on the above; called with grant_roles() after each migration.
create function zoneseal.grant_rollover_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r text;
begin
  foreach r in array array['zoneseal_gateway', 'zoneseal_admin'] loop
    if not exists (select from pg_roles where rolname = r) then
      continue;
    end if;
    execute format('grant update (delete_sentinel, keys_due_at, keys_policy_version, keys_held_at) on zoneseal.zones to %I', r);
    execute format('grant insert, delete on zoneseal.key_looks to %I', r);
    execute format('grant insert, update, delete on zoneseal.ds_sightings to %I', r);
    execute format('grant insert, delete on zoneseal.ds_uses, zoneseal.key_events to %I', r);
    execute format('grant execute on function zoneseal.has_peer_behind(bigint, text, bigint), zoneseal.serial_after(bigint, bigint) to %I', r);
  end loop;
  if exists (select from pg_roles where rolname = 'zoneseal_reader') then
    grant execute on function zoneseal.has_peer_behind(bigint, text, bigint), zoneseal.serial_after(bigint, bigint) to zoneseal_reader;
  end if;
  if exists (select from pg_roles where rolname = 'zoneseal_gateway') then
    -- rolls are carried out by gateways; where the private half of a key is stays theirs to say for keys that they make alone
    grant insert (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref, view, signs, published, key_sets_only, parent, goal,
        replaces, active_at, removed_at),
      update (signs, published, key_sets_only, parent, goal, active_at, removed_at, roll_asked_at), delete
      on zoneseal.zone_keys to zoneseal_gateway;
    grant delete on zoneseal.key_set_uses to zoneseal_gateway;
  end if;
end
$$;
revoke all on function zoneseal.grant_rollover_roles(), zoneseal.delete_sentinel_changed(), zoneseal.has_peer_behind(bigint, text, bigint),
  zoneseal.note_gone_uses(bigint, text), zoneseal.line_used(), zoneseal.line_barred(), zoneseal.peer_state_seen() from public;
