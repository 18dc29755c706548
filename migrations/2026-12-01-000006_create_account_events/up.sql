-- The audit trail: one row for each event of an account, written in the transaction that causes it. No secrets.
create table account_events (
    id text primary key not null,
    user_id text not null references users (id) on delete cascade,
    kind text not null,
    at timestamp not null,
    -- What it is about. Both may have been removed since.
    approval_id text,
    session_id text,
    -- The network of the client. IPv4: a /24, IPv6: a /64.
    network text,
    detail text
);

create index account_events_by_user on account_events (user_id, id);

create index account_events_by_at on account_events (at);

-- Wrong passwords and codes, counted alike for known and unknown emails.
create table failed_attempts (
    -- The keyed hash of the email that the log shows too.
    email_hash text not null,
    network text not null,
    -- The start of the hour.
    hour timestamp not null,
    count integer not null,
    primary key (email_hash, network, hour)
);

create index failed_attempts_by_hour on failed_attempts (hour);
