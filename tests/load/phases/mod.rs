//! What is measured, one file a question.

pub(crate) mod fleet;
pub(crate) mod logins;
pub(crate) mod me;
pub(crate) mod polling;
pub(crate) mod storm;
pub(crate) mod waiting;

use std::time::Duration;

use crate::{cores::Cores, report::Row};

/// How much of everything.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    pub(crate) cores: Cores,
    /// How often what is compared takes turns.
    pub(crate) rounds: usize,
    /// How long one turn lasts.
    pub(crate) turn: Duration,
    /// How many people log in: so many that none has many pushes open at once.
    pub(crate) people: usize,
    /// How long the server is watched at rest: two rounds of pings.
    pub(crate) rest: Duration,
    /// How long the allocator has to give back what is free: it takes ten seconds.
    pub(crate) settling: Duration,
    /// How many wait, one after the other; the last is the most.
    pub(crate) crowds: Vec<usize>,
    /// How many verdicts are timed in each crowd, and how many come a second.
    pub(crate) verdicts: usize,
    pub(crate) verdicts_a_second: u32,
    /// How many poll.
    pub(crate) polling: usize,
    /// For how long.
    pub(crate) polled_for: Duration,
}

impl Extent {
    /// What docs/BENCHMARKS.md shows.
    pub(crate) fn whole(cores: Cores) -> Self {
        Self {
            cores,
            rounds: 7,
            turn: Duration::from_secs(6),
            people: 400,
            rest: Duration::from_secs(40),
            settling: Duration::from_secs(15),
            crowds: vec![1_000, 5_000, 15_000],
            verdicts: 500,
            verdicts_a_second: 50,
            polling: 1_000,
            polled_for: Duration::from_secs(15),
        }
    }

    /// Enough to see that everything answers rightly, and too little to say how fast.
    pub(crate) fn short(cores: Cores) -> Self {
        Self {
            cores,
            rounds: 1,
            turn: Duration::from_secs(1),
            people: 40,
            rest: Duration::from_secs(1),
            settling: Duration::ZERO,
            crowds: vec![50, 200],
            verdicts: 20,
            verdicts_a_second: 40,
            polling: 40,
            polled_for: Duration::from_secs(4),
        }
    }

    /// The largest crowd.
    fn most(&self) -> usize {
        self.crowds.last().copied().unwrap_or_default()
    }
}

impl Row {
    /// Something that was measured.
    pub(crate) fn told(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { what: what.into(), measured: measured.into(), asked: None, holds: None }
    }

    /// Something that was measured and has to be so.
    pub(crate) fn asked(self, asked: impl Into<String>, holds: bool) -> Self {
        Self { asked: Some(asked.into()), holds: Some(holds), ..self }
    }
}

/// The one in the middle; of an even number, the upper of the two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A count, for a plot.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn number(count: usize) -> f64 {
    count as f64
}

/// A duration in milliseconds, for a plot.
fn in_milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
