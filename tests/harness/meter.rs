//! What an instance has counted, read as Prometheus reads it. Whatever is read is described: a name, a label or a value
//! that `countersign::telemetry::METRICS` does not know fails the story that has read it.

use std::collections::BTreeMap;

use countersign::telemetry::{Kind, METRICS, Metric};

/// Reads what one instance has counted.
#[derive(Clone, Debug)]
pub struct Meter {
    http: reqwest::Client,
    url: String,
}

/// What had been counted when it was read: series as they are written, and their values.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<String, String>);

impl Meter {
    pub(crate) fn new(http: reqwest::Client, address: &str) -> Self {
        Self { http, url: format!("http://{address}/metrics") }
    }

    /// What it says, as text.
    pub async fn text(&self) -> String {
        self.http.get(&self.url).send().await.unwrap().text().await.unwrap()
    }

    /// What it has counted so far.
    pub async fn read(&self) -> Counts {
        let text = self.text().await;
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let counts = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.to_owned())
        });
        let counts = Counts(counts.collect());
        counts.0.keys().for_each(|series| check(series));
        counts
    }

    /// Waits until a series has this value, and returns all that has been counted then.
    pub async fn wait_for(&self, series: &str, value: i64) -> Counts {
        self.wait_until(|counts| counts.of(series) == value).await
    }

    /// Waits until something holds of what was counted, and returns all that has been counted then.
    pub async fn wait_until(&self, holds: impl Fn(&Counts) -> bool) -> Counts {
        while !holds(&self.read().await) {
            tokio::task::yield_now().await;
        }
        // Series are written one after another: what was counted before this one may have been written before that.
        self.read().await
    }
}

impl Counts {
    /// The value of a series; 0 where it is not there.
    #[must_use]
    pub fn of(&self, series: &str) -> i64 {
        self.0.get(series).map_or(0, |value| value.parse().unwrap())
    }

    /// All series of metrics whose names begin so, buckets and sums of time aside.
    pub fn series<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let is_time = |series: &str| {
            let name = name_of(series);
            name.ends_with("_seconds_bucket") || name.ends_with("_seconds_sum")
        };
        self.0.keys().map(String::as_str).filter(move |series| series.starts_with(prefix) && !is_time(series))
    }

    /// What has changed since, and by how much, of metrics whose names begin so.
    #[must_use]
    pub fn since(&self, before: &Self, prefixes: &[&str]) -> BTreeMap<String, i64> {
        let series = prefixes.iter().flat_map(|prefix| self.series(prefix));
        let growth = series.map(|series| (series.to_owned(), self.of(series) - before.of(series)));
        growth.filter(|(_, by)| *by != 0).collect()
    }
}

fn name_of(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}

/// A series has a described name, exactly its labels, and of each a value that there is.
fn check(series: &str) {
    let name = name_of(series);
    let found = METRICS.iter().find(|metric| written(metric).iter().any(|written| written == name));
    let metric = found.unwrap_or_else(|| panic!("{series} is not described"));
    let labels = series[name.len()..].trim_start_matches('{').trim_end_matches('}');
    let labels: BTreeMap<&str, &str> = labels
        .split("\",")
        .filter(|label| !label.is_empty())
        .map(|label| label.split_once("=\"").unwrap())
        .collect();
    for (label, value) in &labels {
        let value = value.trim_end_matches('"');
        if metric.kind == Kind::Histogram && *label == "le" {
            continue;
        }
        let described = metric.labels.iter().find(|described| described.name == *label);
        let values = described.unwrap_or_else(|| panic!("{series} has a label that is not described")).values;
        assert!(values.is_empty() || values.contains(&value), "{series} has a value that is not described");
    }
    for label in metric.labels {
        assert!(labels.contains_key(label.name), "{series} lacks {}", label.name);
    }
}

/// The names under which a metric is written.
fn written(metric: &Metric) -> Vec<String> {
    let suffixes: &[&str] =
        if metric.kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
    suffixes.iter().map(|suffix| format!("{}{suffix}", metric.name)).collect()
}
