-- How urgent: pages leave first, and tickets make room for them. What is there already may be a page.
alter table outbox add column severity text not null default 'page' check (severity in ('page', 'ticket'));
alter table levels add column severity text not null default 'page' check (severity in ('page', 'ticket'));
-- When telling a level was last tried, so that those that fail do not hide the others.
alter table levels add column tried_at bigint;

drop index outbox_next;
create index outbox_next on outbox (receiver, severity, next_at, seq) where status = 'pending';
