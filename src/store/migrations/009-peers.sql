-- Peers: the nameservers that are told of changes, and for each zone and view what each of them was seen to serve.

create table zoneseal.peers (
  id bigint generated always as identity primary key,
  name text not null unique check (name ~ '^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9.])?$'),
  view text not null references zoneseal.views (name),
  address inet not null check (masklen(address) = case family(address) when 4 then 32 else 128 end),
  port integer not null default 53 check (port between 1 and 65535),
  -- a key that a peer needs is not deleted: without it the peer would be told unsigned
  key_id bigint references zoneseal.tsig_keys (id),
  zones text[] check (cardinality(zones) > 0 and array_ndims(zones) = 1 and array_position(zones, null) is null),
  created_at timestamptz not null default now()
);
create index peers_view on zoneseal.peers (view);
create index peers_key on zoneseal.peers (key_id);
comment on table zoneseal.peers is 'nameservers that get NOTIFY, and are asked what they serve';
comment on column zoneseal.peers.zones is 'absolute lower-case names; null: every zone of the view';

-- One row for each zone that a peer has to serve. It comes and goes with the peer and with the zone in the peer's view.
create table zoneseal.peer_states (
  zone_id bigint not null,
  view text not null,
  peer_id bigint not null references zoneseal.peers (id) on delete cascade,
  state text not null default 'pending' check (state in ('pending', 'current', 'behind', 'unreachable')),
  -- the newest ready publication, which the peer is to serve; null: there is none
  publication bigint,
  -- grows when publication or peer change: what was found out before says nothing of what is now
  generation bigint not null default 0,
  -- since when the peer has served nothing newer than now; counts while the state is not current
  since timestamptz not null default now(),
  serial_seen bigint check (serial_seen between 0 and 4294967295),
  seen_at timestamptz,
  serial_notified bigint check (serial_notified between 0 and 4294967295),
  notified_at timestamptz,
  -- NOTIFYs sent for this publication, those without an answer since one had one, SOA queries since the last NOTIFY
  attempts integer not null default 0,
  unanswered integer not null default 0,
  polls integer not null default 0,
  -- messages without any answer since there was one
  silent integer not null default 0,
  problem text,
  due_at timestamptz not null default now(),
  -- who looks after it now, until when, and how often someone has: what a later one does is not undone by an earlier one
  claimed_by text,
  claimed_until timestamptz,
  claim bigint not null default 0,
  look_at timestamptz not null generated always as (greatest(due_at, claimed_until)) stored,
  primary key (zone_id, peer_id),
  foreign key (zone_id, view) references zoneseal.zone_views (zone_id, view) on delete cascade on update cascade
);
create index peer_states_due on zoneseal.peer_states (peer_id, look_at);
comment on table zoneseal.peer_states is 'what each peer serves of each zone, as it was last seen, and when to look again';
comment on column zoneseal.peer_states.problem is 'what was wrong with its last answer; null: nothing';

-- Makes the rows that are missing: of one peer, or of some zones. Apart, so that neither reads all there is for the other.
create function zoneseal.fill_states_of_peer(of_peer bigint) returns void
language sql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
  insert into peer_states (zone_id, view, peer_id, publication)
    select v.zone_id, v.view, p.id, l.ready
    from peers p
      join zone_views v on v.view = p.view
      join zones z on z.id = v.zone_id
      join serial_lines l on l.zone_id = v.zone_id and l.view = v.view
    where p.id = of_peer and (p.zones is null or z.name = any (p.zones))
    on conflict do nothing
$$;

create function zoneseal.fill_states_of_zones(of_zones bigint[]) returns void
language sql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
  insert into peer_states (zone_id, view, peer_id, publication)
    select v.zone_id, v.view, p.id, l.ready
    from unnest(of_zones) i
      join zone_views v on v.zone_id = i
      join peers p on p.view = v.view
      join zones z on z.id = v.zone_id
      join serial_lines l on l.zone_id = v.zone_id and l.view = v.view
    where p.zones is null or z.name = any (p.zones)
    on conflict do nothing
