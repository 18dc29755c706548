//! Logins a second against password hashes a second, and what a login costs besides its hash.

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use harness::Database;
use tokio::time::Instant;

use super::{Extent, Row, median};
use crate::{
    people::{SignedUp, begin, sign_up},
    programs,
    report::Section,
    stage::Stage,
};

/// Logins that are under way at once, for each thread that hashes: so that none is ever without work.
const AHEAD: usize = 4;

/// The processor time that a login may take besides its hash, in milliseconds.
const MOST_BESIDES_HASH: f64 = 0.8;

pub(crate) async fn run(extent: &Extent) -> anyhow::Result<Section> {
    let stage = Stage::builder(&extent.cores)?.start(Database::Sqlite).await?;
    let people = sign_up(&stage, extent.people).await?;
    let (mut hash_rates, mut login_rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = hashes_a_second(extent).await?;
    for _ in 0..extent.rounds {
        let logged_in = logins_a_second(&stage, &people, extent).await?;
        let after = hashes_a_second(extent).await?;
        // A machine that others share is not equally fast all the time.
        ratios.push(logged_in / f64::midpoint(before, after));
        hash_rates.push(after);
        login_rates.push(logged_in);
        before = after;
    }
    let ratio = median(ratios);
    let threads = extent.cores.server.len();
    Ok(Section {
        title: "Logins and password hashes".to_owned(),
        about: format!(
            "A login is a password that is checked, a row that is written to SQLite with a commit that survives a power cut, and a \
             push that is sent. Beside it the same argon2id hash alone, on the same {threads} cores with as many threads. They take \
             turns; the ratio is that to the turns before and after, and the median of {} rounds. {} people log in, one after \
             the other.",
            extent.rounds, extent.people
        ),
        rows: vec![
            Row::told("argon2id alone", format!("{:.1} a second", median(hash_rates))),
            Row::told("logins", format!("{:.1} a second", median(login_rates))),
            Row::told("logins to hashes", format!("{ratio:.2}")).asked("at least 0.90", ratio >= 0.9),
        ],
        plots: Vec::new(),
    })
}

async fn hashes_a_second(extent: &Extent) -> anyhow::Result<f64> {
    let (threads, seconds) = (extent.cores.server.len().to_string(), extent.turn.as_secs().to_string());
    let output = programs::part(&extent.cores.server, &["hashes", &threads, &seconds])?.output().await?;
    String::from_utf8(output.stdout)?.trim().parse().context("no rate")
}

async fn logins_a_second(stage: &Stage, people: &[SignedUp], extent: &Extent) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut logins = stream::iter(people.iter().cycle())
        .take_while(|_| std::future::ready(begun.elapsed() < extent.turn))
        .map(|person| begin(stage, person))
        .buffer_unordered(ahead(extent));
    let mut count = 0;
    while let Some(login) = logins.next().await {
        login?;
        count += 1;
    }
    Ok(super::number(count) / begun.elapsed().as_secs_f64())
}

/// What a login costs besides its hash: the processor time of the server, whose hash costs next to nothing.
pub(crate) async fn besides_hash(extent: &Extent) -> anyhow::Result<Section> {
    let stage = Stage::builder(&extent.cores)?.with_cheap_hashes().start(Database::Sqlite).await?;
    let people = sign_up(&stage, extent.people).await?;
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..extent.rounds {
        alone.push(processor_time(&stage, &people, 1).await?);
        together.push(processor_time(&stage, &people, ahead(extent)).await?);
    }
    let row = |what: String, rounds| {
        let took = median(rounds);
        Row::told(what, format!("{took:.2} ms of processor"))
            .asked(format!("at most {MOST_BESIDES_HASH} ms"), took <= MOST_BESIDES_HASH)
    };
    Ok(Section {
        title: "A login besides its hash".to_owned(),
        about: format!(
            "The same logins on a server whose hash costs next to nothing. {} people log in once a round, one after the other and \
             then {} at a time. The processor time is that of the whole server, divided by the logins; medians of {} rounds.",
            extent.people,
            ahead(extent),
            extent.rounds
        ),
        rows: vec![
            row("a login, one at a time".to_owned(), alone),
            row(format!("a login, {} at a time", ahead(extent)), together),
        ],
        plots: Vec::new(),
    })
}

/// Has each of these people log in once. Returns the server's processor time for one login, in milliseconds.
async fn processor_time(stage: &Stage, people: &[SignedUp], at_once: usize) -> anyhow::Result<f64> {
    let before = stage.processor_time()?;
    stream::iter(people)
        .map(|person| begin(stage, person))
        .buffer_unordered(at_once)
        .try_collect::<Vec<_>>()
        .await?;
    let took = stage.processor_time()?.saturating_sub(before);
    Ok(super::in_milliseconds(took) / super::number(people.len()))
}

fn ahead(extent: &Extent) -> usize {
    AHEAD * extent.cores.server.len()
}
