//! What is kept, over two databases behind one [`Store`].
//!
//! Every query is written once and compiled for each database's own connection; nothing above this module knows which
//! one it is. Whatever must hold although two processes act at once is one guarded statement, or one transaction whose
//! first statement writes. Storage never panics and decides nothing that [`crate::model`] can decide.

mod budgets;
mod code_returns;
mod columns;
mod counts;
mod devices;
mod enrollments;
mod examination;
mod hash_parameters;
mod keys;
mod logins;
mod migrations;
mod notifications;
mod postgres;
mod schema;
mod sessions;
mod span;
mod sqlite;
mod turns;
mod users;

use std::time::Duration;

use diesel::{
    IntoSql,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_async::pooled_connection::{self, deadpool::PoolError};

pub use budgets::{Taken, Taking, UsedUp};
pub use code_returns::CodeReturns;
pub use examination::{Examination, Kind as ExaminedKind, RefusedRights, Server as ExaminedServer};
pub use hash_parameters::UsedHashParameters;
pub use logins::{
    AskingClaim, ClaimedAskings, CostOfDenial, DueLogin, NewLogin, OpenedLogin, OverdueClaim, Settled,
    Settlement,
};
pub use notifications::Notifications;
pub use sqlite::Durability;

use self::{counts::count_error, postgres::Address};

/// Runs one query that reads, on whichever database the store holds. The body is compiled once for each.
macro_rules! on {
    ($store:expr, |$conn:ident| $query:expr) => {
        crate::storage::run!($store, get, |$conn| $query, |$conn| $query)
    };
}

/// Finds the first row of a query without lists, if there is one.
macro_rules! find {
    ($store:expr, $query:expr) => {
        crate::storage::run!(
            $store,
            get,
            |conn| diesel::OptionalExtension::optional(conn.first($query))?,
            |conn| {
                let found = diesel_async::RunQueryDsl::first($query, conn).await;
                diesel::OptionalExtension::optional(found)?
            }
        )
    };
}

/// Runs one statement that writes.
macro_rules! change {
    ($store:expr, |$conn:ident| $statement:expr) => {
        crate::storage::run!($store, get_to_write, |$conn| $statement, |$conn| $statement)
    };
}

/// Runs one statement on a connection that is had so.
macro_rules! run {
    ($store:expr, $get:ident, |$sqlite:ident| $in_sqlite:expr, |$postgres:ident| $in_postgres:expr) => {{
        tracing::trace!("a statement begins");
        let span = crate::storage::span::begin!($store);
        let found = match $store {
            crate::storage::Store::Sqlite(sqlite) => {
                let $sqlite = &mut *crate::storage::counts::waited(sqlite.$get()).await?;
                $in_sqlite
            }
            crate::storage::Store::Postgres(postgres) => {
                let $postgres = &mut *crate::storage::counts::waited(postgres.$get()).await?;
                $in_postgres
            }
        };
        span.succeed();
        found
    }};
}

/// Runs one transaction. SQLite takes its write lock at `begin`; PostgreSQL takes the row's with the first statement,
/// which must therefore write.
macro_rules! transact {
    ($store:expr, $work:expr) => {
        crate::storage::transact_as!($store, crate::storage::sqlite::Commit::Durable, $work)
    };
}

/// The same for what may be lost with the power, though not with the process: SQLite then waits for no disk.
macro_rules! transact_lightly {
    ($store:expr, $work:expr) => {
        crate::storage::transact_as!($store, crate::storage::sqlite::Commit::Light, $work)
    };
}

/// Runs one transaction whose commit is to be as good as that, in SQLite; PostgreSQL's are all durable.
macro_rules! transact_as {
    ($store:expr, $commit:expr, $work:expr) => {{
        tracing::trace!("a transaction begins");
        let span = crate::storage::span::begin!($store);
        let done = match $store {
            crate::storage::Store::Sqlite(sqlite) => {
                let connection = &mut *crate::storage::counts::waited(sqlite.get_to_transact()).await?;
                sqlite.transact($commit, connection, $work)
            }
            crate::storage::Store::Postgres(postgres) => {
                let connection = &mut *crate::storage::counts::waited(postgres.get_to_write()).await?;
                diesel_async::AsyncConnection::transaction(connection, $work).await
            }
        };
        if done.is_ok() {
            span.succeed();
        }
        done
    }};
}

pub(in crate::storage) use {change, find, on, run, transact, transact_as, transact_lightly};

/// A database that takes longer to answer is as good as away.
const REACHABLE_WITHIN: Duration = Duration::from_secs(2);

/// How to use a database.
#[derive(Clone, Copy, Debug)]
pub struct StoreSettings {
    /// What survives a power cut; SQLite only.
    pub durability: Durability,
    /// Connections of this process; PostgreSQL only, for SQLite has one writer.
    pub pool_size: usize,
    /// How long a query waits for a free connection.
    pub pool_wait: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one statement may take, waiting for locks included; PostgreSQL only.
    pub statement_timeout: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            durability: Durability::PowerCut,
            pool_size: 16,
            pool_wait: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
        }
    }
}

