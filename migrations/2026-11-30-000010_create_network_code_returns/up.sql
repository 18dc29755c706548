-- Codes sent to phones that nobody had verified, and how many of them came back, by network: a network whose own codes come
-- back keeps its share where those of the calling code do not.
create table network_code_returns (
    calling_code text not null,
    -- Of IPv4 a /24, of IPv6 a /48.
    network text not null,
    -- The beginning of the hour in which they were sent.
    hour timestamp not null,
    sent integer not null,
    confirmed integer not null,
    primary key (calling_code, network, hour)
);

create index network_code_returns_by_hour on network_code_returns (hour);
