//! A made-up report, written into the folder that is named, until there is something to measure.

mod report;

use std::{io::Write as _, path::Path};

use report::{Axis, Kind, Machine, Plot, Report, Row, Section, Series};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/load".to_owned());
    let axis = |label: &str| Axis { label: label.to_owned(), is_logarithmic: true };
    let series = [Kind::Line, Kind::Points, Kind::Bars].map(|kind| Series {
        name: format!("{kind:?}"),
        kind,
        points: (0..4).map(|decade| (10_f64.powi(decade), f64::from(decade + 1))).collect(),
    });
    let plot = Plot {
        name: "made-up".to_owned(),
        title: "Made up".to_owned(),
        x: axis("watchers"),
        y: axis("milliseconds"),
        series: series.into(),
    };
    let row = Row { what: "made up".to_owned(), measured: "1 ms".to_owned(), asked: None, holds: None };
    let section = Section {
        title: "Made up".to_owned(),
        about: "Nothing was measured.".to_owned(),
        rows: vec![row],
        plots: vec![plot],
    };
    let report = Report {
        date: "never".to_owned(),
        machine: Machine::read(),
        settings: Vec::new(),
        command: "cargo run --release -p scenarios --bin load".to_owned(),
        sections: vec![section],
    };
    std::io::stdout().write_all(report.table().as_bytes())?;
    report.write(Path::new(&folder))
}
