drop table hash_parameters;

drop table devices;

drop table enrollments;

drop table users;
