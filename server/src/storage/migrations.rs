//! The `migrations/` folder, embedded: what is pending, and running it.

use diesel::{migration::MigrationSource, sqlite::Sqlite};
use diesel_async::AsyncMigrationHarness;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Store, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");

/// Runs `$work` with the migration harness of either database.
macro_rules! harness {
    ($store:expr, |$harness:ident| $work:expr) => {
        match $store {
            Store::Sqlite(pool) => {
                let mut $harness = AsyncMigrationHarness::new(pool.get().await?);
                $work
            }
            Store::Postgres(pool) => {
                let mut $harness = AsyncMigrationHarness::new(pool.get().await?);
                $work
            }
        }
        .map_err(|error| StoreError::Migration(error.to_string()))
    };
}

impl Store {
    /// Runs the migrations that are pending, and returns their names in the order in which they ran.
    ///
    /// Needs a multi-thread runtime.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        harness!(self, |harness| harness
            .run_pending_migrations(MIGRATIONS)
            .map(|versions| versions.iter().map(ToString::to_string).collect()))
    }

    /// The names of the migrations that have not run.
    ///
    /// Needs a multi-thread runtime.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        harness!(self, |harness| harness
            .pending_migrations(MIGRATIONS)
            .map(|pending| pending.iter().map(|migration| migration.name().version().to_string()).collect()))
    }

    /// The migrations that the database has and this binary has not: a newer one has been here.
    ///
    /// Needs a multi-thread runtime.
    pub async fn unknown_migrations(&self) -> Result<Vec<String>, StoreError> {
        let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)
            .map_err(|error| StoreError::Migration(error.to_string()))?
            .iter()
            .map(|migration| migration.name().version().to_string())
            .collect::<Vec<_>>();
        let applied = harness!(self, |harness| harness.applied_migrations())?;
        Ok(applied.iter().map(ToString::to_string).filter(|version| !known.contains(version)).collect())
    }
}
