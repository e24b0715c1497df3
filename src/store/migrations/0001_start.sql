-- One text for SQLite and PostgreSQL: bigint, smallint, text and bytea mean enough in both.
-- Times are milliseconds since the epoch unless the caller says otherwise; JSON is text.

create table lease (
    id       bigint primary key check (id = 1),
    holder   text   not null,
    epoch    bigint not null,
    until_ms bigint not null
);

-- Sequence numbers in commit order; an identity column would differ per database and skip in the other order.
create table counters (
    name  text   primary key,
    value bigint not null
);
insert into counters (name, value) values ('outbox', 0), ('history', 0), ('commands', 0), ('journal', 0);

create table states (
    key  text primary key,
    body text not null
);

create table meta (
    key   text primary key,
    value text not null
);

create table history (
    seq     bigint primary key,
    at      bigint not null,
    kind    text   not null,
    subject text   not null,
    body    text   not null
);
create index history_subject on history (subject, seq);
create index history_at on history (at);

create table outbox (
    seq           bigint primary key,
    id            text   not null unique,
    receiver      text   not null,
    incident      text   not null,
    event         text   not null,
    payload       text   not null,
    created_at    bigint not null,
    attempts      bigint not null,
    next_at       bigint not null,
    status        text   not null check (status in ('pending', 'delivered', 'dead', 'superseded')),
    last_error    text,
    finished_at   bigint,
    fallback_of   text,
    superseded_by text
);
create index outbox_queue on outbox (receiver, incident, seq) where status = 'pending';
create index outbox_next on outbox (receiver, next_at, seq) where status = 'pending';
create index outbox_incident on outbox (incident, event);
create index outbox_stand_in on outbox (incident) where fallback_of is not null;
create index outbox_dead on outbox (receiver) where status = 'dead';
create index outbox_finished on outbox (finished_at) where status <> 'pending';

create table levels (
    receiver     text   not null,
    incident     text   not null,
    payload      text   not null,
    state        text   not null check (state in ('firing', 'resolved')),
    since        bigint not null,
    resend_until bigint not null,
    last_sent_at bigint,
    last_error   text,
    primary key (receiver, incident)
);

create table commands (
    id         bigint primary key,
    kind       text   not null,
    body       text   not null,
    created_at bigint not null
);

-- `bytes` lets a reader size its page before it fetches blobs; `crc` tells a damaged row from a good one.
create table journal (
    seq   bigint   primary key,
    tier  smallint not null,
    at    bigint   not null,
    bytes bigint   not null,
    crc   bigint   not null,
    blob  bytea    not null
);
create index journal_read on journal (tier, seq, at, bytes);
create index journal_prune on journal (tier, at, seq);

create table images (
    id    bigint primary key,
    at    bigint not null,
    bytes bigint not null,
    crc   bigint not null,
    blob  bytea  not null
);

create table documents (
    doc_id      text   primary key,
    revision    bigint not null,
    hash        text   not null,
    text        text   not null,
    file        text   not null,
    accepted_at bigint not null
);

create table revisions (
    number  bigint primary key,
    hash    text   not null,
    at      bigint not null,
    summary text   not null
);
