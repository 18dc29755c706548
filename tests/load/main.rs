//! The load program: spawns the release server and the sandbox, drives them over real sockets, and tells what it saw in a
//! table. Run from the root of the workspace:
//!
//! ```text
//! cargo run --release -p scenarios --features jemalloc --bin load
//! ```
//!
//! Whatever is compared is compared in one run, side by side; no number here is a promise about another machine. A wrong
//! answer ends it with an error. A number that is not what was asked for is marked, and ends nothing.

mod baseline;
mod connection;
mod cores;
mod driver;
mod hashes;
mod latencies;
mod people;
mod phases;
mod programs;
mod report;
mod stage;
mod subscriber;
mod usage;
mod verdicts;
mod waiters;

use std::{ffi::OsString, io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use chrono::Utc;
use clap::{Parser, Subcommand, ValueEnum};
use harness::Database;

use crate::{
    cores::{Cores, pin},
    phases::{Extent, fleet, logins, me, polling, storm, waiting},
    report::{Machine, Report, Section},
};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures Countersign on this machine.
#[derive(Debug, Parser)]
#[command(name = "load", max_term_width = 110)]
struct Arguments {
    /// Little of everything: for a look at whether all answers are right. The numbers say nothing.
    #[arg(long)]
    short: bool,
    /// These questions only, with commas; all of them, if nothing is said.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Phase>,
    /// How many wait, one crowd after the other, with commas.
    #[arg(long, value_delimiter = ',')]
    crowds: Vec<usize>,
    /// The folder that BENCHMARKS.md and its plots are written to.
    #[arg(long)]
    write: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program is when it starts itself again.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Part {
    /// Moves to certain cores, and becomes another program.
    #[command(hide = true)]
    On {
        /// Which, with commas.
        cores: String,
        /// What to become.
        name: String,
        /// With these arguments.
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        arguments: Vec<OsString>,
    },
    /// People who wait.
    #[command(hide = true)]
    Waiters {
        /// Where the service is.
        address: String,
    },
    /// Password hashes alone.
    #[command(hide = true)]
    Hashes {
        /// On so many threads.
        threads: usize,
        /// For so long.
        seconds: u64,
    },
    /// What the server is compared with.
    #[command(hide = true, subcommand)]
    Compared(Compared),
}

#[derive(Debug, Subcommand)]
enum Compared {
    /// A field with nothing behind it.
    BareField,
    /// One prepared query a request.
    OneQuery {
        /// On this database.
        database_url: String,
    },
}

/// A question that is answered by measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Phase {
    /// Logins a second against password hashes a second.
    Logins,
    /// What a login costs besides its hash.
    BesidesHash,
    /// `me` against the least that the stack can do.
    Me,
    /// What others feel of a storm of logins.
    Storm,
    /// What crowds that wait cost.
    Waiting,
    /// The same across two instances.
    Fleet,
    /// The same wait by polling.
    Polling,
}

fn main() -> ExitCode {
    if programs::is_server() {
        return countersign::main();
    }
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            harness::report(&format!("load: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    match arguments.part {
        Some(Part::On { cores, name, arguments }) => Err(programs::become_on(&cores, &name, &arguments)),
        Some(Part::Waiters { address }) => block_on(waiters::wait(address)),
        Some(Part::Hashes { threads, seconds }) => hashes::run(threads, Duration::from_secs(seconds)),
        Some(Part::Compared(Compared::BareField)) => block_on(baseline::serve_bare_field()),
        Some(Part::Compared(Compared::OneQuery { database_url })) => {
            block_on(baseline::serve_one_query(&database_url))
        }
        None => {
            let (machine, cores) = (Machine::read(), Cores::divide()?);
            // Before the runtime makes its threads, which stay where this one is.
            pin(&cores.others)?;
            block_on(measure(&arguments, machine, cores))
        }
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

async fn measure(arguments: &Arguments, machine: Machine, cores: Cores) -> anyhow::Result<()> {
    harness::allow_open_files(20_000);
    let settings = vec![
        ("cores".to_owned(), cores.to_string()),
        (
            "hash".to_owned(),
            "argon2id, 19 MiB, 2 passes, 1 lane, on as many threads as the server has cores; where nobody measures logins, next to \
             nothing"
                .to_owned(),
        ),
        (
            "server".to_owned(),
            "`serve`, with its defaults but for budgets, caps by address, and an hour to log in".to_owned(),
        ),
        ("PostgreSQL".to_owned(), "on this machine, without fsync".to_owned()),
    ];
    let mut extent = if arguments.short { Extent::short(cores) } else { Extent::whole(cores) };
    if !arguments.crowds.is_empty() {
        extent.crowds.clone_from(&arguments.crowds);
    }
    let mut sections = Vec::new();
    for phase in Phase::value_variants() {
        if arguments.only.is_empty() || arguments.only.contains(phase) {
            harness::report(&format!("measuring: {phase:?} …"));
            sections.extend(phase.run(&extent).await.with_context(|| format!("{phase:?}"))?);
        }
    }
    #[expect(clippy::disallowed_methods, reason = "the day of the run, for people")]
    let date = Utc::now().format("%Y-%m-%d").to_string();
    let command =
        "cargo run --release -p scenarios --features jemalloc --bin load -- --write docs".to_owned();
    let report = Report { date, machine, settings, command, sections };
    writeln!(std::io::stdout(), "{}", report.table()).context("standard output is closed")?;
    match &arguments.write {
        Some(folder) => report.write(folder),
        None => Ok(()),
    }
}

impl Phase {
    async fn run(self, extent: &Extent) -> anyhow::Result<Vec<Section>> {
        let sections = match self {
            Self::Logins => vec![logins::run(extent).await?],
            Self::BesidesHash => vec![logins::besides_hash(extent).await?],
            Self::Me => {
                let mut sections = vec![me::run(extent, Database::Sqlite).await?];
                if let Some(database) = Database::postgres().await {
                    sections.push(me::run(extent, database).await?);
                }
                sections
            }
            Self::Storm => vec![storm::run(extent).await?],
            Self::Waiting => vec![waiting::run(extent).await?],
            Self::Fleet => match Database::postgres().await {
                Some(database) => vec![fleet::run(extent, database).await?],
                None => Vec::new(),
            },
            Self::Polling => vec![polling::run(extent).await?],
        };
        Ok(sections)
    }
}
