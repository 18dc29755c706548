//! A connection that runs what it is asked on the thread that asks, behind the interface of connections that are waited for.
//!
//! diesel-async's own hands each statement to another thread. So it writes each out as SQL, copies what is bound to it, and
//! locks; here diesel finds the prepared statement by the type of the query. The invariant: whatever is asked is done when the
//! call returns, and no future of this has anything to wait for.

use std::{
    collections::HashSet,
    future::{self, Ready},
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
    vec,
};

use diesel::{
    ConnectionResult, QueryResult, SqliteConnection,
    backend::Backend,
    connection::{CacheSize, Connection as _, Instrumentation, LoadConnection, SimpleConnection as _},
    dsl::Limit,
    query_builder::{
        AsQuery, AstPass, CollectedQuery, MoveableBindCollector, Query, QueryBuilder as _, QueryFragment,
        QueryId,
    },
    query_dsl::{LoadQuery, methods::LimitDsl},
    row::IntoOwnedRow,
    sql_types::Untyped,
    sqlite::Sqlite,
};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection,
    TransactionManager as _, pooled_connection::PoolableConnection,
};
use futures_util::stream;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

/// What takes longer has waited for the disk.
const IN_MEMORY: Duration = Duration::from_millis(1);

/// How many statements a connection keeps by their text; a list of any length may be in one, and further ones are prepared anew.
const MOST_KEPT: usize = 200;

/// How each transaction begins and ends: kept too.
const OF_EVERY_TRANSACTION: [&str; 2] = [super::BEGIN, "COMMIT"];

/// What a connection does, which says whether the runtime is told.
pub trait Purpose: Send + 'static {
    /// Does it, on this thread.
    fn run<Done>(task: impl FnOnce() -> Done) -> Done;
}

/// To read. To tell the runtime costs more than a read from memory takes, so it is told only after one that was not.
#[derive(Debug)]
pub struct Reading;

/// To write, and so to wait for the disk: the runtime goes on with another thread meanwhile.
#[derive(Debug)]
pub struct Writing;

/// To write what need not be on the disk yet, while nobody else writes: as good as reading.
#[derive(Debug)]
pub(super) struct WritingToMemory;

impl Purpose for Reading {
    fn run<Done>(task: impl FnOnce() -> Done) -> Done {
        static HAS_WAITED: AtomicBool = AtomicBool::new(false);
        in_memory(&HAS_WAITED, task)
    }
}

impl Purpose for WritingToMemory {
    fn run<Done>(task: impl FnOnce() -> Done) -> Done {
        static HAS_WAITED: AtomicBool = AtomicBool::new(false);
        in_memory(&HAS_WAITED, task)
    }
}

/// Does what waits for nothing as a rule. `has_waited` is whether the last one has waited for the disk.
fn in_memory<Done>(has_waited: &AtomicBool, task: impl FnOnce() -> Done) -> Done {
    let since = Instant::now();
    let done = if has_waited.load(Ordering::Relaxed) { Writing::run(task) } else { task() };
    has_waited.store(since.elapsed() > IN_MEMORY, Ordering::Relaxed);
    done
}

impl Purpose for Writing {
    fn run<Done>(task: impl FnOnce() -> Done) -> Done {
        // A runtime that has a single thread has no other, as in tests.
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => block_in_place(task),
            _ => task(),
        }
    }
}

/// A connection to a file.
pub struct Connection<P> {
    inner: SqliteConnection,
    /// The statements that are kept by their text.
    kept: HashSet<Box<str>>,
    transactions: AnsiTransactionManager,
    /// Whether the runtime was told already, as far as it has to be, of all that is asked now.
    is_told: bool,
    commit: Commit,
    purpose: PhantomData<fn() -> P>,
}

/// What a commit is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Commit {
    /// As much as the settings say.
    Durable,
    /// The process survives it at once, and a power cut with whatever is next committed for good. It waits for nothing, so that
    /// the runtime need not be told; only where another process writes it becomes one like the others.
    Light,
}

/// A statement as text, and the values that are bound to it.
type ByText =
    CollectedQuery<<<Sqlite as Backend>::BindCollector<'static> as MoveableBindCollector<Sqlite>>::BindData>;

/// A row that outlives its statement.
type Row =
    <<SqliteConnection as LoadConnection>::Row<'static, 'static> as IntoOwnedRow<'static, Sqlite>>::OwnedRow;

