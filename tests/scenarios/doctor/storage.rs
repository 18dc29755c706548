//! What the doctor says of databases.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use countersign::storage::{Store, StoreSettings};
use diesel_async::SimpleAsyncConnection;
use harness::{Database, Person, say_nothing};

use super::{CALM, allow, assert_one_failure, assert_one_warning, assert_told, calm, lines, split};

const PASSWORD: &str = "password-of-the-database-0123456789";

/// The databases of a folder with what belongs to them, but for the memory that processes share.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".db") && !path.to_string_lossy().ends_with("-shm"))
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_database_that_is_not_there_yet_is_not_made() {
    let world = split(Database::Sqlite).await;
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", "sqlite:new.db")])).await;
    assert_one_failure(&finished, &["database", "there is no file new.db", "run: countersign migrate"]);
    assert_told(&finished, "-", &["schema"]);
    assert!(!world.folder().join("new.db").exists());
    symlink("nowhere/far.db", world.folder().join("link.db")).unwrap();
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", "sqlite:link.db")])).await;
    assert_one_failure(&finished, &["link.db leads to nowhere/far.db, and there is no such file"]);
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", "sqlite:nowhere/new.db")])).await;
    assert_one_failure(&finished, &["the folder nowhere does not exist"]);
}

#[tokio::test]
async fn a_file_is_left_byte_for_byte_as_it_was() {
    let mut world = split(Database::Sqlite).await;
    world.terminate_service().await;
    let before = contents(world.folder());
    let finished = world.doctor(&[], &CALM).await;
    assert_told(&finished, "ok", &["database", "journal wal"]);
    assert_told(&finished, "ok", &["schema"]);
    assert!(contents(world.folder()) == before, "a file was changed, made or removed");
    // Nor is what a killed service has left behind moved into the file.
    world.start_service().await;
    world.sign_up(&Person::new()).await;
    world.kill_service().await;
    let before = contents(world.folder());
    assert_eq!(before.len(), 2, "a killed service leaves a file with its log");
    assert_told(&world.doctor(&[], &CALM).await, "ok", &["database", "journal wal"]);
    assert!(contents(world.folder()) == before, "what a killed service has left was touched");
    // Nor where only a link leads to it, beside which there is no log.
    let links = world.folder().join("links");
    fs::create_dir(&links).unwrap();
    symlink("../countersign.db", links.join("link.db")).unwrap();
    let linked = world.doctor(&[], &calm(&[("DATABASE_URL", "sqlite:links/link.db")])).await;
    assert_told(&linked, "ok", &["database", "journal wal"]);
    assert!(contents(world.folder()) == before, "what a killed service has left was touched by a link");
    assert_eq!(fs::read_dir(&links).unwrap().count(), 1);
    // Nor is a file switched to another journal.
    fs::write(world.folder().join("empty.db"), "").unwrap();
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", "sqlite:empty.db")])).await;
    assert_one_failure(&finished, &["schema", "pending", "run: countersign migrate"]);
    assert_eq!(fs::read(world.folder().join("empty.db")).unwrap(), b"");
}

#[tokio::test]
async fn a_file_of_something_else_is_told() {
    let world = split(Database::Sqlite).await;
    fs::write(world.folder().join("other.db"), "a shopping list ".repeat(500)).unwrap();
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", "sqlite:other.db")])).await;
    assert_one_failure(&finished, &["database", "file is not a database"]);
}

#[tokio::test]
async fn a_disk_that_never_answers_ends_nothing_but_its_own_line() {
    let world = split(Database::Sqlite).await;
    // Whoever opens a pipe to read waits for somebody who writes. A log beside the file has it opened so.
    let pipe = world.folder().join("pipe.db");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(world.folder().join("pipe.db-wal"), "").unwrap();
    let silent = format!("http://127.0.0.1:{}", say_nothing());
    let changes =
        [("DATABASE_URL", "sqlite:pipe.db"), ("AUTHY_API_URL", &silent), ("PROVIDER_TIMEOUT", "1s")];
    let finished = world.doctor(&[], &calm(&changes)).await;
    assert_told(&finished, "FAIL", &["database", "waits without an end", "disk"]);
    assert_told(&finished, "FAIL", &["provider", "does not answer within"]);
    assert_told(&finished, "ok", &["public url"]);
    assert_eq!((finished.code, lines(&finished, "FAIL").len()), (Some(1), 2), "{}", finished.output);
}

