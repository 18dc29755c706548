//! The file of SQLite: who may read it, and which processes use it at once.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use countersign::storage::process_using;
use throwaway::require;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_may_read_a_new_file_and_those_beside_it() {
    let database = Database::sqlite().await;
    let path = database.url.strip_prefix("sqlite:").unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{path}{suffix}")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_those_who_migrate_a_file_at_once_each_waits_for_the_others() {
    for _ in 0..5 {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("new.db").display());
        let migrating = (0..4).map(|_| {
            let store = Store::open(&url, &settings()).unwrap();
            #[expect(clippy::disallowed_methods, reason = "it is waited for")]
            tokio::spawn(async move { store.migrate().await.unwrap().len() })
        });
        let ran: Vec<usize> =
            futures_util::future::join_all(migrating).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(ran.iter().sum::<usize>(), migration_count(), "{ran:?}");
    }
}

/// Another process, and another build of SQLite.
const OPEN_AND_WAIT: &str = "
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute('select count(*) from users').fetchall()
print('open', flush=True)
sys.stdin.read()";

#[tokio::test(flavor = "multi_thread")]
async fn another_process_that_has_the_file_open_is_found() {
    let Database { url, store, home, .. } = Database::sqlite().await;
    let path = Path::new(url.strip_prefix("sqlite:").unwrap());
    drop(store);
    assert_eq!(process_using(path), None);
    let python = Command::new("python3")
        .args(["-c", OPEN_AND_WAIT, path.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let found = python.map_err(|error| format!("python3 cannot be run: {error}"));
    let Some(mut python) = require("python", found) else { return };
    let mut line = String::new();
    BufReader::new(python.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(process_using(path), Some(i32::try_from(python.id()).unwrap()));
    drop(python.stdin.take());
    python.wait().unwrap();
    assert_eq!(process_using(path), None);
    drop(home);
}
