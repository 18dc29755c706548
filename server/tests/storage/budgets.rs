//! Budgets: nobody gets more than there is, however many take at once, and waiting as long as was said is enough.

use countersign::{
    model::{Budget, BudgetKey, Growth, Rate},
    storage::{CodeReturns, Insertion, LimitChanges, Taking, UsedUp},
};

use super::*;

const AT_ONCE: usize = 5;
/// What holds the place of each login's push.
pub(super) const PLACE: &str = "place";

/// Five at once, and one every two minutes.
fn strict() -> Budget {
    Budget::strict(Rate { count: 5, per: Duration::from_mins(10) })
}

/// Three without a pause, and then pauses of 5, 10, … 60 seconds.
fn growing() -> Budget {
    let growth = Growth { step: Duration::from_secs(5), longest: Duration::from_mins(1) };
    Budget::growing(Rate { count: 3, per: Duration::from_mins(30) }, growth)
}

pub(super) fn key(name: &str) -> BudgetKey {
    BudgetKey::new(name, &["somebody"])
}

/// What each denial costs.
pub(super) fn denial() -> Taking {
    taking("denials", growing())
}

pub(super) fn taking(name: &str, budget: Budget) -> Taking {
    Taking { key: key(name), budget }
}

/// When more may be taken; `None` where it was taken.
async fn take(database: &Database, taking: &Taking, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let taken = database.store.take_budgets(std::slice::from_ref(taking), now).await.unwrap();
    taken.err().map(|used_up| used_up.until)
}

async fn of_a_hundred_who_take_at_once_as_many_get_one_as_there_are(database: &Database) {
    let (first, second) = (taking("first", strict()), taking("second", strict()));
    let racing = (0..100).map(|number| {
        // Half of them name the two the other way round.
        let mut takings = vec![first.clone(), second.clone()];
        takings.rotate_left(number % 2);
        let (store, now) = (database.store.clone(), database.now);
        #[expect(clippy::disallowed_methods, reason = "it is waited for")]
        tokio::spawn(async move { store.take_budgets(&takings, now).await.unwrap().is_ok() })
    });
    let taken = futures_util::future::join_all(racing).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), AT_ONCE);
    // Whoever got none of one got none of the other.
    for one in [&first, &second] {
        let used_up = take(database, one, database.now).await;
        assert_eq!(used_up, Some(database.now + TimeDelta::minutes(2)));
    }
}

async fn what_is_used_up_comes_back_when_it_was_said_and_not_before(database: &Database) {
    let taking = taking("codes", strict());
    let mut now = database.now;
    for _ in 0..AT_ONCE {
        assert_eq!(take(database, &taking, now).await, None);
    }
    for _ in 0..3 {
        let until = take(database, &taking, now).await.unwrap();
        let found = database.store.find_used_up(std::slice::from_ref(&taking), now).await.unwrap();
        assert_eq!(found, Some(UsedUp { key: taking.key.clone(), until }));
        let just_before = until - TimeDelta::microseconds(1);
        assert_eq!(take(database, &taking, just_before).await, Some(until));
        assert_eq!(take(database, &taking, until).await, None);
        now = until;
    }
    // After ten minutes without any, all are back.
    now += TimeDelta::minutes(10);
    for _ in 0..AT_ONCE {
        assert_eq!(take(database, &taking, now).await, None);
    }
    assert!(take(database, &taking, now).await.is_some());
}

async fn pauses_grow_to_the_longest_and_no_further(database: &Database) {
    let taking = taking("passwords", growing());
    let mut now = database.now;
    let mut pauses = Vec::new();
    for _ in 0..20 {
        assert_eq!(take(database, &taking, now).await, None);
        let used_up = database.store.find_used_up(std::slice::from_ref(&taking), now).await.unwrap();
        let until = used_up.map_or(now, |used_up| used_up.until);
        pauses.push((until - now).num_seconds());
        now = until;
    }
    // What comes back meanwhile makes them a little shorter than they would be.
    assert_eq!(pauses[..6], [0, 0, 5, 9, 14, 19]);
    assert_eq!(pauses.last(), Some(&60));
    assert!(pauses.is_sorted(), "{pauses:?}");
    // Who has been guessing for a day waits no longer than who has been guessing for an hour.
    for _ in 0..200 {
        assert_eq!(take(database, &taking, now).await, None);
        now += TimeDelta::minutes(1);
    }
    assert_eq!(take(database, &taking, now).await, None);
    now += TimeDelta::hours(5);
    for _ in 0..2 {
        assert_eq!(take(database, &taking, now).await, None);
    }
}