/// Whether a URL names a database, without opening it. The error says what is wrong with it, and shows nothing of it.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    match url.strip_prefix("sqlite:") {
        Some("") => Err("must name a file after `sqlite:`"),
        Some(":memory:") => {
            Err("must name a file: each connection would have a database in memory of its own")
        }
        Some(_) => Ok(()),
        None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Address::read(url).map(|_| ())
        }
        None => Err("must be `sqlite:PATH` or `postgres://…`"),
    }
}

/// Whether what is said to the database can be read on the way: without TLS, beyond this machine.
#[must_use]
pub fn is_open_to_eavesdroppers(url: &str) -> bool {
    !url.starts_with("sqlite:") && Address::read(url).is_ok_and(|address| address.is_open_to_eavesdroppers())
}

/// The database: one of two, known from the URL.
#[derive(Clone)]
pub enum Store {
    /// A file on this machine.
    Sqlite(sqlite::Sqlite),
    /// A server, shared with other instances.
    Postgres(postgres::Postgres),
}

/// Why storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `DATABASE_URL` cannot be used; what is wrong with it.
    #[error("DATABASE_URL {0}")]
    Url(&'static str),
    /// The pool could not be made.
    #[error("the pool of connections cannot be made")]
    Build(#[from] diesel_async::pooled_connection::deadpool::BuildError),
    /// No connection could be had: all are in use, or making one takes too long.
    #[error("no connection to the database")]
    Pool(#[source] PoolError),
    /// No connection could be made: the database is away, or will not have us.
    #[error("no connection to the database")]
    Connect(#[source] diesel::ConnectionError),
    /// Nor was there an answer.
    #[error("the database does not answer")]
    ConnectTimeout,
    /// The database did not take the query.
    #[error("the database failed: {0}")]
    Query(&'static str, #[source] DieselError),
    /// A row holds what was never written.
    #[error("the column {table}.{column} holds something that it cannot hold")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// Where in it.
        column: &'static str,
    },
    /// Nobody sends messages through this database.
    #[error("SQLite carries no messages between processes")]
    NoNotifications,
    /// The database has migrations that this binary does not know: their versions.
    #[error(
        "the database is newer than this binary, which does not know these migrations: {}",
        .0.join(", ")
    )]
    Newer(Vec<String>),
    /// The migrations did not run, or cannot be read.
    #[error("the migrations failed: {0}")]
    Migration(String),
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(pooled_connection::PoolError::ConnectionError(error)) => {
                count_error("no_connection");
                Self::Connect(error)
            }
            other => {
                count_error("none_free");
                Self::Pool(other)
            }
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        let (kind, what) = match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                ("taken", "a value is taken")
            }
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => {
                ("connection_lost", "the connection is gone")
            }
            DieselError::DatabaseError(..) => ("refused", "a statement was refused"),
            DieselError::NotFound => ("missing", "a row is missing"),
            _ => ("not_run", "the query could not be run"),
        };
        count_error(kind);
        Self::Query(what, error)
    }
}

impl Store {
    /// Opens the database that the URL names: `sqlite:PATH` or `postgres://…`. Connections are made when first used.
    pub fn open(url: &str, settings: &StoreSettings) -> Result<Self, StoreError> {
        check_url(url).map_err(StoreError::Url)?;
        match url.strip_prefix("sqlite:") {
            Some(path) => sqlite::Sqlite::open(path, settings).map(Self::Sqlite),
            None => postgres::Postgres::open(url, settings).map(Self::Postgres),
        }
    }

    /// Whether a query gets through, and soon.
    pub async fn is_reachable(&self) -> bool {
        tokio::time::timeout(REACHABLE_WITHIN, self.answers()).await.is_ok_and(|answer| answer.is_ok())
    }

    async fn answers(&self) -> Result<(), StoreError> {
        let query = diesel::select(1_i32.into_sql::<diesel::sql_types::Integer>());
        let _: i32 = match self {
            Self::Sqlite(sqlite) => {
                diesel_async::RunQueryDsl::get_result(query, &mut *sqlite.get().await?).await?
            }
            Self::Postgres(postgres) => {
                diesel_async::RunQueryDsl::get_result(query, &mut *postgres.get_to_probe().await?).await?
            }
        };
        Ok(())
    }
}
