-- Each attempt writes several rows, and with this index all of them at a second place too. Housekeeping reads the table in the order of
-- its keys instead. In PostgreSQL an update of a row touches no index any more.
drop index budgets_by_full_at;
