//! Who does not log in must not feel that others do: `me` and verdicts while logins keep every hashing thread busy.

use futures_util::{StreamExt, stream};
use harness::Database;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Extent, Row};
use crate::{
    connection::Prepared,
    driver::{Question, at_a_pace},
    latencies::{Latencies, milliseconds},
    people::{SignedUp, begin, sign_up},
    report::Section,
    stage::Stage,
    verdicts::{Pace, deliver},
};

/// How often `me` is asked, whatever comes of it.
const A_SECOND: u32 = 200;
/// Those whose logins are the storm, and those whose logins are judged meanwhile.
const STORMING: usize = 80;
const JUDGED: usize = 20;
/// Logins of the storm that are under way at once, for each thread that hashes.
const AHEAD: usize = 8;

/// What was felt.
struct Felt {
    me: Latencies,
    told: Latencies,
}

pub(crate) async fn run(extent: &Extent) -> anyhow::Result<Section> {
    let stage = Stage::builder(&extent.cores)?.start(Database::Sqlite).await?;
    let mut storming = sign_up(&stage, STORMING + JUDGED).await?;
    let judged = storming.split_off(STORMING);
    let at_rest = feel(&stage, &judged, extent).await?;
    let over = CancellationToken::new();
    let feeling = async {
        let felt = feel(&stage, &judged, extent).await;
        over.cancel();
        felt
    };
    let (in_storm, logins) = tokio::join!(feeling, storm(&stage, &storming, &over, extent));
    Ok(section(&at_rest, &in_storm?, logins?))
}

async fn feel(stage: &Stage, judged: &[SignedUp], extent: &Extent) -> anyhow::Result<Felt> {
    let bearer = Some(judged[0].bearer.reveal());
    let me = Prepared::graphql(&json!({ "query": "{ me { id email } }" }), bearer);
    let question = Question::with_answer_holding(stage.address(0), me, &judged[0].user_id).await?;
    let me = at_a_pace(stage.address(0), &question, A_SECOND, extent.turn * 3).await?;
    let pace = Pace {
        verdicts: extent.verdicts,
        together: extent.verdicts,
        a_second: extent.verdicts_a_second,
        heard_by: 0,
        told_by: 0,
    };
    let told = deliver(stage, judged, pace, 0.0).await?.after_callback;
    Ok(Felt { me, told })
}

/// Logs in until it is over. Returns how many logins that were.
async fn storm(
    stage: &Stage,
    people: &[SignedUp],
    over: &CancellationToken,
    extent: &Extent,
) -> anyhow::Result<usize> {
    let mut logins = stream::iter(people.iter().cycle())
        .take_while(|_| std::future::ready(!over.is_cancelled()))
        .map(|person| begin(stage, person))
        .buffer_unordered(AHEAD * extent.cores.server.len());
    let mut count = 0;
    while let Some(login) = logins.next().await {
        login?;
        count += 1;
    }
    Ok(count)
}

fn section(at_rest: &Felt, in_storm: &Felt, logins: usize) -> Section {
    let compared = |what: &str, calm: &Latencies, stormy: &Latencies| {
        let ratio = stormy.p99().as_secs_f64() / calm.p99().as_secs_f64();
        [
            Row::told(format!("p99 of {what} at rest"), milliseconds(calm.p99())),
            Row::told(format!("p99 of {what} in the storm"), milliseconds(stormy.p99())),
            Row::told(format!("p99 of {what}, storm to rest"), format!("{ratio:.2}"))
                .asked("at most 3", ratio <= 3.0),
        ]
    };
    let rows = compared("`me`", &at_rest.me, &in_storm.me);
    let rows =
        rows.into_iter().chain(compared("a verdict's delivery", &at_rest.told, &in_storm.told)).collect();
    Section {
        title: "In a storm of logins".to_owned(),
        about: format!(
            "`me` is asked {A_SECOND} times a second whatever comes of it, and then logins are approved: once at rest, and once while \
             others log in so fast that every hashing thread has work waiting ({logins} logins). A delivery is the time from the \
             first byte of the provider's callback until the subscriber has the session."
        ),
        rows,
        plots: Vec::new(),
    }
}
