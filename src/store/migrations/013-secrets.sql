-- compatible-from: 11
-- Secrets that are made in steps, in the database and in the key store, so that nothing is left in use by nobody; secrets of TSIG keys
-- that change; gateways that are told to forget what they have in memory.

-- What is being made: written down before anything is in the key store, gone with the row that uses the secret.
create table zoneseal.secret_creations (
  -- also in the name and in the metadata of the secret
  token text primary key check (token ~ '^[0-9a-f]{32}$'),
  -- one of the two: a key of a zone, a secret of a TSIG key
  zone text check (zone <> ''),
  tsig_key text check (tsig_key <> ''),
  algorithm text not null,
  role text check (role in ('KSK', 'ZSK', 'CSK')),
  key_tag integer check (key_tag between 0 and 65535),
  bits integer,
  view text,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  -- the secret, once it was stored, read back and proved
  secret_ref text unique check (secret_ref <> ''),
  -- since when it must not be used any more
  abandoned_at timestamptz,
  -- since when nothing of it is in the key store; kept for a while, so that whoever was slow does not use it yet
  removed_at timestamptz,
  check ((zone is null) <> (tsig_key is null))
);
comment on table zoneseal.secret_creations is 'keys and TSIG secrets that are being made, or were when something failed; a gateway or command removes what is left of them';

-- A secret that comes into use has been made; one that was given up must not.
create function zoneseal.secret_used() returns trigger
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
  end loop;
  return null;
end
$$;

-- During a change a TSIG key has two secrets.
alter table zoneseal.tsig_keys
  add column next_secret_ref text check (next_secret_ref <> ''),
  add column next_since timestamptz,
  add constraint tsig_keys_next check ((next_secret_ref is null) = (next_since is null));
comment on column zoneseal.tsig_keys.next_secret_ref is 'the secret that is to take the place of secret_ref; both are accepted meanwhile';

create trigger secret_used after insert or update of secret_ref on zoneseal.zone_keys
  for each row execute function zoneseal.secret_used();
create trigger secret_used after insert or update of secret_ref, next_secret_ref on zoneseal.tsig_keys
  for each row execute function zoneseal.secret_used();
-- who uses a secret
create index zone_keys_secret on zoneseal.zone_keys (secret_ref);

-- Grows when gateways are to forget all secrets.
create table zoneseal.secret_locks (
  single boolean primary key default true check (single),
  locks bigint not null default 0,
  locked_at timestamptz
);
insert into zoneseal.secret_locks default values;
comment on table zoneseal.secret_locks is 'how often gateways were told to forget the private keys and TSIG secrets in their memory';

create function zoneseal.lock_secrets() returns bigint
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
declare
  n bigint;
begin
  update secret_locks set locks = locks + 1, locked_at = clock_timestamp() returning locks into n;
  perform pg_notify('zoneseal', 'lock');
  return n;
end
$$;

-- The rights on the above; called with grant_roles() after each migration.
create function zoneseal.grant_secret_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r text;
begin
  foreach r in array array['zoneseal_gateway', 'zoneseal_admin'] loop
    if exists (select from pg_roles where rolname = r) then
      execute format('grant insert, update, delete on zoneseal.secret_creations to %I', r);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'zoneseal_admin') then
    grant execute on function zoneseal.lock_secrets() to zoneseal_admin;
  end if;
end
$$;
revoke all on function zoneseal.grant_secret_roles(), zoneseal.lock_secrets(), zoneseal.secret_used() from public;
