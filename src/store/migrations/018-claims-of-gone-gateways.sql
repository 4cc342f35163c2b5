-- compatible-from: 11
-- What a gateway had claimed of peers when it was killed is found by those that go on.

create index peer_states_claimed on zoneseal.peer_states (claimed_by) where claimed_by is not null;
