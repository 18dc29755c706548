-- How much of each rate limit is taken. Rows that limit nothing are removed.
create table rate_limits (
    -- SHA-256 of the limit's name and its subject.
    key text primary key not null,
    -- When nothing of it is taken any more, in microseconds since 1970: the database calculates with them.
    full_at bigint not null,
    -- When the next unit can be taken. 0: at once.
    free_at bigint not null
);

-- Codes sent to unverified phones, and how many of them were typed back.
create table sms_conversions (
    calling_code text not null,
    -- The start of the hour in which they were sent.
    hour timestamp not null,
    sent integer not null,
    confirmed integer not null,
    primary key (calling_code, hour)
);

create index sms_conversions_by_hour on sms_conversions (hour);

-- The same by network: a network whose own codes are typed back keeps its share if those of the calling code are not.
create table network_sms_conversions (
    calling_code text not null,
    -- IPv4: a /24, IPv6: a /48.
    network text not null,
    hour timestamp not null,
    sent integer not null,
    confirmed integer not null,
    primary key (calling_code, network, hour)
);

create index network_sms_conversions_by_hour on network_sms_conversions (hour);
