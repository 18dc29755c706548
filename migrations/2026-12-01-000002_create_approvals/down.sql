drop table used_codes;

drop table pending_signups;

drop table session_grants;

drop table approvals;
