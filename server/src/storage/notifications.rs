//! LISTEN and NOTIFY: short messages between the clients of one PostgreSQL database. They may get lost.

use std::pin::pin;

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::StreamExt;

use super::{Store, StoreError};

/// The messages of one channel, as long as the connection lasts.
pub struct Notifications {
    /// Outside the pool: it listens for as long as it lives.
    connection: AsyncPgConnection,
}

impl Store {
    /// Whether other processes may work on the same database, and can be sent messages through it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Sends a message of less than 8,000 bytes to whoever listens. On SQLite nobody does.
    pub async fn notify(&self, channel: &str, message: &str) -> Result<(), StoreError> {
        if let Self::Postgres(pool) = self {
            diesel::sql_query("select pg_notify($1, $2)")
                .bind::<Text, _>(channel)
                .bind::<Text, _>(message)
                .execute(&mut *pool.get().await?)
                .await?;
        }
        Ok(())
    }

    /// Listens, on a connection of its own, for messages that are sent from now on.
    ///
    /// `channel` is a plain lower-case word of ours. On SQLite nothing ever comes, and the error says so.
    pub async fn listen(&self, channel: &'static str) -> Result<Notifications, StoreError> {
        let Self::Postgres(postgres) = self else {
            return Err(StoreError::NoNotifications);
        };
        let mut connection = postgres.connect().await?;
        connection.batch_execute(&format!("listen {channel}")).await?;
        Ok(Notifications { connection })
    }
}

impl Notifications {
    /// The next message; `None` where the connection is lost.
    pub async fn next(&mut self) -> Option<String> {
        let mut notifications = pin!(self.connection.notifications_stream());
        notifications.next().await?.ok().map(|notification| notification.payload)
    }
}
