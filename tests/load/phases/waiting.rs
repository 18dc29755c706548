//! Crowds that wait: what each of them costs, and what they cost the one whose phone is answered.

use std::time::Duration;

use harness::Database;
use tokio::time::sleep;

use super::{Extent, Row, in_milliseconds, number};
use crate::{
    latencies::milliseconds,
    people::{SignedUp, log_in, sign_up},
    report::{Plot, Section, Series},
    stage::Stage,
    verdicts::{Deliveries, Pace, deliver},
    waiters::Waiters,
};

/// How many logins one person has open.
const LOGINS_EACH: usize = 15;
/// Those whose logins are judged.
const JUDGED: usize = 20;
/// The smallest crowd, which the others are compared with.
const ONE: usize = 1;
/// Processes of those who wait.
const PROCESSES: usize = 2;
/// All memory is given in KiB.
const KIB: f64 = 1_024.0;

/// What was seen with a crowd of one size.
pub(crate) struct Seen {
    pub(crate) crowd: usize,
    /// Server memory for each of them.
    kib_each: f64,
    connected_in: Duration,
    /// The share of one core that all of them take while nothing happens.
    at_rest: f64,
    pub(crate) deliveries: Deliveries,
}

pub(crate) async fn run(extent: &Extent) -> anyhow::Result<Section> {
    let builder = Stage::builder(&extent.cores)?.with_cheap_hashes().without_disk()?;
    let stage = builder.start(Database::Sqlite).await?;
    let people = sign_up(&stage, JUDGED + extent.most().div_ceil(LOGINS_EACH)).await?;
    let (judged, waiting) = people.split_at(JUDGED);
    let pace = one_at_a_time(extent, 0);
    Ok(section(&watch_crowds(extent, &stage, (judged, waiting), pace).await?))
}

/// Verdicts for one after another, who wait beside the crowd: how many wait is then what the crowd is.
pub(crate) fn one_at_a_time(extent: &Extent, told_by: usize) -> Pace {
    Pace { verdicts: extent.verdicts, together: 1, a_second: extent.verdicts_a_second, heard_by: 0, told_by }
}

/// Lets the crowd grow, and looks at each size.
pub(crate) async fn watch_crowds(
    extent: &Extent,
    stage: &Stage,
    (judged, waiting): (&[SignedUp], &[SignedUp]),
    pace: Pace,
) -> anyhow::Result<Vec<Seen>> {
    let logins = log_in(stage, waiting, extent.most()).await?;
    let tokens: Vec<_> = logins.into_iter().map(|login| login.begun.login_token).collect();
    let mut waiters = Waiters::start(&extent.cores.others, stage.address(pace.told_by), PROCESSES)?;
    // Whatever is made once is made before anything is measured.
    deliver(stage, judged, pace, 0.0).await?;
    sleep(extent.settling).await;
    let (empty, mut seen) = (stage.memory_bytes(pace.told_by)?, Vec::new());
    for crowd in std::iter::once(ONE).chain(extent.crowds.iter().copied()) {
        harness::report(&format!("  {crowd} wait …"));
        let connected_in = waiters.add(&tokens[waiters.waiting()..crowd]).await?;
        sleep(extent.settling).await;
        #[expect(clippy::cast_precision_loss, reason = "bytes of one process")]
        let grown = stage.memory_bytes(pace.told_by)?.saturating_sub(empty) as f64;
        let at_rest = stage.at_rest(extent.rest).await?;
        let deliveries = deliver(stage, judged, pace, at_rest).await?;
        waiters.ensure_undisturbed().await?;
        let kib_each = grown / KIB / number(crowd);
        seen.push(Seen { crowd, kib_each, connected_in, at_rest, deliveries });
    }
    Ok(seen)
}

