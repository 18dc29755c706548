drop table enrollments;
drop table users;
