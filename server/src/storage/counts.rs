//! What is counted of the database: who waits for a connection, and what it did not do.

use metrics::{counter, histogram};
use tokio::time::Instant;

/// Waits for a connection, and measures for how long.
pub(super) async fn waited<Connection>(connecting: impl Future<Output = Connection>) -> Connection {
    let since = Instant::now();
    let connection = connecting.await;
    histogram!("countersign_database_wait_seconds").record(since.elapsed());
    connection
}

/// Counts what the database did not do, when it becomes an error of ours.
pub(super) fn count_error(kind: &'static str) {
    counter!("countersign_database_errors_total", "kind" => kind).increment(1);
}
