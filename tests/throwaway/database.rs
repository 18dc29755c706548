//! One database of a cluster, empty at first and gone when it is dropped.

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use url::Url;

use crate::programs::random;

/// A database of one's own. Dropping it drops it, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    url: Url,
    /// A database of the same server that is always there.
    neighbour: Url,
}

impl Database {
    pub(crate) async fn create(neighbour: &Url) -> Self {
        let name = format!("test_{:020}", random());
        // Text sorts by its bytes, as everywhere else.
        let locale = "template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'";
        execute(neighbour, &format!("create database {name} {locale}")).await.unwrap();
        let mut url = neighbour.clone();
        url.set_path(&name);
        Self { url, neighbour: neighbour.clone() }
    }

    /// How to reach it: `postgres://…`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// What stands in its URL and must not stand in a log, if it is a real secret.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.url.password().filter(|password| password.starts_with("password-"))
    }

    /// Executes a statement on a connection of its own. Says why it cannot.
    pub async fn execute(&self, statement: &str) -> Result<(), String> {
        execute(&self.url, statement).await
    }
}

/// A transaction that is held open, with the locks that it took. Dropping it gives them back.
pub struct Held(#[expect(dead_code, reason = "it is held")] AsyncPgConnection);

impl Database {
    /// Begins a transaction with this statement, on a connection of its own.
    pub async fn hold(&self, statement: &str) -> Held {
        let mut connection = AsyncPgConnection::establish(self.url.as_str()).await.unwrap();
        connection.batch_execute(&format!("begin; {statement}")).await.unwrap();
        Held(connection)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.url.path().trim_start_matches('/').to_owned();
        let neighbour = self.neighbour.clone();
        let dropping = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // A cluster that was stopped takes its databases with it.
            let _ = runtime.block_on(execute(&neighbour, &format!("drop database {name} with (force)")));
        };
        // A thread of its own: this one may belong to a runtime, which does not wait in a drop.
        let _ = std::thread::spawn(dropping).join();
    }
}

async fn execute(url: &Url, statement: &str) -> Result<(), String> {
    let connection = AsyncPgConnection::establish(url.as_str()).await;
    let mut connection = connection.map_err(|error| format!("PostgreSQL is not there: {error}"))?;
    connection.batch_execute(statement).await.map_err(|error| format!("{statement}: {error}"))
}