async fn what_is_given_back_can_be_taken_again(database: &Database) {
    let (strict, growing) = (taking("codes", strict()), taking("passwords", growing()));
    let both = [strict.clone(), growing.clone()];
    // Whoever always gives back never waits.
    for _ in 0..50 {
        let taken = database.store.take_budgets(&both, database.now).await.unwrap().unwrap();
        database.store.give_back_budgets(&taken).await.unwrap();
    }
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(database.store.take_budgets(&both, database.now).await.unwrap().unwrap());
    }
    assert!(take(database, &growing, database.now).await.is_some());
    database.store.give_back_budgets(&taken.pop().unwrap()).await.unwrap();
    assert_eq!(take(database, &growing, database.now).await, None);
    for _ in 0..AT_ONCE - 2 {
        assert_eq!(take(database, &strict, database.now).await, None);
    }
    assert!(take(database, &strict, database.now).await.is_some());
    // Given back late, when somebody else has taken since.
    database.store.give_back_budgets(&taken.pop().unwrap()).await.unwrap();
    assert_eq!(take(database, &strict, database.now).await, None);
    assert!(take(database, &strict, database.now).await.is_some());
}

async fn a_login_is_stored_with_all_that_it_changes_of_limits_or_with_nothing(database: &Database) {
    let [password, push, place, required, denied] =
        ["passwords", "pushes", "places", "required", "denied"].map(|name| taking(name, strict()));
    let exhaust = async |taking: &Taking| {
        let one = std::slice::from_ref(taking);
        let mut last = Vec::new();
        for _ in 0..AT_ONCE {
            last = database.store.take_budgets(one, database.now).await.unwrap().unwrap();
        }
        last
    };
    let (released, _) = (exhaust(&password).await, exhaust(&denied).await);
    let insert = async |email, reserved: &[Taking], required: &[Taking]| {
        let changes = LimitChanges { released: &released, reserved, required };
        let (begun, inserted) = database.insert(&signup(email, "2015550123"), "42", &changes).await;
        let found = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap();
        assert_eq!(found.is_some(), matches!(inserted, Insertion::Stored(_)));
        inserted
    };
    let both = [push.clone(), place.clone()];
    let exhausted = |inserted| match inserted {
        Insertion::Exhausted(UsedUp { key, until }) => (key, until),
        other => panic!("{other:?}"),
    };
    let is_denied = (denied.key.clone(), database.now + TimeDelta::minutes(2));
    let with_denied = [push.clone(), denied.clone(), place.clone()];
    assert_eq!(exhausted(insert("ada@example.com", &with_denied, &[]).await), is_denied);
    assert_eq!(
        exhausted(insert("ada@example.com", &both, &[required.clone(), denied.clone()]).await),
        is_denied
    );
    assert!(take(database, &password, database.now).await.is_some(), "released without a login");

    let Insertion::Stored(reserved) = insert("ada@example.com", &both, std::slice::from_ref(&required)).await
    else {
        panic!("not stored")
    };
    assert_eq!(
        reserved.iter().map(|taken| taken.key().clone()).collect::<HashSet<_>>(),
        [push.key.clone(), place.key.clone()].into()
    );
    assert!(matches!(insert("bob@example.com", &both, &[]).await, Insertion::NumberTaken));
    // Released once, and each reserved once.
    assert_eq!(take(database, &password, database.now).await, None);
    assert!(take(database, &password, database.now).await.is_some());
    for (limit, left) in [(&push, AT_ONCE - 1), (&place, AT_ONCE - 1), (&required, AT_ONCE)] {
        for _ in 0..left {
            assert_eq!(take(database, limit, database.now).await, None);
        }
        assert!(take(database, limit, database.now).await.is_some());
    }
}

async fn of_a_hundred_logins_at_once_as_many_start_as_the_limit_allows(database: &Database) {
    let (push, place) = (taking("pushes", strict()), taking("places", strict()));
    let reserved = [push.clone(), place];
    let changes = LimitChanges { reserved: &reserved, required: &[denial()], ..LimitChanges::default() };
    let racing = (0..100).map(async |number| {
        // Half of them draw the same number for the same phone.
        let (email, phone) = (format!("ada{number}@example.com"), "2015550123");
        let number = if number % 2 == 0 { "42".to_owned() } else { format!("{number:02}") };
        database.insert(&signup(&email, phone), &number, &changes).await.1
    });
    let inserted = futures_util::future::join_all(racing).await;
    let stored = inserted.iter().filter(|inserted| matches!(inserted, Insertion::Stored(_))).count();
    assert_eq!(stored, AT_ONCE, "{inserted:?}");
    assert!(take(database, &push, database.now).await.is_some());
}

