-- Requests for a person's countersignature. One row has all that changes together when an approval is settled, for any purpose.
create table approvals (
    id text primary key not null,
    purpose text not null,
    state text not null,
    next_step text not null,
    failure text,
    -- Increases by one with each change that a watcher can see.
    sequence integer not null,
    -- Null until a signup is approved.
    user_id text references users (id) on delete cascade,
    -- `users.security_version` as the password check or the session's token read it. Null for a signup.
    security_version integer,
    -- E.164. The match numbers of one phone's open approvals differ.
    phone text not null,
    -- SHA-256 of the login token.
    token_hash text not null unique,
    -- When the login token of a settled approval is forgotten. Null while it is open, and once the token is forgotten.
    readable_until timestamp,
    match_number text,
    -- The key of the rate limit that holds its slot among the phone's open pushes, until the deadline.
    push_slot text,
    -- The provider that pushes to the phone, and its id of the person. Null if none can. The push itself: null until it is sent.
    push_provider text,
    push_user text,
    push_handle text,
    -- The phone's answer to the push. Set once, ever: the guard against replay.
    verdict text,
    code_channel text,
    -- Where a code is checked: the provider that sent the last one, and what it needs to check it. If none was sent, a provider whose app
    -- shows codes; null without one.
    code_provider text,
    code_handle text,
    -- Codes that were sent to be checked, and those of them that were wrong.
    tries_taken integer not null,
    wrong_codes integer not null,
    resend_available_at timestamp not null,
    -- How often the provider was polled about the push, and when the next poll is due.
    poll_count integer not null,
    next_poll_at timestamp,
    created_at timestamp not null,
    expires_at timestamp not null,
    settled_at timestamp,
    -- The last change that a watcher can see. Null before the first one.
    changed_at timestamp,
    -- The known device and the network that started it. IPv4: a /24, IPv6: a /64.
    device_id text,
    network text
);

create unique index approvals_by_push on approvals (push_provider, push_handle) where push_handle is not null;

create unique index approvals_by_match_number on approvals (phone, match_number) where settled_at is null;

create index approvals_by_deadline on approvals (expires_at) where settled_at is null;

-- Open approvals without a push to poll. Those with one are polled at their deadline.
create index approvals_to_expire on approvals (expires_at) where settled_at is null and next_poll_at is null;

-- Each provider is polled at its own pace.
create index approvals_by_next_poll_at on approvals (push_provider, next_poll_at) where next_poll_at is not null;

create index approvals_by_changed_at on approvals (changed_at) where changed_at is not null;

create index approvals_by_readable_until on approvals (readable_until) where readable_until is not null;

create index approvals_by_user on approvals (user_id);

-- What housekeeping removes.
create index approvals_by_settled_at on approvals (settled_at) where settled_at is not null;

-- What a login needs to open its session. Deleted when its login token is forgotten.
create table session_grants (
    approval_id text primary key not null references approvals (id) on delete cascade,
    -- SHA-256 of the session token and of the device token. Both are derived from the login token with the salt.
    session_token_hash text not null,
    device_token_hash text not null,
    salt text not null,
    -- BEARER: in a response body, COOKIE: in a cookie. Fixed by the request that started the login.
    delivery text not null,
    -- The browser and system that the request named, such as `Firefox on Linux`.
    browser text
);

-- The account that a signup creates. Deleted when the signup is settled.
create table pending_signups (
    approval_id text primary key not null references approvals (id) on delete cascade,
    full_name text not null,
    email text not null,
    country_code text not null,
    phone text not null,
    password_hash text not null
);

-- Right codes of providers whose app shows codes. The app shows the same code for every approval of a person: it approves one.
create table used_codes (
    -- SHA-256 of the provider, the phone and the code.
    code text primary key not null,
    used_at timestamp not null
);

create index used_codes_by_used_at on used_codes (used_at);
