-- People's accounts. A row exists only once the phone is proven.
create table users (
    id text primary key not null,
    full_name text not null,
    -- Trimmed, NFC, lower case: unique as such.
    email text not null unique,
    -- The calling code, digits only.
    country_code text not null,
    -- E.164.
    phone text not null,
    -- argon2id, PHC form.
    password_hash text not null,
    created_at timestamp not null
);

-- How a provider knows a user. The provider's id is not unique: Authy gives one phone the same id in every account.
create table enrollments (
    user_id text not null references users (id) on delete cascade,
    provider text not null,
    provider_user_id text not null,
    created_at timestamp not null,
    primary key (user_id, provider)
);

create index enrollments_by_provider_user_id on enrollments (provider, provider_user_id);