async fn each_denial_counts_once_although_its_budget_is_used_up(database: &Database) {
    for push in 1..=4 {
        let begun = database.begin_with_push(&format!("push-{push}")).await;
        for _ in 0..2 {
            database.settle(begun.id, Decision::Verdict(Verdict::Denied)).await;
        }
        let approved = database.begin_with_push(&format!("another-{push}")).await;
        database.settle(approved.id, Decision::Verdict(Verdict::Approved)).await;
    }
    let at = database.how().at;
    assert_eq!(take(database, &denial(), at).await, Some(at + TimeDelta::seconds(10)));
}

async fn a_clock_that_is_behind_does_not_make_anybody_wait(database: &Database) {
    let taking = taking("codes", strict());
    for seconds in 0..3 {
        let behind = database.now - TimeDelta::seconds(seconds);
        assert_eq!(take(database, &taking, behind).await, None, "{seconds}");
    }
}

/// Neither free at once, or a clock that is behind could be used to guess without end, nor for as long as it says.
async fn a_free_at_beyond_the_longest_pause_becomes_one_longest_pause(database: &Database) {
    let place = taking(PLACE, Budget::hold(Duration::from_mins(10)));
    let all = [
        (taking("codes", strict()), TimeDelta::minutes(2)),
        (taking("passwords", growing()), TimeDelta::minutes(1)),
        (place, TimeDelta::minutes(10)),
    ];
    let ahead = database.now + TimeDelta::days(1);
    for (one, longest) in &all {
        while take(database, one, ahead).await.is_none() {}
        let until = database.now + *longest;
        for seconds in [0, 20, 40] {
            let now = database.now + TimeDelta::seconds(seconds);
            assert_eq!(take(database, one, now).await, Some(until), "{longest}");
            let found = database.store.find_used_up(std::slice::from_ref(one), now).await.unwrap();
            assert_eq!(found.map(|found| found.until), Some(until), "{longest}");
        }
        assert_eq!(take(database, one, until).await, None, "{longest}");
        // What is used up was not forgiven.
        assert!(take(database, one, until).await.is_some(), "{longest}");
    }
}

async fn a_place_is_held_until_the_deadline_or_until_the_phone_has_answered(database: &Database) {
    let (begun, until) = (database.begin_with_push("push-1").await, database.now + TimeDelta::minutes(10));
    let place = taking(PLACE, Budget::hold(Duration::from_mins(10)));
    assert_eq!(take(database, &place, database.now).await, None);
    assert_eq!(take(database, &place, database.now).await, Some(until));
    // What becomes of the login does not take the push off the phone.
    database.settle(begun.id, Decision::Cancelled).await;
    assert_eq!(take(database, &place, database.now).await, Some(until));
    database.settle(begun.id, Decision::Verdict(Verdict::Denied)).await;
    let later = database.now + TimeDelta::minutes(1);
    assert_eq!(take(database, &place, later).await, None);
    // What the phone said of one push says nothing of the next.
    database.settle(begun.id, Decision::Verdict(Verdict::Denied)).await;
    assert_eq!(take(database, &place, later).await, Some(later + TimeDelta::minutes(10)));
    assert_eq!(take(database, &place, later + TimeDelta::minutes(10)).await, None);
}

async fn the_place_of_a_push_that_is_gone_is_free(database: &Database) {
    let begun = database.begin_with_push("push-1").await;
    let place = taking(PLACE, Budget::hold(Duration::from_mins(10)));
    assert_eq!(take(database, &place, database.now).await, None);
    assert!(database.store.record_push_gone(begun.id, database.now).await.unwrap());
    assert_eq!(take(database, &place, database.now).await, None);
}

