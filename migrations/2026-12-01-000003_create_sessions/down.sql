drop table confirmations;

drop table sessions;
