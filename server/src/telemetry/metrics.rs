//! What is counted, and how it is read: as text, by Prometheus.
//!
//! Whoever counts says so where it happens; what each count means stands in [`METRICS`]. Labels are few and never a
//! person's, nor anything else that a peer chooses: each value of a label is kept for as long as the process lives.

use std::time::Duration;

use anyhow::Context;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::{
    described::{Kind, Label, METRICS, Metric},
    process,
};

/// Up to how many seconds something took: from what a query costs to where everybody has given up.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How often what was measured is added up. Until then each measurement is kept, whether anybody reads them or not.
const ADDED_UP_EVERY: Duration = Duration::from_secs(5);

/// The counts of this process.
#[derive(Clone)]
pub(crate) struct Metrics {
    counts: PrometheusHandle,
}

impl Metrics {
    /// Begins to count, once for the process.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let builder = PrometheusBuilder::new().set_buckets(BUCKETS).context("nothing can be measured")?;
        let counts = builder.install_recorder().context("nothing can be counted")?;
        METRICS.iter().for_each(describe);
        process::begin();
        Ok(Self { counts })
    }

    /// The counts as Prometheus reads them.
    pub(crate) fn render(&self) -> String {
        process::look();
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

/// A counter of more series than these begins with what is counted first: most of them will never be.
const MOST_AT_NOUGHT: usize = 200;

/// Says what a metric means. What has few series begins at nought, because a reader sees no growth from nothing to one.
fn describe(metric: &Metric) {
    let Metric { name, meaning, .. } = *metric;
    match metric.kind {
        Kind::Counter => describe_counter!(name, meaning),
        Kind::Gauge => describe_gauge!(name, meaning),
        Kind::Histogram => describe_histogram!(name, meaning),
    }
    match metric.kind {
        _ if name.starts_with(process::PREFIX) => {}
        Kind::Gauge if metric.labels.is_empty() => gauge!(name).increment(0),
        Kind::Counter if count(metric.labels) <= MOST_AT_NOUGHT => {
            for series in series(metric.labels) {
                counter!(name, &series).increment(0);
            }
        }
        Kind::Counter | Kind::Gauge | Kind::Histogram => {}
    }
}

/// How many series labels make, whose values are known here; none where those of one are not.
fn count(labels: &[Label]) -> usize {
    labels.iter().map(|label| label.values.len()).product()
}

/// Each choice of one value for every label.
fn series(labels: &[Label]) -> Vec<Vec<(&'static str, &'static str)>> {
    labels.iter().fold(vec![Vec::new()], |series, label| {
        let longer = series.iter().flat_map(|chosen| {
            label.values.iter().map(|value| [&chosen[..], &[(label.name, *value)]].concat())
        });
        longer.collect()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The series that a reader finds of a service that has done nothing yet.
    fn at_nought() -> BTreeSet<String> {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || METRICS.iter().for_each(describe));
        let text = recorder.handle().render();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| line.strip_suffix(" 0").unwrap_or_else(|| panic!("{line}")).to_owned()).collect()
    }

    #[test]
    fn a_counter_begins_at_nought_with_every_choice_of_values_that_are_known() {
        let found = at_nought();
        let series_of =
            |name: &str| found.iter().filter(|series| series.split('{').next() == Some(name)).count();
        for (name, series) in [
            ("countersign_hints_sent_total", 1),
            ("countersign_callbacks_total", 6),
            ("countersign_denials_total", 4 * 2),
            ("countersign_logins_ended_total", 3 * 9 * 6),
        ] {
            assert_eq!(series_of(name), series, "{name}");
        }
        let (approved, by) = (r#"purpose="login",outcome="approved""#, r#"by="callback""#);
        assert!(found.contains(&format!("countersign_logins_ended_total{{{approved},{by}}}")), "{found:?}");
        assert_eq!(series_of("countersign_sockets_open"), 1);
    }

    #[test]
    fn what_has_many_series_or_is_not_ours_begins_when_it_is_told() {
        let found = at_nought();
        let later = ["codes_sent_total", "http_requests_total", "graphql_operations_total", "build_info"];
        for name in later.into_iter().chain(["process_"]) {
            assert!(!found.iter().any(|series| series.contains(name)), "{name}");
        }
        assert!(found.len() < 350, "{}", found.len());
    }
}
