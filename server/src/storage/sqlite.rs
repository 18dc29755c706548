//! SQLite's pool: a file on this machine, read by several connections while one writes.

use std::time::Duration;

use diesel::{ConnectionError, QueryResult, SqliteConnection, result::Error as DieselError};
use diesel_async::{
    AsyncConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use futures_util::FutureExt;
use tokio::time::Instant;

use super::{StoreError, StoreSettings};

/// SQLite has one writer at a time; more connections than this only wait for each other.
const CONNECTIONS: usize = 4;

/// How long a connection waits for a lock that another connection holds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts at what SQLite refuses instead of waiting for.
const BETWEEN_SWITCHES: Duration = Duration::from_millis(10);

/// What survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every commit (`synchronous = full`).
    PowerCut,
    /// Every commit survives the process, the newest may not survive a power cut (`synchronous = normal`). For `dev`.
    Process,
}

impl Durability {
    fn pragma(self) -> &'static str {
        match self {
            Self::PowerCut => "pragma synchronous = full;",
            Self::Process => "pragma synchronous = normal;",
        }
    }
}

pub(super) fn pool(
    path: &str,
    settings: &StoreSettings,
) -> Result<Pool<SyncConnectionWrapper<SqliteConnection>>, StoreError> {
    let durability = settings.durability;
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |path| connect(path.to_owned(), durability).boxed());
    let manager = AsyncDieselConnectionManager::new_with_config(path, config);
    Ok(Pool::builder(manager)
        .max_size(CONNECTIONS)
        .wait_timeout(Some(settings.pool_wait))
        .runtime(deadpool::Runtime::Tokio1)
        .build()?)
}

async fn connect(
    path: String,
    durability: Durability,
) -> Result<SyncConnectionWrapper<SqliteConnection>, ConnectionError> {
    let mut connection = SyncConnectionWrapper::<SqliteConnection>::establish(&path).await?;
    let failed = ConnectionError::CouldntSetupConfiguration;
    let patience = format!("pragma busy_timeout = {};", PATIENCE.as_millis());
    connection.batch_execute(&patience).await.map_err(failed)?;
    switch_to_wal(&mut connection).await.map_err(failed)?;
    let pragmas = format!("pragma foreign_keys = on; {}", durability.pragma());
    connection.batch_execute(&pragmas).await.map_err(failed)?;
    Ok(connection)
}

/// Lets readers read while one writes; the file remembers it. Of two that switch a new file at once, SQLite refuses one
/// without letting it wait, since each holds the lock that the other needs: so it is asked again.
async fn switch_to_wal(connection: &mut SyncConnectionWrapper<SqliteConnection>) -> QueryResult<()> {
    let given_up_at = Instant::now() + PATIENCE;
    loop {
        match connection.batch_execute("pragma journal_mode = wal;").await {
            Err(error) if is_locked(&error) && Instant::now() < given_up_at => {
                tokio::time::sleep(BETWEEN_SWITCHES).await;
            }
            switched => return switched,
        }
    }
}

/// diesel has no kind of its own for `SQLITE_BUSY`; this is the text that SQLite's documentation gives it
/// (<https://sqlite.org/rescode.html#busy>).
fn is_locked(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, told) if told.message() == "database is locked")
}