impl<P: Purpose> SimpleAsyncConnection for Connection<P> {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.run(|this| {
            if OF_EVERY_TRANSACTION.contains(&query) {
                let values = <Sqlite as Backend>::BindCollector::default().moveable();
                let statement: ByText = CollectedQuery::new(query.to_owned(), true, values);
                this.inner.execute_returning_count(&statement).map(|_| ())
            } else {
                this.inner.batch_execute(query)
            }
        })
    }
}

impl<P: Purpose> AsyncConnectionCore for Connection<P> {
    type ExecuteFuture<'conn, 'query> = Ready<QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = Ready<QueryResult<Self::Stream<'conn, 'query>>>;
    type Stream<'conn, 'query> = stream::Iter<vec::IntoIter<QueryResult<Row>>>;
    type Row<'conn, 'query> = Row;
    type Backend = Sqlite;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Sqlite> + QueryId + 'query,
    {
        future::ready(self.run(|this| this.rows(source.as_query()).map(stream::iter)))
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Sqlite> + QueryId + 'query,
    {
        future::ready(self.run(|this| match this.by_text(&source)? {
            None => this.inner.execute_returning_count(&source),
            Some(query) => this.inner.execute_returning_count(&query),
        }))
    }
}

impl<P: Purpose> Connection<P> {
    fn run<Done>(&mut self, task: impl FnOnce(&mut Self) -> Done) -> Done {
        if self.is_told { task(self) } else { P::run(|| task(self)) }
    }

    /// The first row of a query, which is read where it is: those of [`AsyncConnectionCore::load`] are copied out first. Not for
    /// queries with lists in them, which are prepared anew here each time.
    pub fn first<'query, Q, Found>(&mut self, query: Q) -> QueryResult<Found>
    where
        Q: LimitDsl,
        Limit<Q>: LoadQuery<'query, SqliteConnection, Found> + QueryFragment<Sqlite>,
    {
        let query = query.limit(1);
        debug_assert!(query.is_safe_to_cache_prepared(&Sqlite)?, "a query with a list");
        self.run(|this| diesel::RunQueryDsl::get_result(query, &mut this.inner))
    }

    /// Has it commit otherwise, by these pragmas.
    pub(super) fn commit_as(&mut self, commit: Commit, pragmas: impl FnOnce() -> String) -> QueryResult<()> {
        if self.commit != commit {
            self.inner.batch_execute(&pragmas())?;
            self.commit = commit;
        }
        Ok(())
    }

    /// Does several things as one of the purpose `Whole`. Whoever panics meanwhile leaves a transaction open, and with it the
    /// connection is given up.
    pub(super) fn run_whole<Whole: Purpose, Done>(&mut self, task: impl FnOnce(&mut Self) -> Done) -> Done {
        let was_told = std::mem::replace(&mut self.is_told, true);
        let done = Whole::run(|| task(self));
        self.is_told = was_told;
        done
    }
}

impl<P> Connection<P> {
    fn rows<Q>(&mut self, query: Q) -> QueryResult<Vec<QueryResult<Row>>>
    where
        Q: QueryFragment<Sqlite> + QueryId,
    {
        match self.by_text(&query)? {
            None => owned(self.inner.load(OfAnyType(query))?),
            Some(query) => owned(self.inner.load(query)?),
        }
    }

    /// A statement that diesel would prepare anew each time, so that it is found by its text instead: it does not know how many
    /// different ones there are, of each update and wherever something is one of several. Here there are few; nothing, where
    /// the type of the query finds it.
    fn by_text(&mut self, query: &impl QueryFragment<Sqlite>) -> QueryResult<Option<ByText>> {
        if query.is_safe_to_cache_prepared(&Sqlite)? {
            return Ok(None);
        }
        let mut values = <Sqlite as Backend>::BindCollector::default();
        query.collect_binds(&mut values, &mut (), &Sqlite)?;
        let mut text = <Sqlite as Backend>::QueryBuilder::default();
        query.to_sql(&mut text, &Sqlite)?;
        let text = text.finish();
        let is_kept = self.kept.contains(text.as_str())
            || (self.kept.len() < MOST_KEPT && self.kept.insert(text.as_str().into()));
        Ok(Some(CollectedQuery::new(text, is_kept, values.moveable())))
    }
}

fn owned<'conn>(
    rows: impl Iterator<Item = QueryResult<<SqliteConnection as LoadConnection>::Row<'conn, 'conn>>>,
) -> QueryResult<Vec<QueryResult<Row>>> {
    let mut names = None;
    rows.map(|row| Ok(Ok(row?.into_owned(&mut names)))).collect()
}

