drop index sessions_by_revoked_at;
drop index sessions_by_expires_at;
drop index logins_by_settled_at;
drop index logins_to_expire;
drop table turns;
