//! Two ways to drive a server: as fast as it answers (closed loop), and at a pace that does not care how it fares (open
//! loop). Each answer is compared with the one that is right.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use hyper::body::Bytes;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    connection::{Connection, Prepared},
    latencies::Latencies,
};

/// Connections of a driver that keeps a pace: more than are ever in use unless the server stalls.
const AT_A_PACE: usize = 32;

/// A request, and its right answer.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) prepared: Prepared,
    pub(crate) answer: Bytes,
}

impl Question {
    /// Asks once; the answer is right if it holds this text.
    pub(crate) async fn with_answer_holding(
        address: &str,
        prepared: Prepared,
        text: &str,
    ) -> anyhow::Result<Self> {
        let answer = Connection::open(address).await?.ask(&prepared).await?;
        let told = String::from_utf8_lossy(&answer);
        ensure!(told.contains(text), "{told} does not hold {text}");
        Ok(Self { prepared, answer })
    }

    async fn ask(&self, connection: &mut Connection) -> anyhow::Result<()> {
        let answer = connection.ask(&self.prepared).await?;
        ensure!(answer == self.answer, "another answer: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }
}

/// How fast a server answered.
pub(crate) struct Rate {
    pub(crate) answers: u64,
    pub(crate) took: Duration,
}

impl Rate {
    pub(crate) fn a_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
        let answers = self.answers as f64;
        answers / self.took.as_secs_f64()
    }
}

/// Asks over so many connections, each at once when it was answered, for so long.
pub(crate) async fn as_fast_as_possible(
    address: &str,
    question: &Question,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Rate> {
    let mut asking = JoinSet::new();
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    for mut connection in open {
        let question = question.clone();
        asking.spawn(async move {
            let mut answers = 0;
            while begun.elapsed() < length {
                question.ask(&mut connection).await?;
                answers += 1;
            }
            anyhow::Ok(answers)
        });
    }
    let answers = sum(asking).await?;
    Ok(Rate { answers, took: begun.elapsed() })
}

async fn sum(mut asking: JoinSet<anyhow::Result<u64>>) -> anyhow::Result<u64> {
    let mut sum = 0;
    while let Some(answers) = asking.join_next().await {
        sum += answers??;
    }
    Ok(sum)
}

/// Asks so often a second, for so long, whether or not earlier questions were answered. A request's time begins when it is
/// its turn, so that waiting for a free connection counts.
pub(crate) async fn at_a_pace(
    address: &str,
    question: &Question,
    a_second: u32,
    length: Duration,
) -> anyhow::Result<Latencies> {
    let (give_back, free) = mpsc::unbounded_channel();
    for _ in 0..AT_A_PACE {
        give_back.send(Connection::open(address).await?).ok().context("nobody takes connections")?;
    }
    let free = Arc::new(Mutex::new(free));
    let (begun, mut asking) = (Instant::now(), JoinSet::new());
    for turn in 0..turns(a_second, length) {
        sleep_until(begun + Duration::from_secs(1) * turn / a_second).await;
        let its_turn = Instant::now();
        let (question, give_back, free) = (question.clone(), give_back.clone(), free.clone());
        asking.spawn(async move {
            let next = free.lock().await.recv().await;
            let mut connection = next.context("no connections are left")?;
            question.ask(&mut connection).await?;
            let took = its_turn.elapsed();
            let _ = give_back.send(connection);
            anyhow::Ok(took)
        });
    }
    let mut latencies = Latencies::new();
    while let Some(took) = asking.join_next().await {
        latencies.record(took??);
    }
    Ok(latencies)
}

/// How many turns there are at this pace in this time; a whole second's at least.
pub(crate) fn turns(a_second: u32, length: Duration) -> u32 {
    let turns = u128::from(a_second) * length.as_millis() / 1_000;
    u32::try_from(turns).unwrap_or(u32::MAX).max(a_second)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Router, routing::post};
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    /// Long enough for a wrong answer to come first.
    const LONG: Duration = Duration::from_hours(1);

    /// Somebody who gives so many right answers, and then a wrong one, and the question.
    async fn asked(right: usize, serving: &mut JoinSet<()>) -> (String, Question) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let given = Arc::new(AtomicUsize::new(0));
        let answer = post(async move || match given.fetch_add(1, Ordering::Relaxed) {
            given if given < right => "yes",
            _ => "no",
        });
        serving
            .spawn(async { axum::serve(listener, Router::new().route("/graphql", answer)).await.unwrap() });
        let prepared = Prepared::graphql(&json!({ "query": "{ me { id } }" }), None);
        let question = Question::with_answer_holding(&address, prepared, "yes").await.unwrap();
        (address, question)
    }

    #[tokio::test]
    async fn a_wrong_answer_is_no_number_however_fast_it_comes() {
        let mut serving = JoinSet::new();
        let (address, question) = asked(10, &mut serving).await;
        let wrong = as_fast_as_possible(&address, &question, 2, LONG).await.err().unwrap();
        assert_eq!(wrong.to_string(), "another answer: no");
        let (address, question) = asked(10, &mut serving).await;
        let wrong = at_a_pace(&address, &question, 1_000, Duration::from_millis(20)).await.err().unwrap();
        assert_eq!(wrong.to_string(), "another answer: no");
    }

    #[tokio::test]
    async fn who_does_not_answer_rightly_at_once_is_not_asked_again() {
        let mut serving = JoinSet::new();
        let (address, question) = asked(1, &mut serving).await;
        let prepared = question.prepared;
        let wrong = Question::with_answer_holding(&address, prepared, "yes").await.err().unwrap();
        assert_eq!(wrong.to_string(), "no does not hold yes");
    }
}
