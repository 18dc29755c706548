//! PostgreSQL in the field: servers that only read by now, other isolation levels, other encodings.

use countersign::{
    model::{Budget, Rate, Unavailable},
    storage::{ExaminedKind, StoreError, Taking},
};
use diesel_async::SimpleAsyncConnection;

use super::{budgets::taking, *};

fn five() -> Taking {
    taking("codes", Budget::strict(Rate { count: 5, per: Duration::from_hours(1) }))
}

async fn take(store: &Store, now: DateTime<Utc>) -> Result<bool, StoreError> {
    store.take_budgets(&[five()], now).await.map(|taken| taken.is_ok())
}

/// The database with a setting that its next connections have.
async fn with_setting(setting: &str) -> Option<Database> {
    let database = Database::postgres().await?;
    let name = database.url.rsplit('/').next().unwrap();
    database.home.execute(&format!("alter database {name} set {setting}")).await.unwrap();
    let store = Store::open(&database.url, &settings()).unwrap();
    Some(Database { store, ..database })
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_one_statement_fails_and_no_connection_is_kept() {
    let Some(database) = Database::postgres().await else { return };
    let Store::Postgres(pool) = &database.store else { panic!("not PostgreSQL") };
    let mut connections = Vec::new();
    for _ in 0..settings().database_pool_size {
        connections.push(pool.get().await.unwrap());
    }
    for connection in &mut connections {
        // What a server does that follows another from now on.
        connection.batch_execute("set session characteristics as transaction read only").await.unwrap();
    }
    drop(connections);
    let error = take(&database.store, database.now).await.unwrap_err();
    assert!(Unavailable::is_cause_of(&error), "{error}");
    for _ in 0..5 {
        assert!(take(&database.store, database.now).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_reads_is_looked_at_and_not_used() {
    let Some(database) = with_setting("default_transaction_read_only = on").await else { return };
    let error = take(&database.store, database.now).await.unwrap_err();
    assert!(matches!(error, StoreError::Connect(_)), "{error}");
    let looking = Store::open_to_look(&database.url, &settings()).unwrap();
    let ExaminedKind::Postgres(server) = looking.examine().await.unwrap().kind else { panic!("SQLite") };
    assert!(server.is_read_only);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_isolation_level_of_the_database_is_not_ours() {
    let Some(database) = with_setting("default_transaction_isolation = serializable").await else { return };
    let taking = (0..50).map(|_| {
        let (store, now) = (database.store.clone(), database.now);
        #[expect(clippy::disallowed_methods, reason = "it is waited for")]
        tokio::spawn(async move { take(&store, now).await })
    });
    let taken = futures_util::future::join_all(taking).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap().as_ref().unwrap()).count(), 5);
}

/// Has the next transactions that take fail as PostgreSQL says it.
async fn conflicts(database: &Database, count: u32) {
    let trigger = format!(
        "create sequence conflicts;
         create function conflict() returns trigger language plpgsql as $$ begin
             if nextval('conflicts') <= {count} then
                 raise exception using errcode = '40001';
             end if;
             return new;
         end $$;
         create trigger conflict before insert on rate_limits for each row execute function conflict()"
    );
    database.home.execute(&trigger).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_conflicts_with_others_is_run_again() {
    let Some(database) = Database::postgres().await else { return };
    conflicts(&database, 4).await;
    assert!(take(&database.store, database.now).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_conflicts_again_and_again_is_given_up() {
    let Some(database) = Database::postgres().await else { return };
    conflicts(&database, 1_000).await;
    let error = take(&database.store, database.now).await.unwrap_err();
    assert!(Unavailable::is_cause_of(&error), "{error}");
    database.home.execute("do $$ begin assert nextval('conflicts') = 6; end $$").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_utf_8_is_refused() {
    let Some(database) = Database::postgres().await else { return };
    let name = format!("{}_latin1", database.url.rsplit('/').next().unwrap());
    let create =
        format!("create database {name} template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'");
    database.home.execute(&create).await.unwrap();
    let (server, _) = database.url.rsplit_once('/').unwrap();
    let store = Store::open(&format!("{server}/{name}"), &settings()).unwrap();
    for refused in [store.migrate().await.map(|_| ()), store.check_encoding().await] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("LATIN1") && error.contains("UTF8"), "{error}");
    }
    let ExaminedKind::Postgres(examined) = store.examine().await.unwrap().kind else { panic!("SQLite") };
    assert_eq!(examined.encoding, "LATIN1");
    drop(store);
    database.home.execute(&format!("drop database {name} with (force)")).await.unwrap();
    assert!(database.store.check_encoding().await.is_ok());
}
