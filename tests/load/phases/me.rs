//! `me`, the question that every request of a signed-in person asks, against the least that the stack can do.

use std::time::Duration;

use harness::{Database, Process};
use serde_json::json;
use tempfile::TempDir;

use super::{Extent, Row, median};
use crate::{
    connection::Prepared,
    driver::{Question, as_fast_as_possible},
    people::sign_up,
    programs,
    report::Section,
    stage::Stage,
    usage,
};

/// Connections that ask.
const CONNECTIONS: usize = 32;

/// Somebody who answers.
struct Asked {
    name: &'static str,
    address: String,
    process: u32,
    question: Question,
    rates: Vec<f64>,
    processor_time: Duration,
    answers: u64,
}

pub(crate) async fn run(extent: &Extent, database: Database) -> anyhow::Result<Section> {
    let name = if matches!(database, Database::Sqlite) { "SQLite" } else { "PostgreSQL" };
    let stage = Stage::builder(&extent.cores)?.with_cheap_hashes().start(database).await?;
    let person = sign_up(&stage, 1).await?.remove(0);
    let folder = TempDir::new()?;
    let bearer = Some(person.bearer.reveal());
    let me = Prepared::graphql(&json!({ "query": "{ me { id email } }" }), bearer);
    let query = start(extent, &folder, &["one-query", &stage.database_url]).await?;
    let bare = start(extent, &folder, &["bare-field"]).await?;
    let mut asked = [
        Asked::new("me", stage.address(0), stage.process(0), &me, &person.user_id).await?,
        Asked::new("one query", query.address("service"), query.id(), &me, &person.user_id).await?,
        Asked::new("bare field", bare.address("service"), bare.id(), &me, "somebody").await?,
    ];
    for _ in 0..extent.rounds {
        for asked in &mut asked {
            asked.ask(extent).await?;
        }
    }
    Ok(section(name, extent, &asked))
}

async fn start(extent: &Extent, folder: &TempDir, arguments: &[&str]) -> anyhow::Result<Process> {
    let command = programs::part(&extent.cores.server, &[&["compared"], arguments].concat())?;
    Ok(Process::listening(command, &folder.path().join("compared.log"), 1).await)
}

fn section(database: &str, extent: &Extent, asked: &[Asked; 3]) -> Section {
    let [me, query, bare] = asked;
    let ratio = |other: &Asked| {
        median(me.rates.iter().zip(&other.rates).map(|(mine, others)| mine / others).collect())
    };
    let (to_query, to_bare) = (ratio(query), ratio(bare));
    let mut rows: Vec<_> = asked.iter().map(Asked::row).collect();
    rows.push(
        Row::told("`me` to one query", format!("{to_query:.2}")).asked("at least 0.80", to_query >= 0.8),
    );
    rows.push(Row::told("`me` to a bare field", format!("{to_bare:.2}")));
    Section {
        title: format!("`me` on {database}"),
        about: format!(
            "`{{ me {{ id email }} }}` with a bearer, over {CONNECTIONS} connections, each asking again as soon as it is answered. \
             One query: axum, one prepared join of session and user a request, JSON, and no GraphQL. A bare field: the same \
             document on async-graphql with nothing behind it. The three take turns on the same cores; ratios are medians of \
             {} rounds. Every answer is compared with the right one.",
            extent.rounds
        ),
        rows,
        plots: Vec::new(),
    }
}

impl Asked {
    async fn new(
        name: &'static str,
        address: &str,
        process: u32,
        prepared: &Prepared,
        holds: &str,
    ) -> anyhow::Result<Self> {
        let question = Question::with_answer_holding(address, prepared.clone(), holds).await?;
        let address = address.to_owned();
        Ok(Self {
            name,
            address,
            process,
            question,
            rates: Vec::new(),
            processor_time: Duration::ZERO,
            answers: 0,
        })
    }

    async fn ask(&mut self, extent: &Extent) -> anyhow::Result<()> {
        let before = usage::processor_time(self.process)?;
        let rate = as_fast_as_possible(&self.address, &self.question, CONNECTIONS, extent.turn).await?;
        self.processor_time += usage::processor_time(self.process)?.saturating_sub(before);
        self.answers += rate.answers;
        self.rates.push(rate.a_second());
        Ok(())
    }

    fn row(&self) -> Row {
        let each = self.processor_time / u32::try_from(self.answers).unwrap_or(u32::MAX).max(1);
        let rate = median(self.rates.clone());
        Row::told(
            self.name,
            format!("{rate:.0} a second, {:.0} µs of processor each", each.as_secs_f64() * 1e6),
        )
    }
}
