//! What is counted, and how it is read: as text, by Prometheus.
//!
//! Whoever counts says so where it happens; what each count means stands in [`METRICS`]. Labels are few and never a
//! person's, nor anything else that a peer chooses: each value of a label is kept for as long as the process lives.

use std::time::Duration;

use anyhow::Context;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::{
    described::{Kind, METRICS, Metric},
    process::Process,
};

/// Up to how many seconds something took: from what a query costs to where everybody has given up.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How often what was measured is added up. Until then each measurement is kept, whether anybody reads them or not.
const ADDED_UP_EVERY: Duration = Duration::from_secs(5);

/// The counts of this process.
#[derive(Clone)]
pub(crate) struct Metrics {
    counts: PrometheusHandle,
    process: Process,
}

impl Metrics {
    /// Begins to count, once for the process.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let builder = PrometheusBuilder::new().set_buckets(BUCKETS).context("nothing can be measured")?;
        let counts = builder.install_recorder().context("nothing can be counted")?;
        METRICS.iter().for_each(describe);
        Ok(Self { counts, process: Process::start() })
    }

    /// The counts as Prometheus reads them.
    pub(crate) fn render(&self) -> String {
        self.process.look();
        self.counts.run_upkeep();
        self.counts.render()
    }

    /// Adds up what was measured, until it is dropped, so that it does not pile up where nobody reads it.
    pub(crate) async fn keep_adding_up(&self) {
        loop {
            tokio::time::sleep(ADDED_UP_EVERY).await;
            self.counts.run_upkeep();
        }
    }
}

/// Says what a metric means. What has few series begins at nought, because a reader sees no growth from nothing to one.
fn describe(metric: &Metric) {
    let Metric { name, meaning, .. } = *metric;
    match metric.kind {
        Kind::Counter => describe_counter!(name, meaning),
        Kind::Gauge => describe_gauge!(name, meaning),
        Kind::Histogram => describe_histogram!(name, meaning),
    }
    match (metric.kind, metric.labels) {
        (Kind::Gauge, []) => gauge!(name).increment(0),
        (Kind::Counter, []) => counter!(name).increment(0),
        (Kind::Counter, [label]) => {
            for value in label.values {
                counter!(name, label.name => *value).increment(0);
            }
        }
        (Kind::Counter, [one, other]) => {
            for value in one.values {
                for value_of_other in other.values {
                    counter!(name, one.name => *value, other.name => *value_of_other).increment(0);
                }
            }
        }
        _ => {}
    }
}
