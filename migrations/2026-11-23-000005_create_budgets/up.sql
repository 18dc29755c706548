-- How much of something is used up: wrong passwords, codes, pushes, signups. Rows that say nothing are removed.
create table budgets (
    -- SHA-256 of what is counted, and for whom.
    key text primary key not null,
    -- From when on nothing of it is used up. Microseconds since 1970: the database reckons with them.
    full_at bigint not null,
    -- From when on another may be taken.
    free_at bigint not null
);

create index budgets_by_full_at on budgets (full_at);

-- Browsers in which somebody has signed in before. Knowing one is never a factor of a login.
create table devices (
    id text primary key not null,
    user_id text not null references users (id) on delete cascade,
    -- SHA-256 of the device token, and of the one that takes its place as soon as it is presented.
    token_hash text not null unique,
    next_token_hash text unique,
    -- The login that made it known, and the one that handed out the newest token.
    first_login_id text not null,
    login_id text not null,
    created_at timestamp not null,
    expires_at timestamp not null
);

create index devices_by_user on devices (user_id, expires_at);

create index devices_by_first_login on devices (first_login_id);

create index devices_by_login on devices (login_id);

create index devices_by_expires_at on devices (expires_at);

-- Codes sent to phones that nobody had proven, and how many of them came back.
create table code_returns (
    calling_code text not null,
    -- The beginning of the hour in which they were sent.
    hour timestamp not null,
    sent integer not null,
    confirmed integer not null,
    primary key (calling_code, hour)
);

create index code_returns_by_hour on code_returns (hour);

-- The known device that the login came from.
alter table logins add column device_id text;

-- SHA-256 of the device token that is derived from the login token.
alter table logins add column device_token_hash text;

-- The network that it came from: of IPv4 a /24, of IPv6 a /64.
alter table logins add column network text;

-- The key of the budget that holds its place among the phone's open pushes, until its deadline.
alter table logins add column push_place text;
