-- compatible-from: 11
-- When the parent of a zone may be told of changed CDS: once nameservers have them. And what is wrong with the DS that it has.

alter table zoneseal.parent_looks
  -- the DS set that CDS and CDNSKEY ask for; null: they ask for none
  add column wanted text,
  -- when all nameservers are to have these; null: they are not published in all views yet
  add column tell_at timestamptz,
  -- grows when something of it changes: whoever asks meanwhile does not put the next time off
  add column revision bigint not null default 0,
  -- what makes the zone bogus, for an operator; null: nothing. Since when, and when it was last told of in a log
  add column fault text,
  add column fault_since timestamptz,
  add column fault_told_at timestamptz;
create index parent_looks_faulty on zoneseal.parent_looks (zone_id) where fault is not null;
comment on column zoneseal.parent_looks.fault is 'what is wrong with the DS set at the parent, so that resolvers take the zone for bogus';
comment on column zoneseal.parent_looks.wanted is 'the DS set that CDS and CDNSKEY ask for; told_at is of this one';
comment on column zoneseal.parent_looks.tell_at is 'when nameservers have the CDS and CDNSKEY, and the parent may be told; null: not yet published';

alter table zoneseal.ds_sightings
  -- whether the TTL can be relied on: it was signed, or an operator said it
  add column ttl_proved boolean not null default false;
comment on column zoneseal.ds_sightings.ttl_proved is 'whether the TTL was signed, or said by hand; else the policy''s parentDsTtl counts where it is larger';
update zoneseal.ds_sightings set ttl_proved = true where server = '';
