//! The same wait as Twilio's sample does it: the page asks every three seconds.

use std::time::Duration;

use harness::Database;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{Extent, Row, number, waiting::one_at_a_time};
use crate::{
    connection::{Connection, Prepared},
    latencies::{Latencies, milliseconds},
    people::{Open, log_in, sign_up},
    report::Section,
    stage::Stage,
    verdicts::{Pace, deliver},
    waiters::Waiters,
};

/// From one question to the next.
const EVERY: Duration = Duration::from_secs(3);
/// How many logins one person has open.
const LOGINS_EACH: usize = 15;
/// One of so many is approved while it is polled.
const APPROVED: usize = 10;
/// Scatters the pages' first questions over their interval: a prime.
const SCATTER: u32 = 7_919;

/// How polling went.
struct Polled {
    requests: u64,
    of_a_core: f64,
    delays: Latencies,
}

pub(crate) async fn run(extent: &Extent) -> anyhow::Result<Section> {
    let builder = Stage::builder(&extent.cores)?.with_cheap_hashes().without_disk()?;
    let stage = builder.start(Database::Sqlite).await?;
    let people = sign_up(&stage, extent.polling.div_ceil(LOGINS_EACH)).await?;
    let polled = poll_all(&stage, log_in(&stage, &people, extent.polling).await?, extent).await?;
    let logins = log_in(&stage, &people, extent.polling).await?;
    let tokens: Vec<_> = logins.into_iter().map(|login| login.begun.login_token).collect();
    let mut waiters = Waiters::start(&extent.cores.others, stage.address(0), 1)?;
    waiters.add(&tokens).await?;
    let at_rest = stage.at_rest(extent.polled_for).await?;
    let pace = Pace { verdicts: extent.polling / APPROVED, ..one_at_a_time(extent, 0) };
    let told = deliver(&stage, &people, pace, at_rest).await?.after_answer;
    waiters.ensure_undisturbed().await?;
    Ok(section(extent, &polled, at_rest, &told))
}

/// One page that polls, and perhaps its phone.
struct Page {
    address: String,
    question: Prepared,
    first: Instant,
    until: Instant,
    /// When the phone's answer arrives, and what it says.
    approval: Option<(Instant, Prepared)>,
}

async fn poll_all(stage: &Stage, logins: Vec<Open<'_>>, extent: &Extent) -> anyhow::Result<Polled> {
    let mut approvals = Vec::new();
    for login in logins.iter().step_by(APPROVED) {
        approvals.push(Prepared::callback(&login.approval(stage).await?));
    }
    let count = u32::try_from(logins.len())?;
    let (before, begun) = (stage.processor_time()?, Instant::now());
    let mut approvals = approvals.into_iter();
    let mut polling = JoinSet::new();
    for (number, login) in (0..count).zip(&logins) {
        // They come as evenly as the questions do, and end in time to be seen.
        let at = begun + extent.polled_for.saturating_sub(EVERY) * number / count;
        let approval = if (number as usize).is_multiple_of(APPROVED) { approvals.next() } else { None };
        let page = Page {
            address: stage.address(0).to_owned(),
            question: question(login.begun.login_token.reveal()),
            first: begun + EVERY * (number * SCATTER % count) / count,
            until: begun + extent.polled_for,
            approval: approval.map(|approval| (at, approval)),
        };
        polling.spawn(page.wait());
    }
    let (mut requests, mut delays) = (0, Latencies::new());
    while let Some(waited) = polling.join_next().await {
        let (asked, delay) = waited??;
        requests += asked;
        if let Some(delay) = delay {
            delays.record(delay);
        }
    }
    let of_a_core =
        stage.processor_time()?.saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
    Ok(Polled { requests, of_a_core, delays })
}

fn question(login_token: &str) -> Prepared {
    let query = "query($loginToken: String!) { loginStatus(loginToken: $loginToken) \
                 { sequence state nextStep session { token expiresAt user { id } } } }";
    Prepared::graphql(&json!({ "query": query, "variables": { "loginToken": login_token } }), None)
}

impl Page {
    /// Polls until the login is approved, or until the time is over. Returns how often it asked, and how long after the
    /// callback was answered it knew.
    async fn wait(self) -> anyhow::Result<(u64, Option<Duration>)> {
        let (polled, answered) = tokio::join!(self.poll(), self.approve());
        let (asked, told) = polled?;
        let delay = match (told, answered?) {
            (Some(told), Some(answered)) => Some(told.saturating_duration_since(answered)),
            (None, None) => None,
            (told, _) => anyhow::bail!("an approval was {}", if told.is_some() { "made up" } else { "lost" }),
        };
        Ok((asked, delay))
    }

    async fn poll(&self) -> anyhow::Result<(u64, Option<Instant>)> {
        let mut connection = Connection::open(&self.address).await?;
        let mut asked = 0;
        let mut next = self.first;
        while next < self.until {
            sleep_until(next).await;
            let answer: Value = serde_json::from_slice(&connection.ask(&self.question).await?)?;
            asked += 1;
            match answer["data"]["loginStatus"]["state"].as_str() {
                Some("PENDING") => next += EVERY,
                Some("APPROVED") => return Ok((asked, Some(Instant::now()))),
                _ => anyhow::bail!("a login that should be pending or approved: {answer}"),
            }
        }
        Ok((asked, None))
    }

    async fn approve(&self) -> anyhow::Result<Option<Instant>> {
        let Some((at, approval)) = &self.approval else { return Ok(None) };
        sleep_until(*at).await;
        Connection::open(&self.address).await?.ask(approval).await?;
        Ok(Some(Instant::now()))
    }
}

fn section(extent: &Extent, polled: &Polled, at_rest: f64, told: &Latencies) -> Section {
    let requests = number(usize::try_from(polled.requests).unwrap_or(usize::MAX));
    let per_minute = requests / number(extent.polling) / extent.polled_for.as_secs_f64() * 60.0;
    let delay = |delays: &Latencies| {
        format!("p50 {}, p99 {}", milliseconds(delays.p50()), milliseconds(delays.p99()))
    };
    let share = |of_a_core: f64| format!("{:.2} % of a core", of_a_core * 100.0);
    Section {
        title: "Polling instead".to_owned(),
        about: format!(
            "The same wait as Twilio's sample did it: {} pages ask `loginStatus` every three seconds over HTTP, each on a connection \
             that it keeps, while one in {APPROVED} is approved; beside it as many who subscribe.",
            extent.polling
        ),
        rows: vec![
            Row::told("polling: requests a minute each", format!("{per_minute:.1}")),
            Row::told("polling: processor", share(polled.of_a_core)),
            Row::told("polling: callback answered → known", delay(&polled.delays)),
            Row::told("subscribing: requests a minute each", "0"),
            Row::told("subscribing: processor", share(at_rest)),
            Row::told("subscribing: callback answered → known", delay(told)),
        ],
        plots: Vec::new(),
    }
}
