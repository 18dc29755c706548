//! Made-up results, for the tests of what shows them.

use super::{Axis, Kind, Machine, Plot, Report, Row, Section, Series};

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

/// A plot with linear axes.
pub(super) fn plot(name: &str, series: Vec<Series>) -> Plot {
    let axis = |label: &str| Axis { label: label.to_owned(), is_logarithmic: false };
    Plot { name: name.to_owned(), title: format!("About {name}"), x: axis("seconds"), y: axis("MiB"), series }
}

/// A series of points.
pub(super) fn series(kind: Kind, points: &[(f64, f64)]) -> Series {
    Series { name: "idle".to_owned(), kind, points: points.to_vec() }
}
