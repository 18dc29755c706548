drop table pending_signups;
drop table logins;
