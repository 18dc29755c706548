create table sessions (
    id text primary key not null,
    -- SHA-256 of the session token.
    token_hash text not null unique,
    user_id text not null references users (id) on delete cascade,
    -- The login that opened it.
    login_id text unique references approvals (id) on delete set null,
    created_at timestamp not null,
    expires_at timestamp not null,
    -- The last full authentication, and how: values of RFC 8176, separated by blanks.
    confirmed_at timestamp not null,
    amr text not null,
    -- The last request, to the minute.
    last_used_at timestamp not null,
    browser text,
    network text,
    revoked_at timestamp
);

create index sessions_by_user on sessions (user_id);

create index sessions_by_expires_at on sessions (expires_at);

-- What instances poll for that have sockets of a session.
create index sessions_by_revoked_at on sessions (revoked_at) where revoked_at is not null;

-- One operation that a session may carry out once: what an approval with purpose CONFIRM allows.
create table confirmations (
    approval_id text primary key not null references approvals (id) on delete cascade,
    session_id text not null references sessions (id) on delete cascade,
    operation text not null,
    -- Set when the approval is approved.
    usable_until timestamp,
    used_at timestamp
);

create index confirmations_by_session on confirmations (session_id);
