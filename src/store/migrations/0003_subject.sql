-- What an alert is for its receiver, whichever incident it is: a later incident of the same one
-- replaces the end of the one before.
alter table levels add column subject text not null default '';
create index levels_subject on levels (receiver, subject);
