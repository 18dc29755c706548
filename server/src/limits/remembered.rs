//! Budgets that this instance has used up, or found used up: whoever comes to one of them finds that out by a look, and writes
//! nothing. Everybody else takes at once, without a look before.

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;

use crate::{
    model::BudgetKey,
    storage::{Store, StoreError, Taken, Taking, UsedUp},
};

/// How many are remembered. Who comes to one that is forgotten, or that another instance has used up, is refused by a transaction
/// that is taken back.
const REMEMBERED: usize = 10_000;

/// Until when which budgets are used up, as far as is remembered.
pub(super) struct Remembered(Cache<BudgetKey, DateTime<Utc>>);

impl Default for Remembered {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Remembered {
    /// Takes of all these, or of none where one is used up.
    pub(super) async fn take(
        &self,
        store: &Store,
        takings: &[Taking],
        now: DateTime<Utc>,
    ) -> Result<Result<Vec<Taken>, UsedUp>, StoreError> {
        let taken = match self.find(store, takings, now).await? {
            Some(used_up) => Err(used_up),
            None => store.take_budgets(takings, now).await?,
        };
        match &taken {
            Ok(taken) => self.remember_last(taken, now),
            Err(used_up) => self.remember(used_up.clone()),
        }
        Ok(taken)
    }

    /// Finds one of these that is remembered as exhausted and still is. Asks storage only where one is remembered.
    pub(super) async fn find(
        &self,
        store: &Store,
        takings: &[Taking],
        now: DateTime<Utc>,
    ) -> Result<Option<UsedUp>, StoreError> {
        // Something may have been given back since.
        if takings.iter().any(|taking| self.is_exhausted(&taking.key, now)) {
            store.find_used_up(takings, now).await
        } else {
            Ok(None)
        }
    }

    /// Whether a limit is remembered as exhausted. Something may have been released since.
    pub(super) fn is_exhausted(&self, key: &BudgetKey, now: DateTime<Utc>) -> bool {
        self.0.get(key).is_some_and(|until| until > now)
    }

    /// Remembers those of these reservations that left nothing.
    pub(super) fn remember_last(&self, taken: &[Taken], now: DateTime<Utc>) {
        taken.iter().filter_map(|taken| taken.used_up(now)).for_each(|last| self.remember(last));
    }

    /// Forgets that a limit is exhausted.
    pub(super) fn forget(&self, key: &BudgetKey) {
        self.0.remove(key);
    }

    /// Remembers a limit as exhausted.
    pub(super) fn remember(&self, used_up: UsedUp) {
        self.0.insert(used_up.key, used_up.until);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        clock::Clock,
        model::{Budget, Rate},
        storage::StoreSettings,
    };

    /// A database, and what is taken once a minute.
    async fn once_a_minute() -> (TempDir, Store, [Taking; 1]) {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, &StoreSettings::default()).unwrap();
        store.migrate().await.unwrap();
        let budget = Budget::strict(Rate { count: 1, per: Duration::from_mins(1) });
        let key = BudgetKey::new("signups_per_address", &["somebody"]);
        (folder, store, [Taking { key, budget }])
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_comes_to_a_used_up_budget_writes_nothing_until_there_may_be_some() {
        let (_folder, store, takings) = once_a_minute().await;
        let (here, elsewhere, now) = (Remembered::default(), Remembered::default(), Clock::system().now());
        let until = now + TimeDelta::minutes(1);
        let used_up = || Some(UsedUp { key: takings[0].key.clone(), until });
        assert!(here.take(&store, &takings, now).await.unwrap().is_ok());
        // Another instance has to find out first.
        assert_eq!(elsewhere.take(&store, &takings, now).await.unwrap().err(), used_up());

        // There is one connection that writes: whoever wants it waits, and is given up on.
        let Store::Sqlite(sqlite) = &store else { panic!("not SQLite") };
        let writing = sqlite.get_to_write().await.unwrap();
        for instance in [&here, &elsewhere] {
            assert_eq!(instance.take(&store, &takings, now).await.unwrap().err(), used_up());
        }
        drop(writing);
        assert!(here.take(&store, &takings, until).await.unwrap().is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_given_back_can_be_taken_although_it_was_remembered_as_used_up() {
        let (_folder, store, takings) = once_a_minute().await;
        let (remembered, now) = (Remembered::default(), Clock::system().now());
        let taken = remembered.take(&store, &takings, now).await.unwrap().ok().unwrap();
        assert!(remembered.take(&store, &takings, now).await.unwrap().is_err());
        store.give_back_budgets(&taken).await.unwrap();
        assert!(remembered.take(&store, &takings, now).await.unwrap().is_ok());
    }
}