#[tokio::test]
async fn a_newer_schema_is_told() {
    let world = split(Database::Sqlite).await;
    let url = format!("sqlite:{}", world.folder().join("countersign.db").display());
    let Store::Sqlite(file) = Store::open(&url, &StoreSettings::default()).unwrap() else { unreachable!() };
    let newer = "insert into __diesel_schema_migrations (version) values ('29990101000001')";
    file.get_to_write().await.unwrap().batch_execute(newer).await.unwrap();
    let finished = world.doctor(&[], &CALM).await;
    assert_one_failure(&finished, &["schema", "newer than this binary", "29990101000001"]);
}

#[tokio::test]
async fn a_file_that_every_user_may_read_is_told() {
    let world = split(Database::Sqlite).await;
    let file = world.folder().join("countersign.db");
    allow(world.folder(), 0o755);
    allow(&file, 0o644);
    assert_one_warning(&world.doctor(&[], &CALM).await, &["every user", "chmod o-rwx countersign.db"]);
    allow(&file, 0o640);
    assert_eq!(world.doctor(&[], &CALM).await.output.matches("WARN").count(), 0);
    // Who cannot pass the folder cannot read the file.
    allow(&file, 0o644);
    allow(world.folder(), 0o750);
    assert_eq!(world.doctor(&[], &CALM).await.output.matches("WARN").count(), 0);
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_is_told_without_its_password() {
    let world = split(Database::Sqlite).await;
    world.planted.plant("password of a database", PASSWORD);
    let away = format!("postgres://me:{PASSWORD}@127.0.0.1:1/login");
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", &away), ("LOG_LEVEL", "trace")])).await;
    assert_one_failure(&finished, &["database", "PostgreSQL cannot be used", "refused"]);
    let silent = format!("postgres://me:{PASSWORD}@127.0.0.1:{}/login", say_nothing());
    let changes = calm(&[("DATABASE_URL", &silent), ("DATABASE_CONNECT_TIMEOUT", "300ms")]);
    let finished = world.doctor(&[], &changes).await;
    assert_one_failure(&finished, &["database", "does not answer", "says nothing"]);
    assert_told(&finished, "-", &["schema"]);
    // However long the service would wait.
    let changes = calm(&[("DATABASE_URL", &silent), ("DATABASE_CONNECT_TIMEOUT", "1h")]);
    assert_one_failure(&world.doctor(&[], &changes).await, &["database", "does not answer"]);
}

#[tokio::test]
async fn a_server_is_looked_at_and_its_schema_too() {
    let (Some(database), Some(other)) = (Database::postgres().await, Database::postgres().await) else {
        return;
    };
    let Database::Postgres(empty) = &other else { unreachable!() };
    let world = split(database).await;
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", empty.url())])).await;
    assert_one_failure(&finished, &["schema", "pending", "run: countersign migrate"]);
    let is_touched = "do $$ begin if exists (select from pg_tables where schemaname = 'public') \
                      then raise 'there is a table'; end if; end $$";
    assert_eq!(empty.execute(is_touched).await, Ok(()));

    let joint = if empty.url().contains('?') { '&' } else { '?' };
    let read_only = format!("{}{joint}options=-c%20default_transaction_read_only%3Don", empty.url());
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", &read_only)])).await;
    assert_told(&finished, "FAIL", &["database", "refuses to write"]);
    let mut nobody = url::Url::parse(empty.url()).unwrap();
    nobody.set_username("nobody-of-that-name").unwrap();
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", nobody.as_str())])).await;
    assert_one_failure(&finished, &["database", "nobody-of-that-name"]);
    let finished = world.doctor(&[], &calm(&[("DATABASE_POOL_SIZE", "1000")])).await;
    assert_one_warning(&finished, &["database", "1002 connections", "DATABASE_POOL_SIZE"]);
}

#[tokio::test]
async fn a_role_that_may_not_use_the_tables_is_told() {
    let Some(database) = Database::postgres().await else { return };
    let Database::Postgres(served) = &database else { unreachable!() };
    let url = served.url().to_owned();
    let world = split(database).await;
    let joint = if url.contains('?') { '&' } else { '?' };
    let as_role = |role: &str| format!("{url}{joint}options=-c%20role%3D{role}");
    // Roles that every server has: one may read all tables, the other none of them.
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", &as_role("pg_read_all_data"))])).await;
    assert_one_failure(
        &finished,
        &["schema", "may not", "insert, update on users", "delete, insert on pending_signups"],
    );
    assert!(!finished.output.contains("__diesel_schema_migrations"), "{}", finished.output);
    let finished = world.doctor(&[], &calm(&[("DATABASE_URL", &as_role("pg_monitor"))])).await;
    assert_one_failure(&finished, &["schema", "select on __diesel_schema_migrations", "grant select"]);
    assert_told(&finished, "FAIL", &["delete, insert, select, update on approvals"]);
}
