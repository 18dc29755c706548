create table sessions (
    id text primary key not null,
    -- SHA-256 of the session token.
    token_hash text not null unique,
    user_id text not null references users (id) on delete cascade,
    -- The login that opened it: exactly one.
    login_id text unique references logins (id) on delete set null,
    created_at timestamp not null,
    expires_at timestamp not null,
    revoked_at timestamp
);

create index sessions_by_user on sessions (user_id);
