//! SQLite's pool: a file on this machine, read by several connections while one writes.

use diesel::{ConnectionError, SqliteConnection};
use diesel_async::{
    AsyncConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use futures_util::FutureExt;

use super::{StoreError, StoreSettings};

/// SQLite has one writer at a time; more connections than this only wait for each other.
const CONNECTIONS: usize = 4;

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
    // First of all: switching to WAL needs a lock, which another process may hold just now.
    let pragmas = format!(
        "pragma busy_timeout = 5000; pragma journal_mode = wal; pragma foreign_keys = on; {}",
        durability.pragma()
    );
    connection.batch_execute(&pragmas).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
