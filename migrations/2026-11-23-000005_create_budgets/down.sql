alter table logins drop column push_place;
alter table logins drop column network;
alter table logins drop column device_token_hash;
alter table logins drop column device_id;
drop table code_returns;
drop table devices;
drop table budgets;
