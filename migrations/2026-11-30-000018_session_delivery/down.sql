alter table logins drop column session_delivery;

alter table logins add column settled_by text;
