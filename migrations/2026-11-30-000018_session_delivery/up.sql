-- What settled a login follows from its state, failure and verdict. Nothing has been released, so it goes at once.
alter table logins drop column settled_by;

-- How its session is delivered: BEARER in a body, COOKIE. Fixed by the request that started the login.
alter table logins add column session_delivery text not null default 'BEARER';
