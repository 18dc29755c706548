-- Accounts. A row exists only once its phone is verified.
create table users (
    id text primary key not null,
    full_name text not null,
    -- Trimmed, NFC, lower case: unique in this form.
    email text not null unique,
    -- The calling code, digits only.
    country_code text not null,
    -- E.164.
    phone text not null,
    -- argon2id, in PHC form.
    password_hash text not null,
    -- Increases with each change of password, email, phone or factor. An approval that was started before settles only if it is unchanged.
    security_version integer not null,
    created_at timestamp not null
);

-- A user as one provider knows them. The provider's id is not unique: Authy gives one phone the same id in every account.
create table enrollments (
    user_id text not null references users (id) on delete cascade,
    provider text not null,
    provider_user_id text not null,
    created_at timestamp not null,
    primary key (user_id, provider)
);

create index enrollments_by_provider_user_id on enrollments (provider, provider_user_id);

-- Browsers in which a user has signed in before. A known device is never a factor of a login.
create table devices (
    id text primary key not null,
    user_id text not null references users (id) on delete cascade,
    -- SHA-256 of the device token, and of the token that replaces it when it is presented.
    token_hash text not null unique,
    next_token_hash text unique,
    -- The login that created the row, and the login that issued the newest token.
    first_login_id text not null,
    login_id text not null,
    created_at timestamp not null,
    expires_at timestamp not null
);

create index devices_by_user on devices (user_id, expires_at);

create index devices_by_first_login on devices (first_login_id);

create index devices_by_login on devices (login_id);

create index devices_by_expires_at on devices (expires_at);

-- The parameters of users' password hashes, and how many users have each. A login with an unknown email is compared with a hash that has
-- one of them.
create table hash_parameters (
    -- A PHC string up to its salt: $argon2id$v=19$m=19456,t=2,p=1.
    parameters text primary key not null,
    users bigint not null,
    -- Their order: the oldest first.
    first_used_at timestamp not null
);

create index hash_parameters_by_users on hash_parameters (users);
