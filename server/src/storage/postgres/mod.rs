//! PostgreSQL: pooled connections for requests, and others for those who keep one.
//!
//! Every connection is made here, so each one has its timeouts, its name and, where the URL asks for it, TLS with the
//! server's certificate checked.

mod address;
mod pooler;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use deadpool::managed::{Hook, HookError, QueueMode};
use diesel::ConnectionError;
use diesel_async::{
    AsyncPgConnection, RunQueryDsl as _,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{Object, Pool, PoolError},
    },
};
use futures_util::FutureExt;
use tokio_postgres::{Config, NoTls, config::TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(super) use self::address::Address;
use super::{StoreError, StoreSettings};
use crate::model::Unavailable;

/// How long a returned connection may take to be ready for the next one.
const RECYCLE_TIMEOUT: Duration = Duration::from_secs(1);
/// A transaction that nobody goes on with ends after this. Ours wait for nothing but the database.
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// After this much silence a connection is probed, so often, and given up after so many probes.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);

/// A PostgreSQL database. Clones share the pool.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool<AsyncPgConnection>,
    /// One connection, for whoever asks whether the database is there: that all others are in use does not mean that it is
    /// away.
    probe: Pool<AsyncPgConnection>,
    connector: Arc<Connector>,
}

/// When a statement was last refused because its server only reads. Every connection that is older may be of that server.
///
/// One for the process, which has one database: an error becomes known where nobody knows any more which connection it came from.
static READ_ONLY_SINCE: Mutex<Option<Instant>> = Mutex::new(None);

/// Has no connection used again that was made before now: after a failover, all of them only read.
pub(super) fn give_up_connections() {
    *READ_ONLY_SINCE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    tracing::warn!("the database only reads; its connections are given up and made anew");
}

/// Makes connections.
struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    timeout: Duration,
}

impl Postgres {
    /// Nothing is connected to yet. Connections are made with servers that take writes alone, unless the URL says otherwise.
    pub(super) fn open(url: &str, settings: &StoreSettings) -> Result<Self, StoreError> {
        let mut address = Address::read(url).map_err(StoreError::Url)?;
        if !address.names_session_attrs {
            address.config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Self::of(address, settings)
    }

    /// The same, with a server that may only be read, unless there are others to choose from.
    pub(super) fn open_to_look(url: &str, settings: &StoreSettings) -> Result<Self, StoreError> {
        let address = Address::read(url).map_err(StoreError::Url)?;
        if address.config.get_hosts().len() > 1 {
            Self::open(url, settings)
        } else {
            Self::of(address, settings)
        }
    }

    fn of(address: Address, settings: &StoreSettings) -> Result<Self, StoreError> {
        let Address { mut config, tls, .. } = address;
        prepare(&mut config, settings);
        // Each host has its time: one that is silent does not take that of the next.
        let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1);
        let timeout =
            config.get_connect_timeout().copied().unwrap_or(settings.database_connect_timeout) * hosts;
        let connector = Arc::new(Connector { config, tls: tls.connector()?, timeout });
        let pool = |size| {
            let mut manager = ManagerConfig::default();
            manager.recycling_method = RecyclingMethod::Fast;
            let connector = connector.clone();
            manager.custom_setup = Box::new(move |_| {
                let connector = connector.clone();
                async move { connector.connect().await }.boxed()
            });
            Pool::builder(AsyncDieselConnectionManager::new_with_config("postgres", manager))
                .pre_recycle(Hook::sync_fn(move |_, metrics| {
                    let since = *READ_ONLY_SINCE.lock().unwrap_or_else(PoisonError::into_inner);
                    if since.is_some_and(|since| metrics.created <= since) {
                        return Err(HookError::message("it only reads"));
                    }
                    Ok(())
                }))
                .max_size(size)
                // What was just used is still in the processors' caches, here and at the server.
                .queue_mode(QueueMode::Lifo)
                .wait_timeout(Some(settings.database_pool_wait))
                .create_timeout(Some(timeout))
                .recycle_timeout(Some(RECYCLE_TIMEOUT))
                .runtime(deadpool::Runtime::Tokio1)
                .build()
        };
        Ok(Self { pool: pool(settings.database_pool_size)?, probe: pool(1)?, connector })
    }

    /// A pooled connection. One that has died meanwhile is not handed out.
    pub async fn get(&self) -> Result<Object<AsyncPgConnection>, PoolError> {
        self.pool.get().await
    }

    /// A pooled connection: of PostgreSQL's, all may write.
    pub(super) async fn get_to_write(&self) -> Result<Object<AsyncPgConnection>, PoolError> {
        self.get().await
    }

    /// A connection to ask whether the database is there.
    pub(super) async fn get_to_probe(&self) -> Result<Object<AsyncPgConnection>, PoolError> {
        self.probe.get().await
    }

    /// A connection outside the pool, for those who keep it.
    pub(super) async fn connect(&self) -> Result<AsyncPgConnection, StoreError> {
        let connecting = self.connector.connect();
        tokio::time::timeout(self.connector.timeout, connecting)
            .await
            .map_err(|_| StoreError::timed_out(self.connector.timeout))?
            .map_err(|error| StoreError::Connect(Unavailable::new(error)))
    }

    /// Fails where the database would keep text in another encoding than UTF-8.
    pub(super) async fn check_encoding(connection: &mut AsyncPgConnection) -> Result<(), StoreError> {
        let encoding = diesel::dsl::sql::<diesel::sql_types::Text>("current_setting('server_encoding')");
        let encoding: String = diesel::select(encoding).get_result(connection).await?;
        if encoding == "UTF8" { Ok(()) } else { Err(StoreError::Encoding(encoding)) }
    }
}

impl Connector {
    async fn connect(&self) -> Result<AsyncPgConnection, ConnectionError> {
        // The words of tokio-postgres name users and databases, and no password.
        let bad = |error: tokio_postgres::Error| {
            let why =
                std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            ConnectionError::BadConnection(format!("{error}{why}"))
        };
        if let Some(tls) = self.tls.clone() {
            let (client, connection) = self.config.connect(tls).await.map_err(bad)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(bad)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        }
    }
}

/// What every connection has, unless the URL says otherwise. The isolation level is not its business: guarded updates are written for
/// this one, and a role or a database may have another by default.
fn prepare(config: &mut Config, settings: &StoreSettings) {
    let statement = settings.database_statement_timeout.as_millis();
    let idle = IDLE_IN_TRANSACTION_TIMEOUT.as_millis();
    // Of two values the last counts: the URL's own options come last.
    let own = config.get_options().unwrap_or_default();
    let options = format!(
        "-c statement_timeout={statement} -c lock_timeout={statement} \
         -c idle_in_transaction_session_timeout={idle} {own} -c default_transaction_isolation=read\\ committed"
    );
    config.options(options);
    if config.get_application_name().is_none() {
        config.application_name("countersign");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(settings.database_connect_timeout);
    }
    if config.get_tcp_user_timeout().is_none() {
        // A server that has vanished is noticed not long after the statement should have ended.
        config.tcp_user_timeout(settings.database_statement_timeout + settings.database_connect_timeout);
    }
    let (idle, interval, retries) = KEEPALIVE;
    if config.get_keepalives_interval().is_none() && config.get_keepalives_retries().is_none() {
        config.keepalives_idle(idle).keepalives_interval(interval).keepalives_retries(retries);
    }
}
