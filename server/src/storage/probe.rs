//! Whether the database takes what is written: one small row, written and committed.
//!
//! Reading says too little: a server that only follows another one is read, and so is a disk that is full. An answer is bounded
//! in time.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, schema::write_probes, sqlite::Commit};

/// A database that takes longer to answer is as good as away.
const WITHIN: Duration = Duration::from_secs(2);

/// How many rows instances are spread over, so that few wait for each other's commits.
const SLOTS: u32 = 16;

impl Store {
    /// Writes and commits a row. The error says why that is impossible.
    pub async fn probe_write(&self) -> Result<(), StoreError> {
        tokio::time::timeout(WITHIN, self.write_probe()).await.map_err(|_| StoreError::timed_out(WITHIN))?
    }

    async fn write_probe(&self) -> Result<(), StoreError> {
        let slot = i32::try_from(std::process::id() % SLOTS).unwrap_or_default();
        let upsert = diesel::insert_into(write_probes::table)
            .values((write_probes::slot.eq(slot), write_probes::count.eq(1)))
            .on_conflict(write_probes::slot)
            .do_update()
            .set(write_probes::count.eq(write_probes::count + 1));
        match self {
            Self::Sqlite(sqlite) => {
                sqlite.check_room()?;
                let connection = &mut *sqlite.get_to_transact().await?;
                // It need not survive a power cut, so it does not wait for the disk; that the disk is full is told all the same.
                sqlite.transact(Commit::Light, connection, async |conn| upsert.execute(conn).await)?;
            }
            Self::Postgres(postgres) => {
                upsert.execute(&mut *postgres.get_to_probe().await?).await?;
            }
        }
        Ok(())
    }
}
