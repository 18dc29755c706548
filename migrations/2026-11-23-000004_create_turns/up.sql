-- Work that instances share. Whoever moves `next_at` forward has the turns until then.
create table turns (
    name text primary key not null,
    next_at timestamp not null,
    -- From one turn to the next.
    interval_milliseconds integer not null
);

-- Deadlines with nobody to ask before. Those with an open push are asked about instead, at `ask_at`.
create index logins_to_expire on logins (expires_at) where settled_at is null and ask_at is null;

-- What housekeeping removes.
create index logins_by_settled_at on logins (settled_at) where settled_at is not null;

create index sessions_by_expires_at on sessions (expires_at);

-- What an instance asks for whose sockets live by a session.
create index sessions_by_revoked_at on sessions (revoked_at) where revoked_at is not null;
