//! What is kept, over two databases behind one [`Store`].
//!
//! Every query is written once and compiled for each database's own connection; nothing above this module knows which
//! one it is. Whatever must hold although two processes act at once is one guarded statement, or one transaction whose
//! first statement writes. Storage never panics and decides nothing that [`crate::model`] can decide.

mod approvals;
mod budgets;
mod columns;
mod confirmations;
mod conflicts;
mod counts;
mod devices;
mod enrollments;
mod events;
mod examination;
mod hash_parameters;
mod keys;
mod leases;
mod limit_changes;
mod limit_rows;
mod locked;
mod migrations;
mod notifications;
mod postgres;
mod probe;
mod schema;
mod server_time;
mod sessions;
mod settings;
mod sms_conversions;
mod span;
mod sqlite;
mod users;

use std::{borrow::Cow, time::Duration};

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::{self, deadpool::PoolError};

pub use approvals::{
    ClaimedPolls, Consequence, DuePush, FoundApproval, Insertion, NewApproval, NewSessionGrant,
    OpenedSession, OverdueClaim, PollClaim, Settled, Settlement,
};
pub use budgets::RemovedBudgets;
pub use confirmations::{Confirmed, LiveAt};
pub use events::StoredEvent;
pub use examination::{Examination, Kind as ExaminedKind, RefusedRights, Server as ExaminedServer};
pub use hash_parameters::UsedHashParameters;
pub use limit_changes::{LimitChanges, Taken, Taking, UsedUp};
pub use notifications::Notifications;
pub use server_time::ServerTime;
pub use settings::{Durability, StoreSettings};
pub use sms_conversions::CodeReturns;
pub use sqlite::process_using;

use self::{counts::count_error, postgres::Address};
use crate::model::Unavailable;

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

/// The same for one update or delete of what may be lost with the power, though not with the process. Gives how many rows.
macro_rules! change_lightly {
    ($store:expr, $statement:expr) => {{
        tracing::trace!("a statement begins");
        let span = crate::storage::span::begin!($store);
        let changed: Result<usize, diesel::result::Error> = match $store {
            crate::storage::Store::Sqlite(sqlite) => {
                let connection = &mut *crate::storage::counts::waited(sqlite.get_to_transact()).await?;
                sqlite.transact(crate::storage::sqlite::Commit::Light, connection, async |conn| {
                    diesel_async::RunQueryDsl::execute($statement, conn).await
                })
            }
            crate::storage::Store::Postgres(postgres) => {
                let connection = &mut *crate::storage::counts::waited(postgres.get_to_write()).await?;
                diesel_async::RunQueryDsl::execute($statement, connection).await
            }
        };
        let changed = changed?;
        span.succeed();
        changed
    }};
}

/// Runs one statement that writes and owns its values. On SQLite, statements that wait at the same moment share one wait for the disk.
macro_rules! change_together {
    ($store:expr, |$conn:ident| $statement:expr) => {{
        tracing::trace!("a statement begins");
        let span = crate::storage::span::begin!($store);
        let changed = match $store {
            crate::storage::Store::Sqlite(sqlite) => {
                let change = move |$conn: &mut _| {
                    crate::storage::sqlite::at_once(async { Ok::<_, diesel::result::Error>($statement) })
                };
                sqlite.change_together(change).await?
            }
            crate::storage::Store::Postgres(postgres) => {
                let $conn = &mut *crate::storage::counts::waited(postgres.get_to_write()).await?;
                $statement
            }
        };
        span.succeed();
        changed
    }};
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
/// which must therefore write. One that PostgreSQL could not put in order with others is run again: what it did was taken back.
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
                let mut attempts = crate::storage::conflicts::ATTEMPTS;
                loop {
                    attempts -= 1;
                    let done = diesel_async::AsyncConnection::transaction(&mut *connection, $work).await;
                    if attempts == 0 || !crate::storage::conflicts::is_conflict(&done) {
                        break done;
                    }
                }
            }
        };
        if done.is_ok() {
            span.succeed();
        }
        done
    }};
}

