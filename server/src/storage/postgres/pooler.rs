//! Whether a pooler stands before the server that shares connections by the transaction.
//!
//! Two connections that are open at once have two processes of the server. Where they are found in one, somebody in between takes turns.

use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage, Socket, tls::MakeTlsConnect};

use super::{Connector, Postgres, StoreError};
use crate::model::Unavailable;

/// How often both are asked: a pooler with several connections of its own may hand out another one.
const ASKED: usize = 4;

impl Postgres {
    /// Whether a pooler in transaction mode stands in between.
    pub(in crate::storage) async fn is_shared_by_transaction(&self) -> Result<bool, StoreError> {
        let connector = &self.connector;
        let comparing = async {
            match connector.tls.clone() {
                Some(tls) => compare(connector, tls).await,
                None => compare(connector, NoTls).await,
            }
        };
        tokio::time::timeout(connector.timeout, comparing)
            .await
            .map_err(|_| StoreError::timed_out(connector.timeout))?
            .map_err(|error| StoreError::Connect(Unavailable::new(error)))
    }
}

async fn compare<Tls>(connector: &Connector, tls: Tls) -> Result<bool, Error>
where
    Tls: MakeTlsConnect<Socket> + Clone,
{
    let (first, first_connection) = connector.config.connect(tls.clone()).await?;
    let (second, second_connection) = connector.config.connect(tls).await?;
    let asking = async {
        for _ in 0..ASKED {
            if process_of(&first).await? == process_of(&second).await? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    tokio::select! {
        found = asking => found,
        ended = first_connection => ended.map(|()| false),
        ended = second_connection => ended.map(|()| false),
    }
}

/// Asked in the simple protocol, which leaves no prepared statement behind.
async fn process_of(client: &Client) -> Result<Option<String>, Error> {
    let told = client.simple_query("select pg_backend_pid()").await?;
    Ok(told.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
