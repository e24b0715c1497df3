-- Until when each SLO was judged of which something was decided. History does not tell it: it also
-- holds what was said of an SLO that could not be judged.
create table judged (
    slo text   primary key,
    at  bigint not null
);
