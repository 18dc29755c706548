//! SQLite: a file on this machine, read by several connections while one writes.
//!
//! Statements run where they are asked for. A thread that writes waits for the disk, and the runtime is told, so that it goes on
//! with another; who reads finds everything in memory as a rule, and the runtime is told only where that is not so. Handing each
//! to a thread of its own costs more than most of them take, and a transaction would hold SQLite's one lock on every way there
//! and back.

mod connection;
mod file;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use deadpool::managed::QueueMode;
use diesel::{ConnectionError, QueryResult, result::Error as DieselError};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection as _, SimpleAsyncConnection as _, TransactionManager as _,
    pooled_connection::{
        self, AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{BuildError, Object, Pool, PoolError},
    },
};
use futures_util::FutureExt as _;
use tokio::time::Instant;

pub use self::file::process_using;
pub(super) use self::{connection::Commit, file::check_path};
use self::{
    connection::{Connection, Purpose, Reading, Writing, WritingToMemory},
    file::{folder_of, has_room, make_private},
};
use super::{Durability, StoreError, StoreSettings};

/// How many read at once.
const READERS: usize = 4;

/// Takes the lock of those who write at once.
const BEGIN: &str = "begin immediate";

/// How long a connection waits for a lock that another process holds; of this one, only one connection writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same for one that only looks: a lock of a moment is no fault, and whoever waits for what it finds does not wait for long.
const PATIENCE_OF_A_LOOK: Duration = Duration::from_millis(1_500);

/// After how many pages a commit writes back what the log of changes holds, and so waits for the disk: a commit that waits for it
/// anyway, and one that does not, which leaves it to the others unless there are none for long. Many pages are written again and
/// again, and back once: so four times SQLite's own default, with 16 MB for the log.
const CHECKPOINT: (u32, u32) = (4_000, 8_000);

/// What the log of changes may grow by before it is written back. A write that needs no further page goes on on a full disk, so that
/// writing alone does not tell.
const ROOM: u64 = 16 * 1_024 * 1_024;

/// Between two attempts at what SQLite refuses instead of waiting for.
const BETWEEN_SWITCHES: Duration = Duration::from_millis(10);

/// A database in a file. Clones share its connections.
#[derive(Clone)]
pub struct Sqlite {
    reading: Pool<Connection<Reading>>,
    /// One: whoever wants to write waits for it in turn, and not by asking SQLite again and again.
    writing: Pool<Connection<Writing>>,
    durability: Durability,
    /// How long a lock of another process is waited for.
    patience: Duration,
    /// Where the file lies, and what is being written.
    folder: PathBuf,
}

impl Durability {
    fn pragma(self) -> &'static str {
        match self {
            Self::PowerCut => "pragma synchronous = full;",
            Self::Process => "pragma synchronous = normal;",
        }
    }
}

impl Sqlite {
    /// Nothing is opened yet.
    pub(super) fn open(path: &str, settings: &StoreSettings) -> Result<Self, StoreError> {
        Ok(Self {
            reading: pool(path, set_up(settings.durability, "pragma query_only = on;"), READERS, settings)?,
            writing: pool(path, set_up(settings.durability, ""), 1, settings)?,
            durability: settings.durability,
            patience: PATIENCE,
            folder: folder_of(path),
        })
    }

    /// One connection, which changes nothing of how the file is set up.
    pub(super) fn open_to_look(uri: &str, settings: &StoreSettings) -> Result<Self, StoreError> {
        Ok(Self {
            reading: pool(uri, to_look(), 1, settings)?,
            writing: pool(uri, to_look(), 1, settings)?,
            durability: settings.durability,
            patience: PATIENCE_OF_A_LOOK,
            folder: PathBuf::new(),
        })
    }

