-- compatible-from: 11
-- A view whose zone another view has signed is made of that and of what the two see differently: rows that are not for all views, which are few.
create index rrsets_tagged on zoneseal.rrsets (zone_id, sort_key) where views is not null;
create index rrset_history_tagged on zoneseal.rrset_history (zone_id, sort_key) where views is not null;
