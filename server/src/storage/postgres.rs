//! PostgreSQL's pool: a server, shared with other instances.

use std::time::Duration;

use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool},
};

use super::StoreError;

/// Connections of one instance.
const CONNECTIONS: usize = 16;
/// How long a request waits for a free connection.
const WAIT: Duration = Duration::from_secs(5);

pub(super) fn pool(url: &str) -> Result<Pool<AsyncPgConnection>, StoreError> {
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    let manager = AsyncDieselConnectionManager::new_with_config(url, config);
    Ok(Pool::builder(manager)
        .max_size(CONNECTIONS)
        .wait_timeout(Some(WAIT))
        .runtime(deadpool::Runtime::Tokio1)
        .build()?)
}
