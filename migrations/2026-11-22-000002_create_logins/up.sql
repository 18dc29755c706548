-- Attempts to get in. One row carries all that has to change together when a login is settled.
create table logins (
    id text primary key not null,
    purpose text not null,
    state text not null,
    next_step text not null,
    failure text,
    settled_by text,
    -- Grows by one with each change that a watcher can see.
    sequence integer not null,
    user_id text references users (id) on delete cascade,
    -- E.164: what the match numbers of open logins must differ within.
    phone text not null,
    -- SHA-256 of the login token, and of the session token that is derived from it with the salt.
    login_token_hash text not null unique,
    session_token_hash text not null,
    -- Erased when the login token is to be forgotten.
    session_salt text,
    -- Until when the login token is known.
    readable_until timestamp not null,
    match_number text,
    provider text not null,
    provider_user_id text not null,
    approval_request_id text,
    -- What the phone said of the push. Set once, ever: the guard against replay.
    verdict text,
    code_channel text,
    -- Codes sent to be judged, and those of them that were wrong.
    tries_taken integer not null,
    wrong_codes integer not null,
    resend_available_at timestamp not null,
    -- How often the provider was asked about the push, and when it is to be asked next.
    asks integer not null,
    ask_at timestamp,
    created_at timestamp not null,
    expires_at timestamp not null,
    settled_at timestamp,
    changed_at timestamp not null
);

create unique index logins_by_approval_request on logins (provider, approval_request_id);

-- The numbers of one phone's open logins differ.
create unique index logins_by_match_number on logins (phone, match_number) where settled_at is null;

create index logins_by_deadline on logins (expires_at) where settled_at is null;

create index logins_by_ask_at on logins (ask_at) where ask_at is not null;

create index logins_by_changed_at on logins (changed_at);

create index logins_by_readable_until on logins (readable_until) where session_salt is not null;

create index logins_by_user on logins (user_id);

-- What becomes a user when the phone is proven. Removed as soon as the login is over.
create table pending_signups (
    login_id text primary key not null references logins (id) on delete cascade,
    full_name text not null,
    email text not null,
    country_code text not null,
    phone text not null,
    password_hash text not null
);
