-- Decisions that were committed, so that one whose answer was lost is neither made nor counted twice.
create table decided (
    epoch  bigint not null,
    number bigint not null,
    primary key (epoch, number)
);
