//! Queries whose rows stay as they are until the commit.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sqlite::Sqlite,
};

/// A query for a transaction. PostgreSQL locks the rows that it returns until the commit, so that a concurrent transaction which
/// changes them waits (`for share`). SQLite has one writer, so that nothing has to be locked.
///
/// diesel has the clause for PostgreSQL alone, and each of our queries is compiled for both.
#[derive(Clone, Copy, QueryId)]
pub(super) struct Locked<Q>(pub(super) Q);

/// The same for rows that the transaction is about to change (`for update`): of two that would both share them, none could go on.
#[derive(Clone, Copy, QueryId)]
pub(super) struct ForUpdate<Q>(pub(super) Q);

macro_rules! lock {
    ($locked:ident, $clause:literal) => {
        impl<Q: Query> Query for $locked<Q> {
            type SqlType = Q::SqlType;
        }

        impl<Q, Connection> RunQueryDsl<Connection> for $locked<Q> {}

        impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for $locked<Q> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                self.0.walk_ast(out.reborrow())?;
                out.push_sql($clause);
                Ok(())
            }
        }

        impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for $locked<Q> {
            fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                self.0.walk_ast(out)
            }
        }
    };
}

lock!(Locked, " for share");
lock!(ForUpdate, " for update");
