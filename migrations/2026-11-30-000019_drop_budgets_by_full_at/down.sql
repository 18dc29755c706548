create index budgets_by_full_at on budgets (full_at);
