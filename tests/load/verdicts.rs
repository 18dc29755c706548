//! Verdicts: from the provider's callback to the subscriber who waits for it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::{
    sync::{Mutex, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    connection::{Connection, Prepared},
    latencies::Latencies,
    people::{Open, SignedUp, log_in},
    stage::Stage,
    subscriber::Subscriber,
};

/// Connections that callbacks come over.
const CONNECTIONS: usize = 4;

/// How verdicts are given, and where they are waited for.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) verdicts: usize,
    /// How many of those whose verdicts come wait at the same moment.
    pub(crate) together: usize,
    /// How many verdicts come a second to those who wait together, however the last one fared.
    pub(crate) a_second: u32,
    /// The instance that hears the callbacks, and the one whose subscribers wait for them.
    pub(crate) heard_by: usize,
    pub(crate) told_by: usize,
}

/// How they went.
pub(crate) struct Deliveries {
    /// From the answer to the callback until the subscriber was told; nothing, where that came first.
    pub(crate) after_answer: Latencies,
    /// From the callback's first byte until the subscriber was told.
    pub(crate) after_callback: Latencies,
    /// What one took of the server's processors, all instances together.
    pub(crate) processor_time: Duration,
}

/// A login that is about to be judged: its callback, and the moment when its subscriber is told.
struct Judged {
    callback: Prepared,
    told: oneshot::Receiver<anyhow::Result<Instant>>,
}

/// Has logins begun, waited for, so many at a time, and approved. What the server does anyway, as a share of a core, is not
/// counted as theirs.
pub(crate) async fn deliver(
    stage: &Stage,
    people: &[SignedUp],
    pace: Pace,
    at_rest: f64,
) -> anyhow::Result<Deliveries> {
    let logins = log_in(stage, people, pace.verdicts).await?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS.min(pace.together) {
        connections.push(Arc::new(Mutex::new(Connection::open(stage.address(pace.heard_by)).await?)));
    }
    harness::report(&format!("  {} verdicts, {} at a time …", pace.verdicts, pace.together));
    let (mut after_answer, mut after_callback) = (Latencies::new(), Latencies::new());
    let mut processor_time = Duration::ZERO;
    for logins in logins.chunks(pace.together.max(1)) {
        let (mut waiting, mut judged) = (JoinSet::new(), Vec::new());
        for open in logins {
            judged.push(wait_for(stage, open, pace.told_by, &mut waiting).await?);
        }
        let (before, begun) = (stage.processor_time()?, Instant::now());
        for Delivered { sent, answered, told } in judge_all(judged, &connections, pace.a_second).await? {
            after_answer.record(told.saturating_duration_since(answered));
            after_callback.record(told - sent);
        }
        let took = stage.processor_time()?.saturating_sub(before);
        processor_time += took.saturating_sub(begun.elapsed().mul_f64(at_rest));
    }
    let processor_time = processor_time / u32::try_from(pace.verdicts)?;
    Ok(Deliveries { after_answer, after_callback, processor_time })
}

async fn judge_all(
    judged: Vec<Judged>,
    connections: &[Arc<Mutex<Connection>>],
    a_second: u32,
) -> anyhow::Result<Vec<Delivered>> {
    let (begun, mut judging) = (Instant::now(), JoinSet::new());
    for (turn, (judged, connection)) in (0_u32..).zip(judged.into_iter().zip(connections.iter().cycle())) {
        sleep_until(begun + Duration::from_secs(1) * turn / a_second).await;
        judging.spawn(judge(judged, connection.clone()));
    }
    let mut delivered = Vec::new();
    while let Some(judged) = judging.join_next().await {
        delivered.push(judged??);
    }
    Ok(delivered)
}

struct Delivered {
    sent: Instant,
    answered: Instant,
    told: Instant,
}

async fn judge(judged: Judged, connection: Arc<Mutex<Connection>>) -> anyhow::Result<Delivered> {
    let mut connection = connection.lock().await;
    let sent = Instant::now();
    connection.ask(&judged.callback).await?;
    let answered = Instant::now();
    drop(connection);
    let told = judged.told.await.context("a subscriber is gone")??;
    Ok(Delivered { sent, answered, told })
}

async fn wait_for(
    stage: &Stage,
    open: &Open<'_>,
    instance: usize,
    waiting: &mut JoinSet<()>,
) -> anyhow::Result<Judged> {
    let callback = Prepared::callback(&open.approval(stage).await?);
    let (mut subscriber, status) =
        Subscriber::of(stage.address(instance), open.begun.login_token.reveal()).await?;
    ensure!(status["state"] == "PENDING", "a login that should be pending: {status}");
    let (tell, told) = oneshot::channel();
    let email = open.of.person.email.clone();
    waiting.spawn(async move {
        let _ = tell.send(hear_approval(&mut subscriber, &email).await);
    });
    Ok(Judged { callback, told })
}

/// Waits for the approval, and for the end that follows it. Returns when the approval was told.
async fn hear_approval(subscriber: &mut Subscriber, email: &str) -> anyhow::Result<Instant> {
    let status = subscriber.next().await?;
    let at = Instant::now();
    ensure_approved(status.as_ref(), email)?;
    let after = subscriber.next().await?;
    ensure!(after.is_none(), "more after the end: {after:?}");
    Ok(at)
}

/// A session of the right person: anything else is a wrong answer.
fn ensure_approved(status: Option<&Value>, email: &str) -> anyhow::Result<()> {
    let status = status.context("a subscription ended without a verdict")?;
    let is_right = status["state"] == "APPROVED"
        && status["session"]["user"]["email"] == email
        && status["session"]["token"].is_string();
    ensure!(is_right, "a login of {email} that should be approved: {}", status["state"]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ensure_approved;

    #[test]
    fn only_a_session_of_the_right_person_is_a_right_answer() {
        let ada = "ada@example.com";
        let status = |state: &str, session: serde_json::Value| json!({ "state": state, "session": session });
        let session = |email: &str| json!({ "token": "secret", "user": { "email": email } });
        assert!(ensure_approved(Some(&status("APPROVED", session(ada))), ada).is_ok());
        for wrong in [
            status("DENIED", session(ada)),
            status("APPROVED", session("eve@example.com")),
            status("APPROVED", json!(null)),
            status("APPROVED", json!({ "token": null, "user": { "email": ada } })),
        ] {
            assert!(ensure_approved(Some(&wrong), ada).is_err(), "{wrong}");
        }
        assert!(ensure_approved(None, ada).is_err());
    }
}
