//! Made-up results, for the tests of what shows them.

use super::{Machine, Plot, Report, Row, Section, Series};

/// A report of two phases, the first with these plots.
pub(super) fn report(plots: Vec<Plot>) -> Report {
    let row = |what: &str, measured: &str, asked: Option<(&str, bool)>| Row {
        what: what.to_owned(),
        measured: measured.to_owned(),
        asked: asked.map(|(asked, _)| asked.to_owned()),
        holds: asked.map(|(_, holds)| holds),
    };
    let answering = Section {
        title: "Answering, while nobody logs in".to_owned(),
        about: "Asked over and over.".to_owned(),
        rows: vec![
            row("`me`, median", "0.21 ms", None),
            row("`loginStatus`, p99", "1.4 ms", Some(("< 5 ms", true))),
        ],
        plots,
    };
    let hashing = Section {
        title: "Hashing".to_owned(),
        about: String::new(),
        rows: vec![row("logins a | second", "92", Some(("at least 100", false)))],
        plots: Vec::new(),
    };
    Report {
        date: "1 January 2026".to_owned(),
        machine: Machine::read(),
        settings: vec![("a|b".to_owned(), "1 < 2".to_owned())],
        command: "cargo run".to_owned(),
        sections: vec![answering, hashing],
    }
}

/// A plot of one line.
pub(super) fn plot() -> Plot {
    let series = vec![Series { name: "p50", points: vec![(1.0, 1.0), (1000.0, 2.0)] }];
    Plot { name: "memory", title: "About memory", unit: "MiB", series }
}
