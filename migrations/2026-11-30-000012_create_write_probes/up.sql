-- What readiness writes to see whether the database takes writes. Instances are spread over a few rows.
create table write_probes (
    slot integer primary key not null,
    count bigint not null
);
