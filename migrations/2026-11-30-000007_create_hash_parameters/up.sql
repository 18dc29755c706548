-- The parameters that users' passwords are hashed with, and how many users have each: a login with an unknown email is compared with a
-- hash of one of them.
create table hash_parameters (
    -- A PHC string up to its salt: $argon2id$v=19$m=19456,t=2,p=1.
    parameters text primary key not null,
    users bigint not null,
    -- What they are ordered by: the oldest first.
    first_used_at timestamp not null
);

create index hash_parameters_by_users on hash_parameters (users);

-- A salt of 16 bytes, a hash of 32 and the dollars before them take 67 characters. Which parameters came first is known by the last user
-- who signed up with them: passwords of older users may have been hashed again.
insert into hash_parameters (parameters, users, first_used_at)
select substr(password_hash, 1, length(password_hash) - 67), count(*), max(created_at)
from users
where length(password_hash) > 67
group by substr(password_hash, 1, length(password_hash) - 67);
