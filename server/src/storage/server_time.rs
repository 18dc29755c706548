//! The time of the database's server, for instances that share it.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, sql_query, sql_types::Timestamp};
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, columns::At};

/// The server's own time zone does not matter. Not `now()`, which is when the transaction began.
const READ: &str = "select (clock_timestamp() at time zone 'utc') as now";

/// How often the time is read for one measurement: the answer that took least says most.
const READINGS: usize = 5;

/// The time of the server, as it was read.
#[derive(Clone, Copy, Debug)]
pub struct ServerTime {
    /// The time there.
    pub at: DateTime<Utc>,
    /// When that was: half-way between the question and the answer.
    pub read_at: Instant,
    /// How far from the truth `at` may be: half of what the answer took.
    pub uncertainty: Duration,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Timestamp)]
    now: At,
}

impl Store {
    /// Reads the time of the server; `None` for SQLite, whose time is that of this machine.
    pub async fn read_server_time(&self) -> Result<Option<ServerTime>, StoreError> {
        let Self::Postgres(postgres) = self else { return Ok(None) };
        let connection = &mut *postgres.get_to_probe().await?;
        let mut best: Option<ServerTime> = None;
        for _ in 0..READINGS {
            let asked = Instant::now();
            let Row { now: At(at) } = sql_query(READ).get_result(&mut *connection).await?;
            let uncertainty = asked.elapsed() / 2;
            if best.is_none_or(|best| uncertainty < best.uncertainty) {
                best = Some(ServerTime { at, read_at: asked + uncertainty, uncertainty });
            }
        }
        Ok(best)
    }
}