$$;

create function zoneseal.peer_written() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  if tg_op <> 'DELETE' then
    -- waits for those who put zones into the view, and they for this: one of both sees what the other wrote
    perform from views where name = new.view for update;
    if tg_op = 'UPDATE' then
      if new.view <> old.view or new.zones is distinct from old.zones then
        delete from peer_states s where s.peer_id = new.id
          and (s.view <> new.view or new.zones is not null and not exists (
            select from zones z where z.id = s.zone_id and z.name = any (new.zones)));
      end if;
      if (new.address, new.port, new.key_id) is distinct from (old.address, old.port, old.key_id) then
        update peer_states set generation = generation + 1, state = 'pending', since = now(), serial_seen = null, seen_at = null,
          serial_notified = null, notified_at = null, attempts = 0, unanswered = 0, polls = 0, silent = 0, problem = null,
          due_at = now()
          where peer_id = new.id;
      end if;
    end if;
    perform fill_states_of_peer(new.id);
  end if;
  perform pg_notify('zoneseal', 'peer');
  return null;
end
$$;
create trigger peer_written after insert or update or delete on zoneseal.peers
  for each row execute function zoneseal.peer_written();

create function zoneseal.zone_views_inserted() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  perform fill_states_of_zones(array(select distinct zone_id from new_rows));
  return null;
end
$$;
create trigger zone_views_inserted after insert on zoneseal.zone_views
  referencing new table as new_rows for each statement execute function zoneseal.zone_views_inserted();

create function zoneseal.zone_views_updated() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  -- the foreign key took the rows along: they are of peers of the view that was
  delete from peer_states s using peers p where p.id = s.peer_id and p.view <> s.view
    and s.zone_id in (select zone_id from new_rows);
  perform fill_states_of_zones(array(select distinct zone_id from new_rows));
  return null;
end
$$;
create trigger zone_views_updated after update on zoneseal.zone_views
  referencing new table as new_rows for each statement execute function zoneseal.zone_views_updated();

-- A new publication: its peers are due at once, in the transaction that makes it ready. A peer that did not serve the one
-- before goes on being late from when it began to be.
create function zoneseal.line_ready_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  -- in the order in which gateways take these locks
  perform from peer_states where zone_id = new.zone_id and view = new.view order by peer_id for update;
  if found then
    update peer_states
      set publication = new.ready, generation = generation + 1, attempts = 0, unanswered = 0, polls = 0,
        since = case when state = 'current' or publication is null then now() else since end,
        state = case when state = 'unreachable' then state else 'pending' end, due_at = now()
      where zone_id = new.zone_id and view = new.view;
  end if;
  return null;
end
$$;
create trigger line_ready_changed after update of ready on zoneseal.serial_lines
  for each row when (new.ready is distinct from old.ready and new.zone_id is not null)
  execute function zoneseal.line_ready_changed();

create trigger peers_truncated before truncate on zoneseal.peers
  for each statement execute function zoneseal.truncate_refused();
alter table zoneseal.peers enable always trigger peer_written;
alter table zoneseal.peers enable always trigger peers_truncated;
alter table zoneseal.zone_views enable always trigger zone_views_inserted;
alter table zoneseal.zone_views enable always trigger zone_views_updated;
alter table zoneseal.serial_lines enable always trigger line_ready_changed;

-- The rights on these tables; called with grant_roles() after each migration.
create function zoneseal.grant_peer_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_roles where rolname = 'zoneseal_gateway') then
    grant update on zoneseal.peer_states to zoneseal_gateway;
  end if;
  if exists (select from pg_roles where rolname = 'zoneseal_admin') then
    grant insert (name, view, address, port, key_id, zones), update (name, view, address, port, key_id, zones), delete
      on zoneseal.peers to zoneseal_admin;
  end if;
end
$$;
revoke all on function zoneseal.grant_peer_roles(), zoneseal.fill_states_of_peer(bigint),
  zoneseal.fill_states_of_zones(bigint[]) from public;
