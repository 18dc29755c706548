//! SQLite as storage uses it: who may write, what a transaction leaves, and what a commit waits for.

use std::{future, panic::AssertUnwindSafe};

use chrono::{DateTime, TimeDelta};
use tempfile::TempDir;

use super::*;
use crate::{
    model::ApprovalId,
    storage::{PollClaim, Store},
};

/// A file with a table of ids.
async fn file() -> (TempDir, Sqlite) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db").display().to_string();
    let sqlite = Sqlite::open(&path, &StoreSettings::default()).unwrap();
    let create = "create table users (id integer primary key)";
    sqlite.get_to_write().await.unwrap().batch_execute(create).await.unwrap();
    (folder, sqlite)
}

async fn insert(connection: &mut Connection<impl Purpose>) -> QueryResult<()> {
    connection.batch_execute("insert into users values (1)").await
}

/// What `pragma` says of a connection.
async fn asked(connection: &mut Connection<impl Purpose>, pragma: &str) -> i32 {
    let query = format!("(select * from pragma_{pragma})");
    let query = diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>(&query));
    diesel_async::RunQueryDsl::get_result(query, connection).await.unwrap()
}

#[tokio::test]
async fn a_connection_that_reads_is_refused_a_write() {
    let (_folder, sqlite) = file().await;
    let mut reading = sqlite.get().await.unwrap();
    let refused = insert(&mut reading).await.unwrap_err();
    assert_eq!(refused.to_string(), "attempt to write a readonly database");
}

#[tokio::test]
async fn whoever_only_looks_waits_for_a_lock_as_well() {
    let (folder, _sqlite) = file().await;
    let uri = format!("file:{}?mode=rw", folder.path().join("test.db").display());
    let looking = Sqlite::open_to_look(&uri, &StoreSettings::default()).unwrap();
    let mut connection = looking.get().await.unwrap();
    let patience = asked(&mut connection, "busy_timeout").await;
    assert_eq!(u128::try_from(patience).unwrap(), PATIENCE_OF_A_LOOK.as_millis());
}

#[tokio::test]
async fn what_fails_in_a_transaction_takes_all_of_it_back() {
    for commit in [Commit::Durable, Commit::Light] {
        let (_folder, sqlite) = file().await;
        let mut writing = sqlite.get_to_transact().await.unwrap();
        let failed = sqlite.transact(commit, &mut writing, async |conn| {
            insert(conn).await?;
            insert(conn).await
        });
        assert!(matches!(failed, Err(DieselError::DatabaseError(..))), "{commit:?}: {failed:?}");
        sqlite.transact(commit, &mut writing, async |conn| insert(conn).await).unwrap();
    }
}

#[tokio::test]
async fn where_sqlite_has_taken_it_back_already_the_reason_is_told_and_the_connection_given_up() {
    let (_folder, sqlite) = file().await;
    let mut writing = sqlite.get_to_write().await.unwrap();
    let failed = sqlite.transact(Commit::Durable, &mut writing, async |conn| {
        insert(conn).await?;
        conn.batch_execute("insert or rollback into users values (1)").await
    });
    let told = failed.unwrap_err().to_string();
    assert!(told.contains("UNIQUE constraint failed"), "{told}");
    drop(writing);
    sqlite
        .transact(Commit::Durable, &mut sqlite.get_to_transact().await.unwrap(), async |conn| {
            insert(conn).await
        })
        .unwrap();
}

#[tokio::test]
async fn a_connection_whose_transaction_did_not_end_is_not_used_again() {
    let (_folder, sqlite) = file().await;
    let panics = async {
        let mut writing = sqlite.get_to_write().await.unwrap();
        sqlite.transact(Commit::Durable, &mut writing, async |conn| {
            insert(conn).await?;
            future::pending().await
        })
    };
    let panicked: Result<QueryResult<()>, _> = AssertUnwindSafe(panics).catch_unwind().await;
    assert!(panicked.is_err());
    sqlite
        .transact(Commit::Durable, &mut sqlite.get_to_transact().await.unwrap(), async |conn| {
            insert(conn).await
        })
        .unwrap();
}

/// `pragma synchronous`.
const FULL: i32 = 2;
const NORMAL: i32 = 1;

#[tokio::test]
async fn a_light_commit_waits_for_no_disk_and_whatever_follows_does() {
    let (_folder, sqlite) = file().await;
    let mut writing = sqlite.get_to_transact().await.unwrap();
    for (commit, expected) in
        [(Commit::Durable, FULL), (Commit::Light, NORMAL), (Commit::Light, NORMAL), (Commit::Durable, FULL)]
    {
        let work = async |conn: &mut _| Ok::<_, DieselError>(asked(conn, "synchronous").await);
        assert_eq!(sqlite.transact(commit, &mut writing, work), Ok(expected), "{commit:?}");
    }
    sqlite.transact(Commit::Light, &mut writing, async |conn| insert(conn).await).unwrap();
    drop(writing);
    assert_eq!(asked(&mut sqlite.get_to_write().await.unwrap(), "synchronous").await, FULL);
}

#[tokio::test]
async fn where_another_process_writes_a_light_transaction_waits_as_others_do() {
    let (folder, sqlite) = file().await;
    let patient = Sqlite { patience: Duration::from_millis(7), ..sqlite };
    let path = folder.path().join("test.db").display().to_string();
    let other = Sqlite::open(&path, &StoreSettings::default()).unwrap();
    let mut other = other.get_to_write().await.unwrap();
    other.batch_execute(BEGIN).await.unwrap();
    let mut writing = patient.get_to_transact().await.unwrap();
    let locked = patient.transact(Commit::Light, &mut writing, async |conn| insert(conn).await);
    assert!(is_locked(&locked.unwrap_err()));
    assert_eq!(asked(&mut writing, "busy_timeout").await, 7, "it was ready to wait");
    other.batch_execute("commit").await.unwrap();
    patient.transact(Commit::Light, &mut writing, async |conn| insert(conn).await).unwrap();
    assert_eq!(asked(&mut writing, "busy_timeout").await, 0, "and otherwise is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_push_is_asked_about_is_stored_without_waiting_for_the_disk() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let store = Store::open(&url, &StoreSettings::default()).unwrap();
    store.migrate().await.unwrap();
    let Store::Sqlite(sqlite) = &store else { panic!("not SQLite") };
    let durability = async || {
        let mut writing = sqlite.get_to_transact().await.unwrap();
        let last = asked(&mut writing, "synchronous").await;
        drop(writing);
        // The next one begins from the other.
        drop(sqlite.get_to_write().await.unwrap());
        last
    };
    let now = DateTime::UNIX_EPOCH;
    store.ensure_turn("polling", now, TimeDelta::milliseconds(100)).await.unwrap();
    assert_eq!(durability().await, FULL);
    let later = now + TimeDelta::seconds(1);
    let claim = PollClaim {
        provider: "authy",
        lease: "polling",
        now,
        until: later,
        farthest: later,
        leased_until: later,
        limit: 1,
    };
    assert!(store.claim_polls(&claim).await.unwrap().pushes.is_empty());
    assert_eq!(durability().await, NORMAL);
    let id = ApprovalId::parse("01990000-0000-7000-8000-000000000000").unwrap();
    store.schedule_poll(id, Some(later)).await.unwrap();
    assert_eq!(durability().await, NORMAL);
}
