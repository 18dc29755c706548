drop table network_code_returns;
