drop table write_probes;

drop table keys;

drop table leases;
