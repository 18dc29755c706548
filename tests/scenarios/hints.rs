//! What instances tell each other, counted on both sides: what was sent, what was heard, and what had to be looked for.

use countersign_client::{LoginState, Watch};
use futures_util::StreamExt;
use harness::{Callback, Database, Fleet, FleetBuilder, Line, Meter, Person, World, in_time, require};
use throwaway::Nats;

const SENT: &str = "countersign_hints_sent_total";
const HEARD: &str = "countersign_hints_heard_total";
const LOST: &str = "countersign_hints_lost_total";
const MISSED: &str = "countersign_hints_missed_total";
const TOLD: &str = r#"countersign_changes_learnt_total{by="hint"}"#;
const FOUND: &str = r#"countersign_changes_learnt_total{by="look"}"#;

/// A signup that nobody has watched before, watched at the second instance, and what the provider will say of it to the
/// first.
async fn watched(fleet: &Fleet) -> (Callback, Watch) {
    let person = Person::new();
    let begun = fleet.begin_signup(&person).await;
    let mut watch = fleet.client_of(1).watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    let (push, device) = (fleet.push(&person, &begun.status).await, fleet.device(&person).await);
    (Callback::new(fleet, &push.uuid, device.authy_id, "approved"), watch)
}

async fn deliver(fleet: &Fleet, callback: &Callback, watch: &mut Watch) {
    assert_eq!(callback.send(fleet).await, 200);
    let status = in_time(watch.next()).await.unwrap().unwrap();
    assert_eq!(status.state, LoginState::Approved);
    fleet.planted.plant("session token", status.session.unwrap().token.reveal());
}

/// The hints that were sent, heard and lost, and the changes that watchers were told of and found.
async fn hints(meter: &Meter) -> [i64; 5] {
    let counts = meter.read().await;
    [SENT, HEARD, LOST, TOLD, FOUND].map(|metric| counts.of(metric))
}

/// One change at one instance, of which a watcher at another is told once: by one hint, or by a look that was faster.
async fn one_change(fleet: FleetBuilder) {
    let fleet = fleet.with_metrics().callbacks_to(0).start().await;
    let meters = [fleet.meter(0), fleet.meter(1)];
    for meter in &meters {
        in_time(meter.wait_for(MISSED, 1)).await;
    }
    let (callback, mut watch) = watched(&fleet).await;
    assert_eq!((hints(&meters[0]).await, hints(&meters[1]).await), ([0; 5], [0; 5]));
    deliver(&fleet, &callback, &mut watch).await;
    in_time(meters[0].wait_for(SENT, 1)).await;
    assert_eq!(hints(&meters[0]).await, [1, 0, 0, 0, 0]);
    let [sent, heard, lost, told, found] = hints(&meters[1]).await;
    assert_eq!([sent, heard, lost, told + found], [0, 1, 0, 1]);
}

#[tokio::test]
async fn a_hint_by_notify_is_counted_where_it_was_sent_and_where_it_was_heard() {
    let Some(database) = Database::postgres().await else { return };
    one_change(Fleet::builder(database)).await;
}

#[tokio::test]
async fn a_hint_by_nats_is_counted_where_it_was_sent_and_where_it_was_heard() {
    let Some(database) = Database::postgres().await else { return };
    let Some(nats) = require("nats", Nats::start().await) else { return };
    one_change(Fleet::builder(database).nats(&nats)).await;
}

#[tokio::test]
async fn a_change_of_which_no_hint_came_is_counted_as_found() {
    let Some(database) = Database::postgres().await else { return };
    let line = database.line().await;
    let fleet = Fleet::builder(database).set("DATABASE_URL", line.url()).with_metrics().callbacks_to(0);
    let fleet = fleet.start().await;
    let (callback, mut watch) = watched(&fleet).await;
    line.set(Line::WithoutNotifications);
    deliver(&fleet, &callback, &mut watch).await;
    let meters = [fleet.meter(0), fleet.meter(1)];
    in_time(meters[0].wait_for(SENT, 1)).await;
    assert_eq!((hints(&meters[0]).await, hints(&meters[1]).await), ([1, 0, 0, 0, 0], [0, 0, 0, 0, 1]));
}

#[tokio::test]
async fn an_outage_of_the_database_is_counted_as_errors_and_a_callback_that_is_kept() {
    let Some(database) = Database::postgres().await else { return };
    let line = database.line().await;
    let builder = World::builder(database).split().set("DATABASE_URL", line.url()).with_metrics();
    let (world, person) = (builder.start().await, Person::new());
    let begun = world.begin_signup(&person).await;
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    let (meter, push) = (world.meter(), world.push(&person, &begun.status).await.uuid);
    in_time(meter.wait_for(MISSED, 1)).await;
    line.set(Line::Cut);
    world.phone.approve(&push).await.unwrap();
    assert_eq!(in_time(world.answer_to_callback(&push)).await, 200);
    in_time(meter.wait_for(r#"countersign_callbacks_total{answer="kept"}"#, 1)).await;
    let troubles = ["no_connection", "connection_lost", "none_free"];
    let troubles = troubles.map(|kind| format!(r#"countersign_database_errors_total{{kind="{kind}"}}"#));
    // A callback may be kept because nobody answered in time; storing it again meets what is wrong.
    let is_counted = |counts: &harness::Counts| troubles.iter().any(|series| counts.of(series) > 0);
    in_time(meter.wait_until(is_counted)).await;
    line.set(Line::Whole);
    let status = in_time(watch.next()).await.unwrap().unwrap();
    assert_eq!(status.state, LoginState::Approved);
    world.planted.plant("session token", status.session.unwrap().token.reveal());
    let ended = r#"countersign_logins_ended_total{purpose="signup",outcome="approved",by="callback"}"#;
    let counts = in_time(meter.wait_for(MISSED, 2)).await;
    assert_eq!(counts.of(ended), 1);
    let heard: Vec<_> = ["accepted", "repeated", "kept"]
        .map(|answer| counts.of(&format!(r#"countersign_callbacks_total{{answer="{answer}"}}"#)))
        .into();
    assert_eq!(heard, [0, 0, 1]);
}
