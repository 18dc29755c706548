//! Several instances on one PostgreSQL: what one of them hears, those who watch at another are told.

use std::time::{Duration, Instant};

use client_example::phone::{CallbackFaults, Faults};
use countersign_client::{Client, LoginState, Watch, WatchError};
use futures_util::{StreamExt, future::join_all};
use harness::{Callback, Database, Fleet, FleetBuilder, Line, Person, in_time, percentiles, report, require};
use throwaway::Nats;

/// A fleet whose passwords cost little: here they are only on the way.
fn builder(database: Database) -> FleetBuilder {
    Fleet::builder(database).set("HASH_MEMORY_KIB", "8").set("HASH_PASSES", "1")
}

/// Logins that have begun anywhere, each watched by this client, and what the provider will say of each. The watchers
/// have been told that nothing has happened yet.
async fn watched(fleet: &Fleet, watcher: &Client, people: usize, logins: usize) -> Vec<(Callback, Watch)> {
    let mut open = Vec::new();
    for _ in 0..people {
        let person = Person::new();
        fleet.sign_up(&person).await;
        let begun = join_all((0..logins).map(|_| fleet.begin_login(&person))).await;
        let device = fleet.device(&person).await;
        for login in begun {
            let push = device.pending_request(login.status.match_number.as_deref().unwrap()).unwrap();
            let approval = Callback::new(fleet, &push.uuid, device.authy_id, "approved");
            open.push((approval, watcher.watch(&login.login_token)));
        }
    }
    for (_, watch) in &mut open {
        assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    }
    open
}

/// How long it took from sending a callback.
struct Delivery {
    /// To its answer, when its effect is stored.
    answered: Duration,
    /// To its watcher's being told.
    told: Duration,
}

/// Sends one callback after another, until all watchers have been told.
async fn deliver(fleet: &Fleet, logins: Vec<(Callback, Watch)>) -> Vec<Delivery> {
    let (callbacks, watches): (Vec<_>, Vec<_>) = logins.into_iter().unzip();
    let sending = async {
        let mut sent = Vec::new();
        for callback in callbacks {
            let start = Instant::now();
            assert_eq!(callback.send(fleet).await, 200);
            sent.push((start, start.elapsed()));
        }
        sent
    };
    let telling = watches.into_iter().map(async |mut watch| {
        let status = watch.next().await.unwrap().unwrap();
        assert_eq!(status.state, LoginState::Approved);
        Instant::now()
    });
    let (sent, told) = tokio::join!(sending, join_all(telling));
    let deliveries = sent.into_iter().zip(told);
    deliveries.map(|((start, answered), told)| Delivery { answered, told: told - start }).collect()
}

/// Says how long it took, and how many there were.
fn report_deliveries(how: &str, deliveries: &[Delivery]) {
    let answered = percentiles(deliveries.iter().map(|delivery| delivery.answered).collect());
    let told = percentiles(deliveries.iter().map(|delivery| delivery.told).collect());
    report(&format!(
        "a callback to one instance, {how}: answered after {answered}; watcher at another told after {told}"
    ));
}

/// Has two hundred logins approved by callbacks to one instance, while they are watched at another: each when the
/// watcher before it has been told. Were they told by looking what changed, it would take ten minutes.
async fn two_hundred_deliveries(fleet: FleetBuilder, how: &str) {
    let fleet = fleet.callbacks_to(0).start().await;
    let logins = watched(&fleet, &fleet.client_of(1), 4, 50).await;
    let mut deliveries = Vec::new();
    in_time(async {
        for login in logins {
            deliveries.extend(deliver(&fleet, vec![login]).await);
        }
    })
    .await;
    assert_eq!(deliveries.len(), 200);
    report_deliveries(how, &deliveries);
}

#[tokio::test]
async fn a_callback_to_one_instance_wakes_the_watcher_at_another_by_notify() {
    let Some(database) = Database::postgres().await else { return };
    two_hundred_deliveries(builder(database), "by NOTIFY").await;
}

#[tokio::test]
async fn a_callback_to_one_instance_wakes_the_watcher_at_another_by_nats() {
    let Some(database) = Database::postgres().await else { return };
    let Some(nats) = require("nats", Nats::start().await) else { return };
    two_hundred_deliveries(builder(database).nats(&nats), "by NATS").await;
}

