-- The signatures of a publication in the order in which they are made, so that it is the same octets on every gateway
-- and after every restart. Written before any of them is sent to anyone.

create table zoneseal.signature_pages (
  publication_id bigint not null references zoneseal.publications (id) on delete cascade,
  page integer not null check (page >= 0),
  input bytea not null check (length(input) = 16),
  signatures bytea not null,
  primary key (publication_id, page)
);
-- signatures do not compress
alter table zoneseal.signature_pages alter column signatures set storage external;
comment on table zoneseal.signature_pages is 'signatures of the newest publications, some hundreds a row, in the order in which they were made';
comment on column zoneseal.signature_pages.input is 'the first 16 octets of SHA-256 over what the page''s signatures are made over';

-- The gateway's rights on what came after 006; called by grant_roles through grant_later_roles().
create function zoneseal.grant_later_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_roles where rolname = 'zoneseal_gateway') then
    grant insert, delete on zoneseal.signature_pages to zoneseal_gateway;
  end if;
end
$$;
revoke all on function zoneseal.grant_later_roles() from public;
