//! PostgreSQL as its operators meet it: TLS, wrong passwords, restarts, and a schema that does not fit.

use std::path::Path;

use harness::{Database, Finished, Person, World, in_time, require, run};
use tempfile::TempDir;
use throwaway::Cluster;
use url::Url;

/// What stands in every URL here and must stand in no message.
const PASSWORD: &str = "a-password-that-nobody-may-see";

async fn migrate(url: &str, folder: &TempDir) -> Finished {
    run("server-under-test", &["migrate"], &[("DATABASE_URL", url)], folder.path()).await
}

/// The URL with this password and these parameters.
fn with(url: &str, parameters: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    format!("{url}?{parameters}")
}

fn trusting(authority: &Path) -> String {
    format!("sslmode=verify-full&sslrootcert={}", authority.display())
}

/// It failed with one line that names the setting, says why, and shows no password.
fn assert_failed(finished: &Finished, code: i32, why: &str) {
    assert_eq!((finished.code, finished.output.as_str()), (Some(code), ""), "{}", finished.log);
    assert_eq!(finished.log.lines().count(), 1, "{}", finished.log);
    assert!(finished.log.contains("DATABASE_URL") && finished.log.contains(why), "{}", finished.log);
    assert!(!finished.log.contains(PASSWORD), "{}", finished.log);
}

#[tokio::test]
async fn tls_is_spoken_with_a_server_whose_authority_is_trusted_and_whose_name_fits() {
    let Some(cluster) = require("postgres", Cluster::start_with_tls().await) else { return };
    let (database, folder) = (cluster.create_database().await, TempDir::new().unwrap());
    let (authority, url) = (cluster.authority().unwrap(), database.url());
    let trusted = migrate(&with(url, &trusting(&authority)), &folder).await;
    assert_eq!(trusted.code, Some(0), "{}", trusted.log);
    // Stricter than libpq: whoever asks for TLS has the certificate checked.
    for mode in ["require", "verify-ca", "verify-full"] {
        let unknown = migrate(&with(url, &format!("sslmode={mode}")), &folder).await;
        assert_failed(&unknown, 1, "certificate");
    }
    let elsewhere = url.replace("localhost", "127.0.0.1");
    let misnamed = migrate(&with(&elsewhere, &trusting(&authority)), &folder).await;
    assert_failed(&misnamed, 1, "certificate");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let Some(cluster) = require("postgres", Cluster::shared().await) else { return };
    let (database, folder) = (cluster.create_database().await, TempDir::new().unwrap());
    let plain = migrate(&with(database.url(), "sslmode=verify-full"), &folder).await;
    assert_failed(&plain, 1, "TLS");
}

#[tokio::test]
async fn what_is_wrong_with_a_url_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    for (url, why) in [
        (format!("postgres://me:{PASSWORD}@localhost/x?sslmode=prefer"), "sslmode"),
        (format!("postgres://me:{PASSWORD}@localhost:port/x"), "URL"),
        (format!("postgres://me:{PASSWORD}@localhost/x?sslrootcert=/nowhere"), "sslrootcert"),
    ] {
        assert_failed(&migrate(&url, &folder).await, 2, why);
    }
    let authority = with("postgres://me@localhost/x", "sslmode=verify-full&sslrootcert=/nowhere.pem");
    assert_failed(&migrate(&authority, &folder).await, 1, "sslrootcert");
    let nobody = format!("postgres://me:{PASSWORD}@127.0.0.1:1/x");
    assert_failed(&migrate(&nobody, &folder).await, 1, "refused");
}

#[tokio::test]
async fn a_service_goes_on_when_postgresql_has_been_restarted() {
    let Some(cluster) = require("postgres", Cluster::start().await) else { return };
    let database = Database::Postgres(cluster.create_database().await);
    let (world, person) = (World::builder(database).split().start().await, Person::new());
    let session = world.sign_up(&person).await;
    let signed_in = world.client.with_bearer(session.token);
    for _ in 0..3 {
        cluster.stop_immediate().await;
        assert!(in_time(signed_in.me()).await.is_err());
        cluster.start_again().await;
        // The first request already: no connection that died is handed out.
        assert_eq!(signed_in.me().await.unwrap().as_ref(), Some(&session.user));
    }
}

#[tokio::test]
async fn a_schema_that_does_not_fit_is_refused() {
    let Some(cluster) = require("postgres", Cluster::shared().await) else { return };
    let (database, folder) = (cluster.create_database().await, TempDir::new().unwrap());
    let settings = [
        ("DATABASE_URL", database.url()),
        ("AUTHY_API_KEY", "key-0123456789"),
        ("PUBLIC_URL", "https://login.example.com"),
        ("LISTEN", "127.0.0.1:0"),
    ];
    let serve = async || run("server-under-test", &["serve"], &settings, folder.path()).await;
    let empty = serve().await;
    assert_eq!((empty.code, empty.output.as_str()), (Some(1), ""), "{}", empty.log);
    assert!(empty.log.contains("run `countersign migrate`"), "{}", empty.log);
    assert_eq!(migrate(database.url(), &folder).await.code, Some(0));
    database
        .execute("insert into __diesel_schema_migrations (version) values ('29990101000001')")
        .await
        .unwrap();
    for finished in [serve().await, migrate(database.url(), &folder).await] {
        assert_eq!((finished.code, finished.output.as_str()), (Some(1), ""), "{}", finished.log);
        assert!(finished.log.contains("newer than this binary") && finished.log.contains("29990101000001"));
    }
}