fn section(seen: &[Seen]) -> Section {
    let mut rows: Vec<_> = seen.iter().filter(|seen| seen.crowd > ONE).flat_map(Seen::rows).collect();
    if let [.., most] = seen {
        rows.push(
            Row::told(
                format!("memory a waiting login at {}", most.crowd),
                format!("{:.1} KiB", most.kib_each),
            )
            .asked("at most 16 KiB", most.kib_each <= 16.0),
        );
        rows.push(
            Row::told(format!("processor at rest with {} waiting", most.crowd), share(most.at_rest))
                .asked("under 3 % of a core", most.at_rest < 0.03),
        );
    }
    rows.extend(delivery_rows(seen));
    let crowds = seen.iter().filter(|seen| seen.crowd > ONE);
    let memory = crowds.map(|seen| (number(seen.crowd), seen.kib_each)).collect();
    Section {
        title: "Waiting".to_owned(),
        about: "People wait for their phones: each on a socket and a login of their own, with the subscription document of \
                client-example, and with limits and pings as they are by default. Their sockets are held by processes of their \
                own. Beside each crowd one more person waits, is approved by a signed callback, and makes room for the next. What \
                is sent → told begins with the callback's first byte, what is answered → told when the provider has its answer, \
                and is nothing where the subscriber was told before that. The processor's time for a verdict is that of the whole \
                server, less what it takes at rest. SQLite, its file in memory."
            .to_owned(),
        rows,
        plots: vec![
            Plot {
                name: "memory",
                title: "Server memory of a waiting login",
                unit: "KiB",
                series: vec![Series { name: "memory", points: memory }],
            },
            delivery_plot("delivery", "From the callback to the subscriber", seen),
        ],
    }
}

/// What crowds make of a verdict.
pub(crate) fn delivery_rows(seen: &[Seen]) -> Vec<Row> {
    let mut rows = Vec::new();
    for Seen { crowd, deliveries, .. } in seen {
        let Deliveries { after_answer, after_callback, processor_time } = deliveries;
        rows.push(Row::told(
            format!("callback answered → told, {crowd} more waiting"),
            format!("p50 {}, p99 {}", milliseconds(after_answer.p50()), milliseconds(after_answer.p99())),
        ));
        rows.push(Row::told(
            format!("callback sent → told, {crowd} more waiting"),
            format!(
                "p50 {}, p99 {}, {} of processor each",
                milliseconds(after_callback.p50()),
                milliseconds(after_callback.p99()),
                milliseconds(*processor_time)
            ),
        ));
    }
    if let [alone, .., most] = seen {
        let p99 = most.deliveries.after_answer.p99();
        rows.push(
            Row::told(format!("p99 of a delivery with {} waiting", most.crowd), milliseconds(p99))
                .asked("under 10 ms", p99 < Duration::from_millis(10)),
        );
        let ratio =
            most.deliveries.processor_time.as_secs_f64() / alone.deliveries.processor_time.as_secs_f64();
        rows.push(
            Row::told(
                format!("processor a verdict, {} waiting to {}", most.crowd, alone.crowd),
                format!("{ratio:.2}"),
            )
            .asked("at most 1.5", ratio <= 1.5),
        );
    }
    rows
}

/// How long verdicts took in each crowd.
pub(crate) fn delivery_plot(name: &'static str, title: &'static str, seen: &[Seen]) -> Plot {
    let line = |name, percent: f64| {
        let at = |seen: &Seen| in_milliseconds(seen.deliveries.after_callback.percentile(percent));
        Series { name, points: seen.iter().map(|seen| (number(seen.crowd), at(seen))).collect() }
    };
    Plot { name, title, unit: "ms", series: vec![line("p50", 50.0), line("p99", 99.0)] }
}

fn share(of_a_core: f64) -> String {
    format!("{:.2} % of a core", of_a_core * 100.0)
}

impl Seen {
    fn rows(&self) -> [Row; 2] {
        let Self { crowd, kib_each, connected_in, at_rest, .. } = self;
        let rate = number(*crowd) / connected_in.as_secs_f64();
        [
            Row::told(format!("{crowd} waiting: memory each"), format!("{kib_each:.1} KiB")),
            Row::told(
                format!("{crowd} waiting: at rest"),
                format!("{}; the newest connected at {rate:.0} a second", share(*at_rest)),
            ),
        ]
    }
}
