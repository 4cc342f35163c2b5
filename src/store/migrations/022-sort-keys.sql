-- compatible-from: 11
-- The sort key of nearly every name is an expression that PostgreSQL puts in the place of the call, so that no function is entered for a row:
-- of what a large import costs in the database, the calls were a third.

-- the function as it was, by another name: columns and queries stay with the old name
do $$
begin
  execute replace(pg_get_functiondef('zoneseal.sort_key(text)'::regprocedure), 'zoneseal.sort_key(', 'zoneseal.sort_key_of_any(');
end
$$;

-- What sort_key_of_any says of the name. Names of two to five labels in lower case that need no escape and are so short that no label can be too
-- long are put together here. Not strict: only then is the expression put in the place of the call. The body is parsed when it is made: so pg_dump
-- knows that sort_key_of_any has to be there before the tables are, and without that a dump could not be restored. PostgreSQL 13 cannot, and
-- keeps the function it has.
do $do$
begin
  if current_setting('server_version_num')::integer < 140000 then
    return;
  end if;
  execute $sql$
    create or replace function zoneseal.sort_key(name text) returns bytea
    language sql immutable called on null input parallel safe
    return case
      when octet_length(name) > 64 or name ~ '[^a-z0-9_*/.-]|^[.]|[.][.]|[^.]$' then zoneseal.sort_key_of_any(name)
      when split_part(name, '.', 4) = '' then case
        when split_part(name, '.', 2) = '' then zoneseal.sort_key_of_any(name)
        when split_part(name, '.', 3) = '' then decode(
          split_part(name, '.', 2) || '\000' || split_part(name, '.', 1) || '\000', 'escape')
        else decode(
          split_part(name, '.', 3) || '\000' || split_part(name, '.', 2) || '\000' || split_part(name, '.', 1) || '\000',
          'escape')
        end
      when split_part(name, '.', 5) = '' then decode(
        split_part(name, '.', 4) || '\000' || split_part(name, '.', 3) || '\000' || split_part(name, '.', 2) || '\000'
          || split_part(name, '.', 1) || '\000', 'escape')
      when split_part(name, '.', 6) = '' then decode(
        split_part(name, '.', 5) || '\000' || split_part(name, '.', 4) || '\000' || split_part(name, '.', 3) || '\000'
          || split_part(name, '.', 2) || '\000' || split_part(name, '.', 1) || '\000', 'escape')
      else zoneseal.sort_key_of_any(name)
    end;
  $sql$;
end
$do$;

-- Who may call the one may call the other: grant_roles() gives both.
do $$
begin
  execute replace(pg_get_functiondef('zoneseal.grant_roles(boolean)'::regprocedure), 'zoneseal.sort_key_label(bytea) to',
    'zoneseal.sort_key_label(bytea), zoneseal.sort_key_of_any(text) to');
end
$$;
revoke all on function zoneseal.sort_key_of_any(text) from public;
-- who writes rows needs it from now on
select zoneseal.grant_roles(false);
