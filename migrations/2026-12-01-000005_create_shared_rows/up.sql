-- Periodic work that instances share. The instance that moves `next_at` forward has the turns until then.
create table leases (
    name text primary key not null,
    next_at timestamp not null,
    -- From one turn to the next.
    interval_milliseconds integer not null
);

-- Secrets that all instances share. `countersign migrate` creates each once.
create table keys (
    name text primary key not null,
    -- 32 random bytes, base64url.
    secret text not null
);

-- What the readiness probe writes, to find out if the database accepts writes. Instances use different rows.
create table write_probes (
    slot integer primary key not null,
    count bigint not null
);
