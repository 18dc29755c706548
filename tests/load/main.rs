//! A made-up report, to look at.

mod report;

use report::{Axis, Kind, Machine, Plot, Report, Row, Section, Series};

fn main() -> anyhow::Result<()> {
    use std::io::Write as _;
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/load".to_owned());
    let report = made_up();
    std::io::stdout().write_all(report.table().as_bytes())?;
    report.write(std::path::Path::new(&folder))
}

fn series(name: &str, kind: Kind, points: impl IntoIterator<Item = (f64, f64)>) -> Series {
    Series { name: name.to_owned(), kind, points: points.into_iter().collect() }
}

fn plot(name: &str, title: &str, (x, y): ((&str, bool), (&str, bool)), series: Vec<Series>) -> Plot {
    let axis = |(label, is_logarithmic): (&str, bool)| Axis { label: label.to_owned(), is_logarithmic };
    Plot { name: name.to_owned(), title: title.to_owned(), x: axis(x), y: axis(y), series }
}

fn row(what: &str, measured: &str, asked: Option<&str>, holds: Option<bool>) -> Row {
    Row { what: what.to_owned(), measured: measured.to_owned(), asked: asked.map(str::to_owned), holds }
}

fn made_up() -> Report {
    let wave = |i: u32, s: f64| {
        (
            f64::from(i) * 0.1,
            s + s * 0.1 * (f64::from(i) * 0.37).sin() + s * 0.05 * (f64::from(i) * 1.7).cos(),
        )
    };
    let tail = |s: f64| {
        [0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99]
            .map(move |p: f64| (100.0 / (100.0 - p), s * (1.0 + (100.0 / (100.0 - p)).ln())))
    };
    let plots = vec![
        plot(
            "memory",
            "Memory while sockets are open",
            (("seconds since the start", false), ("resident memory, MiB", false)),
            vec![
                series("10,000 watchers", Kind::Line, (0..6000).map(|i| wave(i, 210.0))),
                series("idle", Kind::Line, (0..6000).map(|i| wave(i, 31.0))),
            ],
        ),
        plot(
            "latency",
            "Answer time by percentile",
            (("one request in so many is slower", true), ("milliseconds", true)),
            vec![
                series("me", Kind::Line, tail(0.21)),
                series("loginStatus", Kind::Line, tail(0.42)),
                series("login, right password", Kind::Line, tail(22.0)),
                series("login, unknown address", Kind::Line, tail(22.4)),
                series("callback", Kind::Line, tail(1.9)),
                series("health", Kind::Line, tail(0.06)),
            ],
        ),
        plot(
            "fan-out",
            "An approval reaches its watcher",
            (("watchers", true), ("milliseconds from callback to browser", true)),
            vec![
                series(
                    "each",
                    Kind::Points,
                    (0..900).map(|i| {
                        (
                            10_f64.powi(1 + i % 4),
                            0.8 * (1.0 + f64::from(i * 7919 % 97) / 20.0) * f64::from(1 + i % 4),
                        )
                    }),
                ),
                series("median", Kind::Line, [(10.0, 2.2), (100.0, 5.0), (1000.0, 9.0), (10000.0, 13.0)]),
            ],
        ),
        plot(
            "instances",
            "Logins a second, by instances",
            (("instances", false), ("logins a second", false)),
            vec![
                series("PostgreSQL", Kind::Bars, [(1.0, 92.0), (2.0, 181.0), (4.0, 240.0)]),
                series("with NATS", Kind::Bars, [(1.0, 90.0), (2.0, 184.0), (4.0, 255.0)]),
            ],
        ),
        plot(
            "watchers-bars",
            "Bytes a watcher",
            (("watchers", true), ("bytes", false)),
            vec![series(
                "",
                Kind::Bars,
                [
                    (1.0, 1_900_000.0),
                    (10.0, 400_000.0),
                    (100.0, 61_000.0),
                    (1000.0, 44_000.0),
                    (10000.0, 42_100.0),
                ],
            )],
        ),
        plot(
            "histogram",
            "Answer times of 100,000 requests",
            (("milliseconds", true), ("requests", true)),
            vec![
                series(
                    "me",
                    Kind::Bars,
                    (0..40).map(|i| {
                        (
                            0.1 * 1.12_f64.powi(i),
                            (60_000.0 * (-f64::from((i - 9) * (i - 9)) / 30.0).exp()).round(),
                        )
                    }),
                ),
                series("broken", Kind::Line, []),
            ],
        ),
        plot(
            "gaps",
            "A series with <gaps> & \"quotes\"",
            (("seconds", false), ("requests a second", false)),
            vec![
                series(
                    "served",
                    Kind::Line,
                    (0..60).map(|i| {
                        (f64::from(i), if i % 17 == 3 { f64::NAN } else { 9000.0 + f64::from(i * i) })
                    }),
                ),
                series("lost", Kind::Points, [(3.0, 100.0), (20.0, 4000.0)]),
            ],
        ),
        plot(
            "nothing",
            "Nothing was measured",
            (("seconds", false), ("requests", false)),
            vec![series("served", Kind::Line, [])],
        ),
    ];
    Report {
        date: "1 January 2026".to_owned(),
        machine: Machine::read(),
        settings: vec![("LISTEN".to_owned(), "127.0.0.1:0".to_owned())],
        command: "cargo run --release -p scenarios --bin load".to_owned(),
        sections: vec![
            Section {
                title: "Answering, while nobody logs in".to_owned(),
                about: "Made up.".to_owned(),
                rows: vec![
                    row("`me`, median", "0.21 ms", None, None),
                    row("`loginStatus`, p99", "1.4 ms", Some("< 5 ms"), Some(true)),
                ],
                plots,
            },
            Section {
                title: "Hashing".to_owned(),
                about: "Made up.".to_owned(),
                rows: vec![row("logins a second", "92", Some("at least 100"), Some(false))],
                plots: vec![],
            },
        ],
    }
}
