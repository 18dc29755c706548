//! The `migrations/` folder, embedded: what is pending, and running it.

use diesel::{backend::Backend, migration::MigrationSource, sqlite::Sqlite};
use diesel_async::{AsyncMigrationHarness, SimpleAsyncConnection};
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

/// Whoever migrates a PostgreSQL database holds this advisory lock ("countersign", cut to 63 bits).
const LOCK: i64 = 0x636f_756e_7465_7273;

/// Runs pending migrations, and adds the name of each as soon as it has run.
fn run<DB, Harness>(harness: &mut Harness, ran: &mut Vec<String>) -> Result<(), StoreError>
where
    DB: Backend,
    Harness: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    while let Some(migration) = harness.pending_migrations(MIGRATIONS).map_err(failed)?.first() {
        ran.push(harness.run_migration(migration).map_err(failed)?.to_string());
    }
    Ok(())
}

impl Store {
    /// Runs the migrations that are pending, and returns their names in the order in which they ran. Of two at once on
    /// PostgreSQL, one waits for the other; on SQLite, which one process has for itself, one fails and changes nothing.
    ///
    /// Needs a multi-thread runtime.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let mut ran = Vec::new();
        match self {
            Self::Sqlite(pool) => {
                run(&mut AsyncMigrationHarness::new(pool.get().await?), &mut ran)?;
            }
            Self::Postgres(postgres) => {
                let mut connection = postgres.connect().await?;
                // An index of a large table takes its time. Only waiting for locks stays bounded: behind a migration that
                // waits, everybody waits.
                let prepare = format!(
                    "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set lock_timeout = 0;
                     select pg_advisory_lock({LOCK}); reset lock_timeout"
                );
                connection.batch_execute(&prepare).await?;
                // The connection ends here, and with it the lock.
                run(&mut AsyncMigrationHarness::new(connection), &mut ran)?;
            }
        }
        Ok(ran)
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