    /// Fails where the disk has less room than what is being written may soon need.
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        if has_room(&self.folder, ROOM) { Ok(()) } else { Err(StoreError::NoRoom) }
    }

    /// A connection that reads, and is refused anything else.
    pub async fn get(&self) -> Result<Object<Connection<Reading>>, PoolError> {
        self.reading.get().await
    }

    /// The connection that writes.
    pub async fn get_to_write(&self) -> Result<Object<Connection<Writing>>, PoolError> {
        let mut connection = self.writing.get().await?;
        let set = self.commit_as(Commit::Durable, &mut connection);
        set.map_err(|error| PoolError::Backend(pooled_connection::PoolError::QueryError(error)))?;
        Ok(connection)
    }

    /// The same, for [`Self::transact`].
    pub(super) async fn get_to_transact(&self) -> Result<Object<Connection<Writing>>, PoolError> {
        self.writing.get().await
    }

    fn commit_as(&self, commit: Commit, connection: &mut Connection<Writing>) -> QueryResult<()> {
        let (durability, pages, patience) = match commit {
            Commit::Durable => (self.durability, CHECKPOINT.0, self.patience),
            Commit::Light => (Durability::Process, CHECKPOINT.1, Duration::ZERO),
        };
        connection.commit_as(commit, || {
            format!(
                "{} pragma wal_autocheckpoint = {pages}; pragma busy_timeout = {};",
                durability.pragma(),
                patience.as_millis()
            )
        })
    }

    /// Runs one transaction that writes, from its beginning to its end: nobody who is dropped leaves one open.
    pub(super) fn transact<Done, Failed>(
        &self,
        commit: Commit,
        connection: &mut Connection<Writing>,
        work: impl AsyncFnOnce(&mut Connection<Writing>) -> Result<Done, Failed>,
    ) -> Result<Done, Failed>
    where
        Failed: From<DieselError>,
    {
        self.commit_as(commit, connection)?;
        if commit == Commit::Light {
            match connection.run_whole::<WritingToMemory, _>(|connection| at_once(begin(connection))) {
                Ok(()) => {
                    let finish = |connection: &mut _| at_once(finish(connection, work));
                    return connection.run_whole::<WritingToMemory, _>(finish);
                }
                // Another process writes: it has to be waited for.
                Err(error) if is_locked(&error) => self.commit_as(Commit::Durable, connection)?,
                Err(error) => return Err(error.into()),
            }
        }
        connection.run_whole::<Writing, _>(|connection| {
            at_once(async {
                begin(connection).await?;
                finish(connection, work).await
            })
        })
    }
}

fn set_up<P: Purpose>(durability: Durability, access: &'static str) -> ManagerConfig<Connection<P>> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(move |path| connect(path.to_owned(), durability, access).boxed());
    config
}

fn to_look<P: Purpose>() -> ManagerConfig<Connection<P>> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(|uri| establish(uri.to_owned(), PATIENCE_OF_A_LOOK).boxed());
    config
}

fn pool<P: Purpose>(
    path: &str,
    mut config: ManagerConfig<Connection<P>>,
    size: usize,
    settings: &StoreSettings,
) -> Result<Pool<Connection<P>>, BuildError> {
    config.recycling_method = RecyclingMethod::Fast;
    Pool::builder(AsyncDieselConnectionManager::new_with_config(path, config))
        .max_size(size)
        // What was just used is still in the processor's caches.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(settings.database_pool_wait))
        .runtime(deadpool::Runtime::Tokio1)
        .build()
}

async fn establish<P: Purpose>(path: String, patience: Duration) -> Result<Connection<P>, ConnectionError> {
    let mut connection = Connection::establish(&path).await?;
    let patience = format!("pragma busy_timeout = {};", patience.as_millis());
    connection.batch_execute(&patience).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

async fn connect<P: Purpose>(
    path: String,
    durability: Durability,
    access: &str,
) -> Result<Connection<P>, ConnectionError> {
    make_private(Path::new(&path));
    let mut connection = establish(path, PATIENCE).await?;
    let failed = ConnectionError::CouldntSetupConfiguration;
    switch_to_wal(&mut connection).await.map_err(failed)?;
    // Updates of several rows keep a journal of their own: in memory, and not in a new file each time.
    let pragmas =
        format!("pragma foreign_keys = on; pragma temp_store = memory; {} {access}", durability.pragma());
    connection.batch_execute(&pragmas).await.map_err(failed)?;
    Ok(connection)
}

/// Lets readers read while one writes; the file remembers it. Of two that switch a new file at once, SQLite refuses one
/// without letting it wait, since each holds the lock that the other needs: so it is asked again.
async fn switch_to_wal(connection: &mut Connection<impl Purpose>) -> QueryResult<()> {
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

/// Takes the lock that others wait for, and not the one of readers that has to be raised later.
pub(super) async fn begin(connection: &mut Connection<Writing>) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction_sql(connection, BEGIN).await
}

async fn finish<Done, Failed>(
    connection: &mut Connection<Writing>,
    work: impl AsyncFnOnce(&mut Connection<Writing>) -> Result<Done, Failed>,
) -> Result<Done, Failed>
where
    Failed: From<DieselError>,
{
    match work(&mut *connection).await {
        Ok(done) => {
            AnsiTransactionManager::commit_transaction(connection).await?;
            Ok(done)
        }
        Err(error) => {
            // SQLite may have taken all of it back by itself, as where the disk is full, and then refuses to do so. What
            // is told is why it had to. The pool hands out no connection whose transaction did not end properly.
            if let Err(refused) = AnsiTransactionManager::rollback_transaction(connection).await {
                tracing::warn!(error = %refused, "a transaction was not rolled back: its connection is given up");
            }
            Err(error)
        }
    }
}

#[expect(clippy::expect_used, reason = "transactions await statements only, and these are in place")]
fn at_once<Done>(transaction: impl Future<Output = Done>) -> Done {
    transaction.now_or_never().expect("it waits for nothing")
}

#[cfg(test)]
mod tests;
