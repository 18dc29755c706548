drop table hash_parameters;