#[tokio::test]
async fn without_any_notification_every_watcher_still_learns() {
    let Some(database) = Database::postgres().await else { return };
    let line = database.line().await;
    let fleet = builder(database).set("DATABASE_URL", line.url()).callbacks_to(0).start().await;
    let logins = watched(&fleet, &fleet.client_of(1), 1, 20).await;
    line.set(Line::WithoutNotifications);
    let deliveries = in_time(deliver(&fleet, logins)).await;
    assert_eq!(deliveries.len(), 20);
    assert!(line.notifications_lost() > 0, "none was sent, so none was lost");
    report_deliveries("every notification lost", &deliveries);
}

#[tokio::test]
async fn without_nats_every_watcher_still_learns() {
    let Some(database) = Database::postgres().await else { return };
    let Some(nats) = require("nats", Nats::start().await) else { return };
    let fleet = builder(database).nats(&nats).callbacks_to(0).start().await;
    let logins = watched(&fleet, &fleet.client_of(1), 1, 20).await;
    nats.stop().await;
    let deliveries = in_time(deliver(&fleet, logins)).await;
    assert_eq!(deliveries.len(), 20);
    report_deliveries("without NATS", &deliveries);
}

#[tokio::test]
async fn lost_callbacks_are_asked_for_at_one_pace_for_the_whole_fleet() {
    const PUSHES: usize = 40;
    let Some(database) = Database::postgres().await else { return };
    let fleet = builder(database).instances(3).start().await;
    let people: Vec<_> = (0..PUSHES).map(|_| Person::new()).collect();
    let lost = CallbackFaults { drop: 1.0, ..CallbackFaults::default() };
    fleet.phone.set_faults(&Faults::callbacks(lost)).await.unwrap();
    let start = Instant::now();
    let sessions = join_all(people.iter().map(|person| fleet.sign_up(person)));
    assert_eq!(in_time(sessions).await.len(), PUSHES);
    let (asked, took) =
        (fleet.phone.calls().await.unwrap().count("approval_request_status"), start.elapsed());
    assert!(asked >= PUSHES as u64, "only {asked} were asked about");
    // The first asking is four and a half seconds after its push at the soonest, and from each to the next is a tenth.
    let soonest = Duration::from_millis(4_500 + 100 * (asked - 1));
    assert!(took >= soonest, "{asked} were asked about in {took:?}");
    report(&format!("three instances asked {asked} times about {PUSHES} lost callbacks, in {took:.1?}"));
}

#[tokio::test]
async fn logging_out_at_one_instance_closes_the_sockets_at_another() {
    let Some(database) = Database::postgres().await else { return };
    let (fleet, person) = (builder(database).start().await, Person::new());
    let token = fleet.sign_up(&person).await.token;
    let begun = fleet.begin_login(&person).await;
    let mut watch = fleet.client_of(1).with_bearer(token.clone()).watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    assert!(fleet.client_of(0).with_bearer(token).logout().await.unwrap());
    let last = in_time(watch.next()).await.unwrap();
    assert!(matches!(last, Err(WatchError::SessionEnded)), "{last:?}");
}

#[tokio::test]
async fn a_watcher_outlives_every_instance_that_it_was_connected_to() {
    let Some(database) = Database::postgres().await else { return };
    let (fleet, person) = (builder(database).start().await, Person::new());
    let begun = fleet.begin_signup(&person).await;
    let mut watch = fleet.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    fleet.kill(0).await;
    fleet.start(0).await;
    assert_eq!(fleet.terminate(1).await, Some(0));
    fleet.start(1).await;
    fleet.kill(0).await;
    fleet.approve(&person, &begun.status).await;
    assert_eq!(in_time(watch.next()).await.unwrap().unwrap().state, LoginState::Approved);
    fleet.start(0).await;
    let session = fleet.session(&begun.login_token).await;
    for instance in 0..2 {
        let me = fleet.client_of(instance).with_bearer(session.token.clone()).me().await.unwrap();
        assert_eq!(me.as_ref(), Some(&session.user));
    }
}
