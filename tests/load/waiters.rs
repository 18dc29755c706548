//! Crowds that wait, in processes of their own: a process may open only so many files, and the crowd's work must not slow
//! down those who measure.
//!
//! A process is told login tokens, one a line, and a dot; it says when all of them wait. It is asked with a question mark what
//! they were told since, which should be nothing.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use countersign_client::LoginToken;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinSet,
    time::Instant,
};

use crate::{programs, subscriber::Subscriber};

/// How many connect at once, in each process.
const CONNECTING: usize = 64;

/// Processes full of people who wait.
pub(crate) struct Waiters {
    processes: Vec<Process>,
    waiting: usize,
}

struct Process {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Waiters {
    /// Starts so many processes, in which nobody waits yet.
    pub(crate) fn start(cores: &[usize], address: &str, processes: usize) -> anyhow::Result<Self> {
        let processes = (0..processes).map(|_| Process::start(cores, address)).collect::<Result<_, _>>()?;
        Ok(Self { processes, waiting: 0 })
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Has one more wait on each of these logins. Returns how long it took until all of them did.
    pub(crate) async fn add(&mut self, tokens: &[LoginToken]) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let share = tokens.len().div_ceil(self.processes.len()).max(1);
        let shares = tokens.chunks(share).chain(std::iter::repeat(&[][..]));
        let adding = self.processes.iter_mut().zip(shares).map(|(process, share)| process.add(share));
        futures_util::future::try_join_all(adding).await?;
        self.waiting += tokens.len();
        Ok(begun.elapsed())
    }

    /// Fails if anybody was told anything, or waits no longer.
    pub(crate) async fn ensure_undisturbed(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            let disturbed = process.ask("?\n").await?;
            ensure!(
                disturbed.is_empty(),
                "those who wait were told something, or wait no longer: {disturbed}"
            );
        }
        Ok(())
    }
}

impl Process {
    fn start(cores: &[usize], address: &str) -> anyhow::Result<Self> {
        let mut child = programs::part(cores, &["waiters", address])?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        Ok(Self { input, output, _child: child })
    }

    async fn add(&mut self, tokens: &[LoginToken]) -> anyhow::Result<()> {
        let mut lines: Vec<_> = tokens.iter().map(LoginToken::reveal).collect();
        lines.push(".\n");
        let waiting = self.ask(&lines.join("\n")).await?;
        ensure!(waiting == tokens.len().to_string(), "{waiting} of {} wait", tokens.len());
        Ok(())
    }

    async fn ask(&mut self, lines: &str) -> anyhow::Result<String> {
        self.input.write_all(lines.as_bytes()).await?;
        self.output.next_line().await?.context("those who wait are gone")
    }
}

/// What such a process does, until nobody speaks to it any longer.
pub(crate) async fn wait(address: String) -> anyhow::Result<()> {
    harness::allow_open_files(20_000);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let (mut tokens, mut waiting) = (Vec::new(), JoinSet::new());
    let disturbed = Arc::new(Mutex::new(Vec::new()));
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "." => {
                let subscribers = subscribe(&address, &std::mem::take(&mut tokens)).await?;
                say(&subscribers.len().to_string()).await?;
                for mut subscriber in subscribers {
                    let disturbed = disturbed.clone();
                    waiting.spawn(async move {
                        // A status, an end and an error are all more than there should be.
                        let told = subscriber.next().await;
                        disturbed.lock().unwrap_or_else(PoisonError::into_inner).push(told);
                    });
                }
            }
            "?" => {
                let disturbance = disturbance(&disturbed.lock().unwrap_or_else(PoisonError::into_inner));
                say(&disturbance).await?;
            }
            _ => tokens.push(line),
        }
    }
    Ok(())
}

/// How many were told something, and what the first of them was; nothing, where it was nobody.
fn disturbance(told: &[anyhow::Result<Option<Value>>]) -> String {
    let Some(first) = told.first() else { return String::new() };
    let first = match first {
        Ok(Some(status)) => format!("{} {}", status["state"], status["nextStep"]),
        Ok(None) => "the end of the subscription".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    format!("{} of them, the first: {first}", told.len())
}

async fn subscribe(address: &str, tokens: &[String]) -> anyhow::Result<Vec<Subscriber>> {
    stream::iter(tokens)
        .map(|token| async move {
            let (subscriber, status) = Subscriber::of(address, token).await?;
            ensure!(status["state"] == "PENDING", "a login that should be pending: {status}");
            Ok(subscriber)
        })
        .buffer_unordered(CONNECTING)
        .try_collect()
        .await
}

async fn say(line: &str) -> anyhow::Result<()> {
    let mut output = tokio::io::stdout();
    output.write_all(format!("{line}\n").as_bytes()).await?;
    Ok(output.flush().await?)
}
