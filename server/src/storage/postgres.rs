//! PostgreSQL's pool: a server, shared with other instances.

use std::time::Duration;

use diesel_async::{
    AsyncConnection, AsyncPgConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{Object, Pool, PoolError},
    },
};

use super::StoreError;

/// Connections of one instance.
const CONNECTIONS: usize = 16;
/// How long a request waits for a free connection.
const WAIT: Duration = Duration::from_secs(5);

/// PostgreSQL: pooled connections, and others for those who keep one.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool<AsyncPgConnection>,
    url: String,
}

impl Postgres {
    pub(super) fn open(url: &str) -> Result<Self, StoreError> {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        let manager = AsyncDieselConnectionManager::new_with_config(url, config);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(WAIT))
            .runtime(deadpool::Runtime::Tokio1)
            .build()?;
        Ok(Self { pool, url: url.to_owned() })
    }

    /// A pooled connection.
    pub async fn get(&self) -> Result<Object<AsyncPgConnection>, PoolError> {
        self.pool.get().await
    }

    /// A connection outside the pool.
    pub(super) async fn connect(&self) -> Result<AsyncPgConnection, StoreError> {
        AsyncPgConnection::establish(&self.url).await.map_err(|_| StoreError::NoNotifications)
    }
}
