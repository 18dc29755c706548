drop table failed_attempts;

drop table account_events;
