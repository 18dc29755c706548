//! How SQLite goes about what it is asked.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::{InstrumentationEvent, set_default_instrumentation},
    sql_query,
    sql_types::Text,
};

/// What the connections of this process have been asked, with places for its values.
static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// One step of a plan.
#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Remembers from now on what new connections are asked.
pub(super) fn remember_statements() {
    set_default_instrumentation(|| {
        Some(Box::new(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                let statement = query.to_string();
                let (statement, _values) = statement.split_once(" -- binds:").unwrap_or((&statement, ""));
                STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner).insert(statement.to_owned());
            }
        }))
    })
    .unwrap();
}

/// Fails where a table, or what was joined, is read as a whole by anything that was remembered.
pub(super) fn ensure_nothing_is_read_as_a_whole(url: &str) {
    let statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut connection = SqliteConnection::establish(url.trim_start_matches("sqlite:")).unwrap();
    let mut explained = 0;
    for statement in statements.iter().filter(|statement| is_of_ours(statement)) {
        let steps: Vec<Step> =
            sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(&mut connection).unwrap();
        let steps: Vec<_> = steps.into_iter().map(|step| step.detail).collect();
        assert!(!steps.iter().any(|step| reads_a_whole(step)), "{statement}\n{}", steps.join("\n"));
        explained += 1;
    }
    assert!(explained > 0, "nothing was remembered");
}

/// Executes statements on a connection of its own.
pub(super) fn execute(url: &str, statements: &str) {
    use diesel::connection::SimpleConnection as _;
    let mut connection = SqliteConnection::establish(url.trim_start_matches("sqlite:")).unwrap();
    connection.batch_execute(statements).unwrap();
}

/// Whether it is about our tables, as SQLite is asked: the names in backticks.
fn is_of_ours(statement: &str) -> bool {
    let is_explained =
        ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|verb| statement.starts_with(verb));
    is_explained && statement.contains('`') && !statement.contains("__diesel_schema_migrations")
}

fn reads_a_whole(step: &str) -> bool {
    step.starts_with("MATERIALIZE")
        || step.contains("AUTOMATIC")
        || (step.starts_with("SCAN") && !step.starts_with("SCAN CONSTANT ROW") && !is_of_the_statement(step))
}

/// Whether a step reads the rows that the statement itself has: `SCAN 3-ROW VALUES CLAUSE`.
fn is_of_the_statement(step: &str) -> bool {
    step.ends_with("-ROW VALUES CLAUSE")
}
