-- Secrets that all instances share. `countersign migrate` makes each once.
create table keys (
    name text primary key not null,
    -- 32 random bytes, base64url.
    secret text not null
);
