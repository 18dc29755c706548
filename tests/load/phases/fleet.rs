//! Two instances on one database: the callback reaches one, and whoever waits is connected to the other.

use harness::Database;

use super::{
    Extent,
    waiting::{delivery_plot, delivery_rows, one_at_a_time, watch_crowds},
};
use crate::{people::sign_up, report::Section, stage::Stage};

/// How many logins one person has open.
const LOGINS_EACH: usize = 15;
/// Those whose logins are judged.
const JUDGED: usize = 20;

pub(crate) async fn run(extent: &Extent, database: Database) -> anyhow::Result<Section> {
    let builder = Stage::builder(&extent.cores)?.with_cheap_hashes().instances(2);
    let stage = builder.start(database).await?;
    let people = sign_up(&stage, JUDGED + extent.most().div_ceil(LOGINS_EACH)).await?;
    let (judged, waiting) = people.split_at(JUDGED);
    let seen = watch_crowds(extent, &stage, (judged, waiting), one_at_a_time(extent, 1)).await?;
    Ok(Section {
        title: "Across two instances".to_owned(),
        about: "The same with two instances on one PostgreSQL, on the same cores: callbacks reach one instance, and everybody waits \
                at the other. NOTIFY carries the hint, and the processor's time is that of both instances."
            .to_owned(),
        rows: delivery_rows(&seen),
        plots: vec![delivery_plot("fleet", "From the callback at one instance to the subscriber at the other", &seen)],
    })
}
