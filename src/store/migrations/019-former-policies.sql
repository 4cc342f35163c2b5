-- compatible-from: 11
-- Which policies a zone had before, and until when: what was served then takes as long to be gone as they promised.

create table zoneseal.former_policies (
  id bigint generated always as identity primary key,
  zone_id bigint not null references zoneseal.zones (id) on delete cascade,
  policy text not null,
  until timestamptz not null
);
create index former_policies_zone on zoneseal.former_policies (zone_id, until);
comment on table zoneseal.former_policies is 'the policies that a zone had before the one it has, and until when; written by triggers alone';

create function zoneseal.policy_left() returns trigger
language plpgsql security definer set search_path = pg_catalog, zoneseal, pg_temp as $$
begin
  delete from former_policies where zone_id = old.id and until < now() - interval '90 days';
  insert into former_policies (zone_id, policy, until) values (old.id, old.policy, clock_timestamp());
  return null;
end
$$;
create trigger policy_left after update of policy on zoneseal.zones
  for each row when (new.policy <> old.policy) execute function zoneseal.policy_left();
alter table zoneseal.zones enable always trigger policy_left;
