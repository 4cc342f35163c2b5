-- compatible-from: 11
-- When the parent of a zone may be told of changed CDS: once nameservers have them.

alter table zoneseal.parent_looks
  -- the DS set that CDS and CDNSKEY ask for; null: they ask for none
  add column wanted text,
  -- when all nameservers are to have these; null: they are not published in all views yet
  add column tell_at timestamptz,
  -- grows when something of it changes: whoever asks meanwhile does not put the next time off
  add column revision bigint not null default 0;
comment on column zoneseal.parent_looks.wanted is 'the DS set that CDS and CDNSKEY ask for; told_at is of this one';
comment on column zoneseal.parent_looks.tell_at is 'when nameservers have the CDS and CDNSKEY, and the parent may be told; null: not yet published';
