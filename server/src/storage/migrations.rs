//! The `migrations/` folder, embedded: what is pending, and running it.

use diesel::{
    QueryableByName,
    backend::Backend,
    migration::MigrationSource,
    sql_query,
    sql_types::{Bool, Text},
    sqlite::Sqlite,
};
use diesel_async::{
    AnsiTransactionManager, AsyncMigrationHarness, SimpleAsyncConnection, TransactionManager,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Store, StoreError, on, postgres, sqlite};
use crate::{model::EmailKey, random};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");

/// Whoever migrates a PostgreSQL database holds this advisory lock ("countersign", cut to 63 bits).
const LOCK: i64 = 0x636f_756e_7465_7273;

/// Whether there is a list of the migrations that have run, asked without making one: whoever serves may not be allowed to.
const IS_LISTED_SQLITE: &str =
    "select exists (select 1 from sqlite_master where name = '__diesel_schema_migrations') as is_listed";
const IS_LISTED_POSTGRES: &str = "select to_regclass('__diesel_schema_migrations') is not null as is_listed";

#[derive(QueryableByName)]
struct Listed {
    #[diesel(sql_type = Bool)]
    is_listed: bool,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Runs pending migrations, and adds the name of each as soon as it has run. Runs none where the database has one that
/// this binary does not know.
fn run<DB, Harness>(harness: &mut Harness, ran: &mut Vec<String>) -> Result<(), StoreError>
where
    DB: Backend,
    Harness: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    let applied = harness.applied_migrations().map_err(failed)?;
    let unknown = unknown(applied.iter().map(ToString::to_string))?;
    if !unknown.is_empty() {
        return Err(StoreError::Newer(unknown));
    }
    while let Some(migration) = harness.pending_migrations(MIGRATIONS).map_err(failed)?.first() {
        ran.push(harness.run_migration(migration).map_err(failed)?.to_string());
    }
    Ok(())
}

/// The versions of this binary's migrations, in their order.
fn known() -> Result<Vec<String>, StoreError> {
    let migrations = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)
        .map_err(|error| StoreError::Migration(error.to_string()))?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// Returns the versions that this binary does not know. An error if one is older than all that it knows: the schema before the first
/// release was made by migrations that no longer exist.
fn unknown(applied: impl Iterator<Item = String>) -> Result<Vec<String>, StoreError> {
    let known = known()?;
    let unknown: Vec<_> = applied.filter(|version| !known.contains(version)).collect();
    if unknown.iter().any(|version| known.first().is_some_and(|first| version < first)) {
        return Err(StoreError::BeforeFirstRelease);
    }
    Ok(unknown)
}

impl Store {
    /// Runs the migrations that are pending, and returns their names in the order in which they ran. Also makes the key for
    /// hashes of emails, once a database, and counts users' hash parameters anew. Of two at once, one waits for the other. On
    /// SQLite all of the migrations run, or none.
    ///
    /// Needs a multi-thread runtime.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let mut ran = Vec::new();
        match self {
            Self::Sqlite(sqlite) => {
                let mut connection = sqlite.get_to_write().await?;
                // Before what ran is read: whoever migrates at the same moment has done so by then, or waits.
                sqlite::begin(&mut connection).await?;
                let mut harness = AsyncMigrationHarness::new(connection);
                let migrated = run(&mut harness, &mut ran);
                let mut connection = harness.into_inner();
                if let Err(error) = migrated {
                    AnsiTransactionManager::rollback_transaction(&mut *connection).await?;
                    return Err(error);
                }
                AnsiTransactionManager::commit_transaction(&mut *connection).await?;
            }
            Self::Postgres(postgres) => {
                let mut connection = postgres.connect().await?;
                // An index of a large table takes its time. Only waiting for locks stays bounded: behind a migration that
                // waits, everybody waits.
                let prepare = format!(
                    "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set lock_timeout = 0;
                     select pg_advisory_lock({LOCK}); reset lock_timeout"
                );
                postgres::Postgres::check_encoding(&mut connection).await?;
                connection.batch_execute(&prepare).await?;
                // The connection ends here, and with it the lock.
                run(&mut AsyncMigrationHarness::new(connection), &mut ran)?;
            }
        }
        self.make_email_key(&EmailKey::from_bytes(random::bytes())).await?;
        self.recount_hash_parameters().await?;
        Ok(ran)
    }

    /// Fails where the database would keep text in another encoding than UTF-8.
    pub async fn check_encoding(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres::Postgres::check_encoding(&mut *postgres.get().await?).await,
        }
    }

    /// The versions of the migrations that have not run.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        let applied = self.applied_migrations().await?;
        Ok(known()?.into_iter().filter(|version| !applied.contains(version)).collect())
    }

    /// The versions that the database has and this binary has not: a newer one has been here.
    pub async fn unknown_migrations(&self) -> Result<Vec<String>, StoreError> {
        unknown(self.applied_migrations().await?.into_iter())
    }

    async fn applied_migrations(&self) -> Result<Vec<String>, StoreError> {
        let is_listed = match self {
            Self::Sqlite(_) => IS_LISTED_SQLITE,
            Self::Postgres(_) => IS_LISTED_POSTGRES,
        };
        on!(self, |conn| {
            use diesel_async::RunQueryDsl;
            let listed: Listed = sql_query(is_listed).get_result(conn).await?;
            if !listed.is_listed {
                return Ok(Vec::new());
            }
            let applied: Vec<Applied> =
                sql_query("select version from __diesel_schema_migrations order by version")
                    .load(conn)
                    .await?;
            Ok(applied.into_iter().map(|applied| applied.version).collect())
        })
    }
}
