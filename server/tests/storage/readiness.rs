//! A database is ready where it takes what is written.

use countersign::model::Unavailable;

use super::*;

async fn a_database_that_refuses_to_write_is_not_ready(database: &Database) {
    assert!(database.store.probe_write().await.is_ok());
    assert!(database.store.probe_write().await.is_ok());
    match &database.home {
        Home::Folder(_) => {
            let Store::Sqlite(sqlite) = &database.store else { panic!("not SQLite") };
            let refuse = "create trigger refuse before update on write_probes
                begin select raise(abort, 'disk I/O error'); end";
            let mut connection = sqlite.get_to_write().await.unwrap();
            diesel_async::SimpleAsyncConnection::batch_execute(&mut *connection, refuse).await.unwrap();
        }
        Home::Cluster(cluster) => {
            // As after a failover: connections that were made before stay, and only read from now on.
            let name = database.url.rsplit('/').next().unwrap();
            let read_only = format!(
                "alter database {name} set default_transaction_read_only = on;
                 select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()"
            );
            cluster.execute(&read_only).await.unwrap();
        }
    }
    let error = database.store.probe_write().await.unwrap_err();
    // A server that went away is told apart from what is wrong with us.
    assert_eq!(Unavailable::is_cause_of(&error), database.store.is_shared(), "{error}");
}

on_both_databases! {
    afterwards nothing_is_counted:
    a_database_that_refuses_to_write_is_not_ready,
}