async fn rows_that_say_nothing_are_removed_and_no_others(database: &Database) {
    for number in 0..7 {
        let taking = taking(&format!("codes {number}"), strict());
        assert_eq!(take(database, &taking, database.now + TimeDelta::minutes(number)).await, None);
    }
    let before = database.now + TimeDelta::minutes(5);
    let remove = async |before| {
        let (mut after, mut pages) = (None, Vec::new());
        loop {
            let page = database.store.remove_full_budgets(after.as_ref(), before, 2).await.unwrap();
            pages.push(page.removed);
            after = page.last;
            if after.is_none() {
                return pages;
            }
        }
    };
    // Three of them were back within two minutes from the beginning of theirs.
    let pages = remove(before).await;
    assert_eq!((pages.len(), pages.iter().sum::<usize>()), (4, 3), "{pages:?}");
    assert_eq!(remove(before).await, [0, 0, 0], "as many are left as fill two pages");
    assert_eq!(remove(database.now + TimeDelta::hours(1)).await, [2, 2, 0]);
    assert_eq!(remove(database.now + TimeDelta::hours(1)).await, [0]);
}

async fn codes_that_come_back_are_counted_by_the_hour(database: &Database) {
    let (store, now) = (&database.store, database.now);
    let counting = (0..50).map(|_| store.count_code_returns("44", 1, 0, now));
    futures_util::future::join_all(counting).await.into_iter().for_each(Result::unwrap);
    store.count_code_returns("44", 0, 1, now + TimeDelta::hours(1)).await.unwrap();
    store.count_code_returns("1", 1, 1, now).await.unwrap();
    let since = async |since| {
        let returns = store.code_returns_since("44", since).await.unwrap();
        let sum = |count: fn(&CodeReturns) -> i32| returns.iter().map(count).sum::<i32>();
        assert!(returns.is_sorted_by_key(|returns| returns.hour));
        (sum(|returns| returns.sent), sum(|returns| returns.confirmed))
    };
    assert_eq!(since(now).await, (50, 1));
    assert_eq!(since(now + TimeDelta::hours(1)).await, (0, 1));
    assert_eq!(since(now + TimeDelta::hours(2)).await, (0, 0));
    assert_eq!(store.remove_code_returns(now).await.unwrap(), 2);
    assert_eq!(since(now).await, (0, 1));
}

/// SQLite has one writer.
#[tokio::test(flavor = "multi_thread")]
async fn removing_and_taking_the_same_rows_wait_for_each_other_and_neither_is_stuck() {
    let Some(database) = Database::postgres().await else { return };
    let mut takings = ["one", "two", "three"].map(|name| taking(name, strict()));
    takings.sort_by(|one, other| one.key.cmp(&other.key));
    // What comes first in the order of keys is back last.
    for (taking, second) in takings.iter().rev().zip(0..) {
        assert_eq!(take(&database, taking, database.now + TimeDelta::seconds(second)).await, None);
    }
    let Home::Cluster(cluster) = &database.home else { panic!("this is SQLite") };
    let middle = takings[1].key.as_str();
    let held = cluster.hold(&format!("update rate_limits set key = key where key = '{middle}'")).await;
    let later = database.now + TimeDelta::hours(1);
    let (removing, taking) = (database.store.clone(), database.store.clone());
    let removing = async move { removing.remove_full_budgets(None, later, 10).await };
    let taking = async move { taking.take_budgets(&takings, later).await };
    let releasing = async {
        let both_wait = "do $$ begin
            while (select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock') < 2 loop
                perform pg_sleep(0.01), pg_stat_clear_snapshot();
            end loop;
        end $$";
        cluster.execute(both_wait).await.unwrap();
        drop(held);
    };
    let (removed, taken, ()) = tokio::join!(removing, taking, releasing);
    assert!(removed.is_ok() && taken.unwrap().is_ok());
}

on_both_databases! {
    afterwards every_query_used_an_index:
    of_a_hundred_who_take_at_once_as_many_get_one_as_there_are,
    what_is_used_up_comes_back_when_it_was_said_and_not_before,
    pauses_grow_to_the_longest_and_no_further,
    what_is_given_back_can_be_taken_again,
    a_login_is_stored_with_all_that_it_changes_of_limits_or_with_nothing,
    of_a_hundred_logins_at_once_as_many_start_as_the_limit_allows,
    each_denial_counts_once_although_its_budget_is_used_up,
    a_clock_that_is_behind_does_not_make_anybody_wait,
    a_free_at_beyond_the_longest_pause_becomes_one_longest_pause,
    a_place_is_held_until_the_deadline_or_until_the_phone_has_answered,
    the_place_of_a_push_that_is_gone_is_free,
    rows_that_say_nothing_are_removed_and_no_others,
    codes_that_come_back_are_counted_by_the_hour,
}
