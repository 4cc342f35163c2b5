-- Roles of least privilege. They belong to the whole cluster and making them needs CREATEROLE, so they are optional:
-- grant_roles(true) makes those that are missing; grant_roles(false), run after each migration, gives those that are there
-- their rights. They cannot log in themselves: grant them to the users that do.

create function zoneseal.grant_roles(make_missing boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r text;
begin
  -- functions are anyone's to call when they are made; triggers need no right to call theirs
  revoke all on all functions in schema zoneseal from public;
  foreach r in array array['zoneseal_reader', 'zoneseal_writer', 'zoneseal_gateway', 'zoneseal_admin'] loop
    if not exists (select from pg_roles where rolname = r) then
      if not make_missing then
        continue;
      end if;
      execute format('create role %I nologin', r);
    end if;
    execute format('revoke all on all tables in schema zoneseal from %I', r);
    execute format('grant usage on schema zoneseal to %I', r);
    execute format('grant select on zoneseal.migrations, zoneseal.views, zoneseal.policies, zoneseal.zones, zoneseal.zone_views, zoneseal.rrsets to %I', r);
    execute format('grant execute on function zoneseal.zone_id(text), zoneseal.sort_key(text), zoneseal.sort_key_label(bytea) to %I', r);
    if r <> 'zoneseal_writer' then
      execute format('grant select on all tables in schema zoneseal to %I', r);
    end if;
    if r in ('zoneseal_writer', 'zoneseal_admin') then
      execute format('grant insert (zone_id, owner, type, ttl, data, views), update (zone_id, owner, type, ttl, data, views), delete on zoneseal.rrsets to %I', r);
      execute format('grant execute on function zoneseal.zone_recheck(text) to %I', r);
    end if;
    if r = 'zoneseal_gateway' then
      execute format('grant insert, update, delete on zoneseal.publications, zoneseal.leases, zoneseal.prune_queue to %I', r);
      execute format('grant update on zoneseal.serial_lines to %I', r);
      -- superfluous history; a lock on a zone's row needs a right to update something of it
      execute format('grant delete on zoneseal.rrset_births, zoneseal.rrset_history, zoneseal.changes, zoneseal.key_set_versions to %I', r);
      execute format('grant update (created_at) on zoneseal.zones to %I', r);
    end if;
    if r = 'zoneseal_admin' then
      execute format('grant insert, update (name, document), delete on zoneseal.policies to %I', r);
      execute format('grant insert (name), delete on zoneseal.views to %I', r);
      execute format('grant insert (name, policy), update (policy), delete on zoneseal.zones to %I', r);
      execute format('grant insert, delete on zoneseal.zone_views to %I', r);
      execute format('grant insert, update, delete on zoneseal.zone_keys, zoneseal.tsig_keys, zoneseal.tsig_grants to %I', r);
      execute format('grant create, temporary on database %I to %I', current_database(), r);
    end if;
  end loop;
end
$$;
