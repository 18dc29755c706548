//! Many at once: one login that everybody judges, and many logins of many people.

use std::{collections::HashSet, time::Duration};

use countersign_client::{Begun, LoginState, LoginStatus};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use harness::{Callback, Database, Person, World, on_both_databases};

/// How many verdicts of each kind there are: approvals, denials, right codes, cancellations.
const OF_EACH: usize = 50;
/// How many logins are judged, one after another.
const ROUNDS: usize = 10;
/// How often the login is read meanwhile.
const READINGS: usize = 100;
/// How long before the deadline the verdicts set out that are to meet it.
const AHEAD: Duration = Duration::from_millis(100);

/// A world in which passwords cost little and a login lasts for six seconds.
async fn short_lived(database: Database) -> World {
    World::builder(database)
        .split()
        .set("LOGIN_TTL", "6s")
        .set("HASH_MEMORY_KIB", "8")
        .set("HASH_PASSES", "1")
        .start()
        .await
}

/// All that can be said of one login.
struct Verdicts {
    approval: Callback,
    denial: Callback,
    code: String,
}

async fn verdicts(world: &World, person: &Person, begun: &Begun) -> Verdicts {
    let (push, device) = (world.push(person, &begun.status).await, world.device(person).await);
    let callback = |said| Callback::new(world, &push.uuid, device.authy_id, said);
    let code = device.app_code.unwrap();
    world.planted.plant("code", &code);
    Verdicts { approval: callback("approved"), denial: callback("denied"), code }
}

/// Judges a login two hundred times at once, and reads it again and again meanwhile. Returns what the judges were told,
/// and what was read, in order.
async fn judge(world: &World, begun: &Begun, verdicts: &Verdicts) -> (Vec<LoginStatus>, Vec<LoginStatus>) {
    let (client, token) = (&world.client, &begun.login_token);
    let hear = async |callback: &Callback| {
        assert_eq!(callback.send(world).await, 200);
        None
    };
    let judges = (0..OF_EACH).flat_map(|_| -> [BoxFuture<'_, Option<LoginStatus>>; 4] {
        [
            hear(&verdicts.approval).boxed(),
            hear(&verdicts.denial).boxed(),
            client.verify_token(token, &verdicts.code).map(|reply| reply.unwrap().status).boxed(),
            client.cancel_login(token).map(Result::unwrap).boxed(),
        ]
    });
    let reading = async {
        let mut read = Vec::new();
        for _ in 0..READINGS {
            read.extend(client.login_status(token).await.unwrap());
        }
        read
    };
    let (told, read) = tokio::join!(join_all(judges), reading);
    (told.into_iter().flatten().collect(), read)
}

/// Of all that was told of a login, one end, one session at most, and no step back.
async fn assert_one_end(world: &World, begun: &Begun, told: Vec<LoginStatus>, read: Vec<LoginStatus>) {
    let sequences: Vec<_> = read.iter().map(|status| status.sequence).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
    let all: Vec<_> = told.into_iter().chain(read).collect();
    let states: HashSet<_> =
        all.iter().map(|status| (status.sequence, format!("{:?}", status.state))).collect();
    let numbers: HashSet<_> = all.iter().map(|status| status.sequence).collect();
    assert_eq!(states.len(), numbers.len(), "{states:?}");
    let last = world.client.login_status(&begun.login_token).await.unwrap();
    let mut ends = all.into_iter().filter(LoginStatus::is_over);
    // A denial right after a code had approved it makes the login unknown, perhaps before anybody has read its end.
    let Some(end) = ends.next() else { return assert_eq!(last, None) };
    for other in ends {
        assert_eq!(other, end);
    }
    assert_eq!(end.session.is_some(), end.state == LoginState::Approved);
    let Some(session) = end.session.clone() else { return assert_eq!(last, Some(end)) };
    world.planted.plant("session token", session.token.reveal());
    let me = world.client.with_bearer(session.token).me().await.unwrap();
    // Such a denial ends the session too.
    assert_eq!((last.as_ref(), me), last.as_ref().map_or((None, None), |_| (Some(&end), Some(session.user))));
}

async fn of_two_hundred_verdicts_at_once_one_ends_the_login(database: Database) {
    let world = short_lived(database).await;
    // Who is first differs from one to the next.
    for _ in 0..ROUNDS {
        let person = Person::new();
        world.sign_up(&person).await;
        let begun = world.begin_login(&person).await;
        let verdicts = verdicts(&world, &person, &begun).await;
        let (told, read) = judge(&world, &begun, &verdicts).await;
        assert_one_end(&world, &begun, told, read).await;
    }
}

async fn of_two_hundred_verdicts_at_the_deadline_one_ends_the_login(database: Database) {
    let (world, person) = (short_lived(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let verdicts = verdicts(&world, &person, &begun).await;
    // The deadline is one of those that race, and it cannot be hurried: this clock is everybody's.
    let left = begun.status.expires_at - world.phone.clock().await.unwrap();
    tokio::time::sleep(left.to_std().unwrap().saturating_sub(AHEAD)).await;
    let (told, read) = judge(&world, &begun, &verdicts).await;
    assert_one_end(&world, &begun, told, read).await;
}

async fn sixty_four_people_log_in_at_once_and_nothing_is_locked(database: Database) {
    let world =
        World::builder(database).split().set("HASH_MEMORY_KIB", "8").set("HASH_PASSES", "1").start().await;
    let people: Vec<_> = (0..64).map(|_| Person::new()).collect();
    join_all(people.iter().map(|person| world.sign_up(person))).await;
    let sessions = join_all(people.iter().map(async |person| {
        let begun = world.begin_login(person).await;
        world.approve(person, &begun.status).await;
        world.session(&begun.login_token).await
    }));
    let sessions = sessions.await;
    let tokens: HashSet<_> = sessions.iter().map(|session| session.token.reveal()).collect();
    assert_eq!(tokens.len(), 64);
    for (session, person) in sessions.iter().zip(&people) {
        assert_eq!(session.user.email, person.email);
    }
    assert!(!world.log().contains("locked"), "the database was locked");
}

on_both_databases! {
    of_two_hundred_verdicts_at_once_one_ends_the_login,
    of_two_hundred_verdicts_at_the_deadline_one_ends_the_login,
    sixty_four_people_log_in_at_once_and_nothing_is_locked,
}
