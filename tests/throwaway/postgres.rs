//! A PostgreSQL of one's own: a cluster, in which each test makes databases.
//!
//! Tests share one cluster for each process; a test that stops its cluster starts one for itself. `TEST_POSTGRES_URL`
//! names a server to be used as the shared one; the others are made from the programs found.

use std::path::PathBuf;

use tokio::sync::OnceCell;
use url::Url;

use crate::{
    certificate::Certificate,
    database::Database,
    programs::{folder_of, free_port, random},
    watchdog::{Plan, Watchdog},
};

/// Whatever else happens, the machine does not fail: it is enough that the system has what was written.
const SETTINGS: [&str; 6] = [
    "fsync=off",
    "full_page_writes=off",
    "max_connections=300",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "log_statement=none",
];
/// With certificates.
const TLS: [&str; 4] =
    ["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key", "ssl_ca_file=../authority.pem"];

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Cluster {
    /// A database that is always there.
    url: Url,
    /// None where somebody else runs it.
    watchdog: Option<Watchdog>,
}

impl Cluster {
    /// The cluster that all tests of this process share. What was committed is lost if it is killed, and nobody kills
    /// it. Says what is missing where there is none, for [`require`](crate::require) with the name `postgres`.
    pub async fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceCell<Result<Cluster, String>> = OnceCell::const_new();
        let shared = SHARED.get_or_init(async || {
            #[expect(clippy::disallowed_methods, reason = "it is a setting of the tests, not of the server")]
            match std::env::var("TEST_POSTGRES_URL") {
                Ok(url) => match Url::parse(&url) {
                    Ok(url) => Ok(Self { url, watchdog: None }),
                    Err(_) => Err("TEST_POSTGRES_URL is no URL".to_owned()),
                },
                Err(_) => Self::run(&["synchronous_commit=off"], None).await,
            }
        });
        shared.await.as_ref().map_err(Clone::clone)
    }

    /// A cluster of one's own, to be stopped: what was committed survives that.
    pub async fn start() -> Result<Self, String> {
        Self::run(&["synchronous_commit=on"], None).await
    }

    /// A cluster of one's own that can speak TLS, with a certificate for `localhost` alone: at `127.0.0.1` it does not
    /// fit.
    pub async fn start_with_tls() -> Result<Self, String> {
        let certificate =
            Certificate::new("localhost").map_err(|error| format!("no certificate: {error}"))?;
        Self::run(&TLS, Some(certificate)).await
    }

    async fn run(settings: &[&str], certificate: Option<Certificate>) -> Result<Self, String> {
        let Some(folder) = folder_of(&["initdb", "postgres"]) else {
            return Err("there is no PostgreSQL: install it, or set TEST_POSTGRES_URL".to_owned());
        };
        let port = free_port();
        let mut command = vec![folder.join("postgres").display().to_string()];
        command.extend(["-D", "data", "-p", &port.to_string()].map(str::to_owned));
        for setting in SETTINGS.iter().chain(settings) {
            command.extend(["-c".to_owned(), (*setting).to_owned()]);
        }
        let host = if certificate.is_some() { "localhost" } else { "127.0.0.1" };
        let watchdog = Watchdog::start(Plan {
            command,
            prepare: prepare(&folder.join("initdb").display().to_string(), certificate.as_ref()),
            ready: "database system is ready to accept connections",
            // PostgreSQL's immediate shutdown.
            stop: "QUIT",
            instead_of_root: Some("postgres"),
        });
        // Nobody asks for the password. It is there to be searched for in logs.
        let password = random();
        let url = format!("postgres://postgres:password-{password:020}@{host}:{port}/postgres");
        Ok(Self { url: Url::parse(&url).unwrap(), watchdog: Some(watchdog.await?) })
    }

    /// Makes an empty database of one's own.
    pub async fn create_database(&self) -> Database {
        Database::create(&self.url).await
    }

    /// The PEM file of the authority that has signed the server's certificate, where it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> Option<PathBuf> {
        self.watchdog
            .as_ref()
            .map(|watchdog| watchdog.folder().join("authority.pem"))
            .filter(|file| file.is_file())
    }

    /// Stops it as `pg_ctl stop -m immediate` does: nobody is told, and nothing is finished.
    pub async fn stop_immediate(&self) {
        self.own().stop().await;
    }

    /// Starts it again, where it was and with what it had.
    pub async fn start_again(&self) {
        self.own().start_again().await;
    }

    fn own(&self) -> &Watchdog {
        self.watchdog
            .as_ref()
            .unwrap_or_else(|| panic!("the server of TEST_POSTGRES_URL is not ours to stop"))
    }
}

/// What is done in the folder before the first start.
fn prepare(initdb: &str, certificate: Option<&Certificate>) -> String {
    let mut commands = vec![format!(
        "'{initdb}' --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync"
    )];
    if let Some(Certificate { authority, server, server_key }) = certificate {
        let files = [("authority.pem", authority), ("server.pem", server), ("server.key", server_key)];
        // PostgreSQL refuses a key that others can read.
        commands.push("umask 077".to_owned());
        commands.extend(files.map(|(file, text)| format!("printf '%s' '{text}' >{file}")));
    }
    commands.join(" && ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::require;

    #[tokio::test]
    async fn what_was_committed_survives_an_immediate_stop() {
        let Some(cluster) = require("postgres", Cluster::start().await) else { return };
        let database = cluster.create_database().await;
        database.execute("create table kept (number integer primary key)").await.unwrap();
        for number in 0..10 {
            database.execute(&format!("insert into kept values ({number})")).await.unwrap();
            cluster.stop_immediate().await;
            assert!(database.execute("select 1").await.is_err());
            cluster.start_again().await;
            // It would succeed if the row were lost.
            assert!(database.execute(&format!("insert into kept values ({number})")).await.is_err());
        }
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_cluster_that_is_dropped() {
        let Some(cluster) = require("postgres", Cluster::start_with_tls().await) else { return };
        let (database, authority) = (cluster.create_database().await, cluster.authority().unwrap());
        assert!(authority.is_file());
        drop(cluster);
        assert!(!authority.parent().unwrap().exists());
        assert!(database.execute("select 1").await.is_err());
    }

    #[tokio::test]
    async fn a_database_is_gone_when_it_is_dropped() {
        let Some(cluster) = require("postgres", Cluster::shared().await) else { return };
        let (first, second) = (cluster.create_database().await, cluster.create_database().await);
        let name = Url::parse(first.url()).unwrap().path().trim_start_matches('/').to_owned();
        let divide = format!("select 1 / count(*) from pg_database where datname = '{name}'");
        second.execute(&divide).await.unwrap();
        drop(first);
        assert!(second.execute(&divide).await.is_err());
    }
}
