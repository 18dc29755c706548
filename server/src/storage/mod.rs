//! What is kept, over two databases behind one [`Store`].
//!
//! Every query is written once and compiled for each database's own connection; nothing above this module knows which
//! one it is. Whatever must hold although two processes act at once is one guarded statement, or one transaction whose
//! first statement writes. Storage never panics and decides nothing that [`crate::model`] can decide.

mod columns;
mod enrollments;
mod logins;
mod migrations;
mod notifications;
mod postgres;
mod schema;
mod sessions;
mod sqlite;
mod turns;
mod users;

use diesel::{
    IntoSql, SqliteConnection,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_async::{
    pooled_connection::deadpool::{Pool, PoolError},
    sync_connection_wrapper::SyncConnectionWrapper,
};

pub use logins::{
    AskingClaim, ClaimedAskings, DueLogin, NewLogin, OpenedLogin, OverdueClaim, Settled, Settlement,
};
pub use notifications::Notifications;
pub use sqlite::Durability;

/// Runs one query on whichever database the store holds. The body is compiled once for each.
macro_rules! on {
    ($store:expr, |$conn:ident| $query:expr) => {
        match $store {
            crate::storage::Store::Sqlite(pool) => {
                let $conn = &mut *pool.get().await?;
                $query
            }
            crate::storage::Store::Postgres(pool) => {
                let $conn = &mut *pool.get().await?;
                $query
            }
        }
    };
}

/// Runs one transaction. SQLite takes its write lock at `begin`; PostgreSQL takes the row's with the first statement,
/// which must therefore write.
macro_rules! transact {
    ($store:expr, $work:expr) => {
        match $store {
            crate::storage::Store::Sqlite(pool) => pool.get().await?.immediate_transaction($work).await,
            crate::storage::Store::Postgres(pool) => {
                diesel_async::AsyncConnection::transaction(&mut *pool.get().await?, $work).await
            }
        }
    };
}

pub(in crate::storage) use {on, transact};

/// The database: one of two, known from the URL.
#[derive(Clone)]
pub enum Store {
    /// A file on this machine.
    Sqlite(Pool<SyncConnectionWrapper<SqliteConnection>>),
    /// A server, shared with other instances.
    Postgres(postgres::Postgres),
}

/// Why storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `DATABASE_URL` names no database that we know.
    #[error("DATABASE_URL must start with `sqlite:`, `postgres://` or `postgresql://`")]
    UnknownScheme,
    /// The pool could not be made.
    #[error("the pool of connections cannot be made")]
    Build(#[from] diesel_async::pooled_connection::deadpool::BuildError),
    /// No connection could be had: the database is away, or all connections are in use for too long.
    #[error("no connection to the database")]
    Pool(#[source] PoolError),
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
    /// The migrations did not run, or cannot be read.
    #[error("the migrations failed: {0}")]
    Migration(String),
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        Self::Pool(error)
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        let what = match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => "a value is taken",
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => "the connection is gone",
            DieselError::DatabaseError(..) => "a statement was refused",
            DieselError::NotFound => "a row is missing",
            _ => "the query could not be run",
        };
        Self::Query(what, error)
    }
}

impl Store {
    /// Opens the database that the URL names: `sqlite:PATH` or `postgres://…`. Connections are made when first used.
    pub fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            sqlite::pool(path, durability).map(Self::Sqlite)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            postgres::Postgres::open(url).map(Self::Postgres)
        } else {
            Err(StoreError::UnknownScheme)
        }
    }

    /// Whether a query gets through.
    pub async fn is_reachable(&self) -> bool {
        self.answers().await.is_ok()
    }

    async fn answers(&self) -> Result<(), StoreError> {
        let query = diesel::select(1_i32.into_sql::<diesel::sql_types::Integer>());
        let _: i32 = on!(self, |conn| diesel_async::RunQueryDsl::get_result(query, conn).await?);
        Ok(())
    }
}
