-- Who was told of an incident is looked for every few seconds.
create index levels_incident on levels (incident);
-- Listings of what is rare among two weeks of deliveries.
create index outbox_listed_pending on outbox (seq) where status = 'pending';
create index outbox_listed_dead on outbox (seq) where status = 'dead';
create index outbox_listed_superseded on outbox (seq) where status = 'superseded';
-- Nothing was ever kept there.
drop table meta;
