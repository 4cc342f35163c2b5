-- compatible-from: 11
-- What transfers ask again and again. PostgreSQL plans the statements of functions once for a connection, also where a pgbouncer is between; planning
-- these took twice as long as running them. The plan is for any number of lines: for few of them PostgreSQL would think a plan of their own
-- cheaper, each time. Rows are found by indexes whatever the statistics say: those of tables that ten thousand new
-- zones have just filled know of none.

-- Where lines of zones in views stand, numbered by their place in the arrays, and the newest ready publication of each; none for one that is
-- not served. Each is looked up by itself.
create function zoneseal.find_lines(zones text[], views text[]) returns table (
  i bigint, incarnation uuid, marker bigint, same_server boolean, line_zone_id bigint, last_serial bigint,
  -- whether the line is not known to be past what nameservers serve, or has nothing ready yet that is
  recovering boolean,
  id bigint, zone_id bigint, zone text, view text, serial bigint, zone_version bigint, policy_name text, policy_version bigint,
  key_set_version bigint, "time" bigint, format_version bigint, state text, error text, resign_at bigint, expires_at bigint, soa_ttl bigint,
  soa_rdata bytea, soa_signatures bytea[], not_before bigint, cause text, previous bigint, generation bigint, zonemd_rdata bytea,
  zonemd_signatures bytea[], max_ttl bigint, records bigint, octets bigint, removed bigint, added bigint, journal_octets bigint
)
language plpgsql stable set search_path = pg_catalog, zoneseal, pg_temp
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
  return query
    select t.i, c.incarnation, c.marker, c.same_server, line.*
    from standing() c
      cross join unnest(zones, views) with ordinality t (zone, view, i)
      cross join lateral (
        select z.id as line_zone_id, l.last_serial,
          l.incarnation is distinct from c.incarnation or (l.barred > 0 and coalesce(l.ready, 0) <= l.barred) as recovering,
          p.id, p.zone_id, z.name, p.view, p.serial, p.zone_version, p.policy_name, p.policy_version,
          p.key_set_version, p."time", p.format_version, p.state, p.error, p.resign_at, p.expires_at, p.soa_ttl,
          p.soa_rdata, p.soa_signatures, p.not_before, p.cause, p.previous, p.generation, p.zonemd_rdata,
          p.zonemd_signatures, p.max_ttl, p.records, p.octets, p.removed, p.added, p.journal_octets
        from zones z
          join zone_views v on v.zone_id = z.id
          join serial_lines l on l.zone_id = z.id and l.view = v.view
          left join publications p on p.id = l.ready
        where z.name = t.zone and v.view = t.view limit 1
      ) line;
end
$$;

-- The pages of publications and their generations, numbered by their place in the arrays; of each no more than are asked for.
create function zoneseal.few_pages(publications bigint[], generations bigint[], most integer) returns table (
  i bigint, chain boolean, first_key bytea, since bigint, chained boolean, expires bigint, content bytea
)
language plpgsql stable set search_path = pg_catalog, zoneseal, pg_temp
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
  return query
    select t.i, p.chain, p.first_key, p.since, p.chained, p.expires, p.content
    from unnest(publications, generations) with ordinality t (id, generation, i)
      cross join lateral (
        select * from signed_pages p
        where p.generation = t.generation and p.since <= t.id and (p.until is null or p.until > t.id)
        limit most
      ) p
    order by t.i, p.chain, p.first_key;
end
$$;

revoke all on function zoneseal.find_lines(text[], text[]), zoneseal.few_pages(bigint[], bigint[], integer) from public;

-- Who may ask how the database stands may ask these.
do $$
begin
  execute replace(pg_get_functiondef('zoneseal.grant_recovery_roles()'::regprocedure), 'zoneseal.standing(),',
    'zoneseal.standing(), zoneseal.find_lines(text[], text[]), zoneseal.few_pages(bigint[], bigint[], integer),');
end
$$;
select zoneseal.grant_recovery_roles();