impl<P: Purpose> AsyncConnection for Connection<P> {
    type TransactionManager = AnsiTransactionManager;

    async fn establish(database_url: &str) -> ConnectionResult<Self> {
        let inner = Writing::run(|| SqliteConnection::establish(database_url))?;
        Ok(Self {
            inner,
            kept: HashSet::new(),
            transactions: AnsiTransactionManager::default(),
            is_told: false,
            commit: Commit::Durable,
            purpose: PhantomData,
        })
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        &mut self.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner.set_prepared_statement_cache_size(size);
    }
}

impl<P: Purpose> PoolableConnection for Connection<P> {
    fn is_broken(&mut self) -> bool {
        AnsiTransactionManager::is_broken_transaction_manager(self)
    }
}

/// A query whose type of result nobody asks for: rows are read by whoever has asked. SQLite's columns have no types.
struct OfAnyType<Q>(Q);

impl<Q> Query for OfAnyType<Q> {
    type SqlType = Untyped;
}

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for OfAnyType<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }
}

/// The statement is that of the query, and prepared once for both.
impl<Q: QueryId> QueryId for OfAnyType<Q> {
    type QueryId = Q::QueryId;

    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use diesel::{ExpressionMethods as _, QueryDsl as _};
    use diesel_async::RunQueryDsl as _;
    use tokio_util::task::TaskTracker;

    use super::*;

    /// Turns a hang into a failure.
    const HANGS: Duration = Duration::from_secs(20);

    diesel::table! {
        numbers (id) {
            id -> Integer,
            text -> Text,
        }
    }

    async fn connection() -> Connection<Writing> {
        let mut connection = Connection::establish(":memory:").await.unwrap();
        let create = "create table numbers (id integer primary key, text text not null)";
        connection.batch_execute(create).await.unwrap();
        connection
    }

    #[tokio::test]
    async fn a_statement_that_changes_something_is_prepared_once_and_says_what_it_is_given() {
        let mut connection = connection().await;
        for id in 1..=3 {
            let row = (numbers::id.eq(id), numbers::text.eq("new"));
            diesel::insert_into(numbers::table).values(row).execute(&mut connection).await.unwrap();
        }
        for (id, text) in [(1, "one"), (2, "two"), (3, "three")] {
            let update = diesel::update(numbers::table.find(id)).set(numbers::text.eq(text));
            assert_eq!(update.execute(&mut connection).await.unwrap(), 1);
        }
        let texts: Vec<String> =
            numbers::table.order(numbers::id).select(numbers::text).load(&mut connection).await.unwrap();
        assert_eq!(texts, ["one", "two", "three"]);
        assert_eq!(connection.kept.len(), 1);
    }

    #[tokio::test]
    async fn lists_of_any_length_are_found_and_only_so_many_are_kept() {
        let mut connection = connection().await;
        let row = (numbers::id.eq(1), numbers::text.eq("one"));
        diesel::insert_into(numbers::table).values(row).execute(&mut connection).await.unwrap();
        let longest = i32::try_from(MOST_KEPT).unwrap() + 20;
        for length in 1..=longest {
            let found: Vec<String> = numbers::table
                .filter(numbers::id.eq_any(1..=length))
                .select(numbers::text)
                .load(&mut connection)
                .await
                .unwrap();
            assert_eq!(found, ["one"], "{length}");
        }
        assert_eq!(connection.kept.len(), MOST_KEPT);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn after_a_read_that_waited_the_runtime_goes_on_beside_the_next_one() {
        let reading = TaskTracker::new().spawn(async {
            let has_waited = AtomicBool::new(false);
            in_memory(&has_waited, || {
                let begun = Instant::now();
                while begun.elapsed() <= IN_MEMORY {}
            });
            assert!(
                has_waited.fetch_and(true, Ordering::Relaxed),
                "it is told from the time that the first took"
            );
            let (tell, told) = mpsc::channel();
            TaskTracker::new().spawn(async move { tell.send("gone on") });
            // The only thread of the runtime is here: somebody else has to take its place.
            assert_eq!(in_memory(&has_waited, || told.recv_timeout(HANGS)), Ok("gone on"));
        });
        reading.await.unwrap();
    }
}
