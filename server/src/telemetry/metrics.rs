//! What is counted, and how it is read: as text, by Prometheus.
//!
//! Whoever counts says so where it happens; here stands what each count means. Labels are few and never a person's.

use anyhow::Context;
use metrics::{describe_counter, describe_gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The counts of this process.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to count, once for the process.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let handle = PrometheusBuilder::new().install_recorder().context("nothing can be counted")?;
        describe_counter!(
            "countersign_budgets_used_up_total",
            "Requests refused because a budget was used up, by the setting of that budget in lower case."
        );
        describe_counter!(
            "countersign_codes_sent_total",
            "Codes sent by text message or call, by calling code and by whether the phone was proven."
        );
        describe_counter!(
            "countersign_codes_returned_total",
            "Signups confirmed after a code was sent, by calling code."
        );
        describe_gauge!(
            "countersign_new_phones_stopped",
            "1 where too few codes come back, so that none are sent to unproven phones of this calling code."
        );
        Ok(Self(handle))
    }

    /// The counts as Prometheus reads them.
    pub(crate) fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}
