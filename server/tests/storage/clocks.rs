//! The database's time is everybody's: instances whose own clocks are wrong count and end nothing wrongly.

use countersign::{
    clock::Clock,
    model::{Budget, Growth, Rate},
    storage::Taking,
    timekeeping::TimeKeeping,
};

use tokio_util::sync::CancellationToken;

use super::{budgets::taking, *};

/// How many guesses an attacker sends to an instance whose clock is behind.
const GUESSES: usize = 870;

/// The clock of an instance on a machine whose own is ahead by so much, once it has measured the database's time.
async fn measured(database: &Database, error: TimeDelta) -> Clock {
    let clock = Clock::with_system_error(error);
    TimeKeeping::new(database.store.clone(), clock.clone()).measure().await.unwrap();
    clock
}

/// Three at once, and then one a minute.
fn guesses() -> Taking {
    let growth = Growth { step: Duration::from_mins(1), longest: Duration::from_mins(1) };
    taking("guesses", Budget::growing(Rate { count: 3, per: Duration::from_mins(30) }, growth))
}

async fn let_through(database: &Database, clock: &Clock, guesses: &Taking) -> usize {
    let mut through = 0;
    for _ in 0..GUESSES {
        let taken = database.store.take_budgets(std::slice::from_ref(guesses), clock.now()).await.unwrap();
        through += usize::from(taken.is_ok());
    }
    through
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_database_is_away_waits_for_its_time() {
    let Some(cluster) = require("postgres", Cluster::start().await) else { return };
    let database = cluster.create_database().await;
    let store = Store::open(database.url(), &settings()).unwrap();
    let clock = Clock::with_system_error(TimeDelta::hours(2));
    let (mut time_keeping, shutdown) = (TimeKeeping::new(store, clock.clone()), CancellationToken::new());
    cluster.stop_immediate().await;
    tokio::join!(time_keeping.measure_first(&shutdown), cluster.start_again());
    assert!(clock.is_following() && (clock.system_time() - clock.now()).num_minutes() > 110);
    // At shutdown nobody waits.
    cluster.stop_immediate().await;
    tokio::join!(time_keeping.measure_first(&shutdown), async { shutdown.cancel() });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_behind_lets_no_more_guesses_through() {
    let Some(database) = Database::postgres().await else { return };
    let (right, guesses) = (measured(&database, TimeDelta::zero()).await, guesses());
    while database.store.take_budgets(std::slice::from_ref(&guesses), right.now()).await.unwrap().is_ok() {}
    let begun = right.now();
    let behind = measured(&database, TimeDelta::seconds(-125)).await;
    let through = let_through(&database, &behind, &guesses).await;
    // One that is right lets as many through as minutes pass meanwhile.
    let minutes = usize::try_from((right.now() - begun).num_minutes()).unwrap();
    assert!(through <= minutes, "{through} of {GUESSES}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_ahead_deletes_no_limits_and_ends_no_logins() {
    let Some(mut database) = Database::postgres().await else { return };
    let (right, guesses) = (measured(&database, TimeDelta::zero()).await, guesses());
    database.now = right.now();
    while database.store.take_budgets(std::slice::from_ref(&guesses), right.now()).await.unwrap().is_ok() {}
    database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let ahead = measured(&database, TimeDelta::hours(2)).await;
    assert_eq!(database.store.remove_full_budgets(None, ahead.now(), 100).await.unwrap().removed, 0);
    let found = database.store.find_used_up(&[guesses], ahead.now()).await.unwrap();
    assert!(found.is_some());
    let now = ahead.now();
    let leased_until = now + TimeDelta::minutes(1);
    let claim = OverdueClaim { now, unheard_before: Some(now), leased_until, limit: 10 };
    assert_eq!(database.store.claim_overdue(&claim).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_has_the_time_of_its_machine() {
    let database = Database::sqlite().await;
    assert!(database.store.read_server_time().await.unwrap().is_none());
    assert!(!measured(&database, TimeDelta::zero()).await.is_following());
}
