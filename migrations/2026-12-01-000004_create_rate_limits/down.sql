drop table network_sms_conversions;

drop table sms_conversions;

drop table rate_limits;