pub(in crate::storage) use {
    change, change_lightly, change_together, find, on, run, transact, transact_as, transact_lightly,
};

/// Whether a URL names a database, without opening it. The error says what is wrong with it, and shows nothing of it.
pub fn check_url(url: &str) -> Result<(), Cow<'static, str>> {
    match url.strip_prefix("sqlite:") {
        Some(path) => sqlite::check_path(path).map_err(Cow::Borrowed),
        None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Address::read(url).map(|_| ())
        }
        None => Err("must be `sqlite:PATH` or `postgres://…`".into()),
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
    Url(Cow<'static, str>),
    /// The pool could not be made.
    #[error("the pool of connections cannot be made")]
    Build(#[from] diesel_async::pooled_connection::deadpool::BuildError),
    /// No connection could be had: all are in use, or making one takes too long.
    #[error("no connection to the database")]
    Pool(#[source] Unavailable),
    /// No connection could be made: the database is away, or will not have us.
    #[error("no connection to the database")]
    Connect(#[source] Unavailable),
    /// Nor was there an answer in time.
    #[error("the database does not answer")]
    TimedOut(#[source] Unavailable),
    /// The database was there, and is not any more, or only follows another server now, or has too much to do.
    #[error("the database went away: {0}")]
    WentAway(&'static str, #[source] Unavailable),
    /// The database would keep text in another form than it is given.
    #[error(
        "DATABASE_URL names a database with the encoding {0}; make one with UTF8: createdb --encoding=UTF8 --template=template0 …"
    )]
    Encoding(String),
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
    /// The disk that the file lies on is full, or nearly.
    #[error("there is no room left on the disk of the database")]
    NoRoom,
    /// Nobody sends messages through this database.
    #[error("SQLite carries no messages between processes")]
    NoNotifications,
    /// The database was made by a build before the first release.
    #[error(
        "DATABASE_URL names a database from before the first release, which cannot be migrated; use a new database"
    )]
    BeforeFirstRelease,
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
                Self::Connect(Unavailable::new(error))
            }
            other => {
                count_error("none_free");
                Self::Pool(Unavailable::new(other))
            }
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        if let Some((kind, what)) = gone(&error) {
            count_error(kind);
            if kind == READ_ONLY {
                postgres::give_up_connections();
            }
            return Self::WentAway(what, Unavailable::new(error));
        }
        let (kind, what) = match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                ("taken", "a value is taken")
            }
            DieselError::DatabaseError(..) => ("refused", "a statement was refused"),
            DieselError::NotFound => ("missing", "a row is missing"),
            _ => ("not_run", "the query could not be run"),
        };
        count_error(kind);
        Self::Query(what, error)
    }
}

impl StoreError {
    /// There was no answer within this time.
    #[must_use]
    pub fn timed_out(within: Duration) -> Self {
        Self::TimedOut(Unavailable::new(format!("no answer within {within:?}")))
    }
}

/// How it is counted that a server refuses to write.
const READ_ONLY: &str = "read_only";

/// How it is counted and called where the database went away in the middle of something.
fn gone(error: &DieselError) -> Option<(&'static str, &'static str)> {
    const LOST: (&str, &str) = ("connection_lost", "the connection is gone");
    match error {
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _,
        )
        | DieselError::BrokenTransactionManager => Some(LOST),
        DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => {
            Some((READ_ONLY, "it only reads"))
        }
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => {
            Some(("conflict", "too many do the same at once"))
        }
        // diesel keeps no code of these: a server that ends its connections, and a statement that took too long.
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, told) => {
            let message = told.message();
            let is = |beginning: &str| message.starts_with(beginning);
            (is("terminating connection") || is("canceling statement due to")).then_some(LOST)
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => gone(commit_error),
        _ => None,
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
}
