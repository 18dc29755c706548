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

/// Has logins begun and waited for, and then approves one after another. What the server does anyway, as a share of a core,
/// is not counted as theirs.
pub(crate) async fn deliver(
    stage: &Stage,
    people: &[SignedUp],
    pace: Pace,
    at_rest: f64,
) -> anyhow::Result<Deliveries> {
    let mut waiting = JoinSet::new();
    let mut judged = Vec::new();
    for open in log_in(stage, people, pace.verdicts).await? {
        judged.push(wait_for(stage, &open, pace.told_by, &mut waiting).await?);
    }
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Arc::new(Mutex::new(Connection::open(stage.address(pace.heard_by)).await?)));
    }
    harness::report(&format!("  {} verdicts, {} a second …", pace.verdicts, pace.a_second));
    let (before, begun) = (stage.processor_time()?, Instant::now());
    let mut judging = JoinSet::new();
    for (turn, judged) in (0_u32..).zip(judged) {
        sleep_until(begun + Duration::from_secs(1) * turn / pace.a_second).await;
        let connection = connections[turn as usize % CONNECTIONS].clone();
        judging.spawn(judge(judged, connection));
    }
    let (mut after_answer, mut after_callback) = (Latencies::new(), Latencies::new());
    while let Some(delivered) = judging.join_next().await {
        let Delivered { sent, answered, told } = delivered??;
        after_answer.record(told.saturating_duration_since(answered));
        after_callback.record(told - sent);
    }
    let took = stage.processor_time()?.saturating_sub(before);
    let verdicts = u32::try_from(pace.verdicts)?;
    let processor_time = took.saturating_sub(begun.elapsed().mul_f64(at_rest)) / verdicts;
    Ok(Deliveries { after_answer, after_callback, processor_time })
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
        let status = subscriber.next().await;
        let at = Instant::now();
        let _ = tell.send(status.and_then(|status| ensure_approved(status.as_ref(), &email)).map(|()| at));
    });
    Ok(Judged { callback, told })
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
