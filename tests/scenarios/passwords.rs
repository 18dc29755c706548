//! Guessing passwords: from one address, from thousands, for one email and for many.

use std::{net::IpAddr, time::Duration};

use countersign_client::{Client, LoginErrorCode, LoginInput};
use futures_util::{StreamExt, stream};
use harness::{Database, Person, World, WorldBuilder, on_both_databases, report};
use serde_json::{Value, json};
use tokio::time::Instant;

const GUESSES: u32 = 100_000;
const ADDRESSES: u32 = 10_000;
/// Without a pause, for one email: what `WRONG_PASSWORDS_PER_EMAIL` is unless somebody sets it, and `…_FROM_NEW_NETWORKS`.
const FREE: u64 = 20 + 640;
/// How many guesses are on their way at once.
const AT_ONCE: usize = 64;

const GUESS: &str =
    "mutation($input: LoginInput!) { login(input: $input) { loginToken errors { code retryAfterSeconds } } }";

/// With the usual budgets, behind a proxy that tells addresses.
fn usual(database: Database) -> WorldBuilder {
    World::builder(database).spawned().usual_budgets().set("TRUSTED_PROXIES", "127.0.0.1")
}

/// One address of each of so many networks.
fn address(network: u32) -> IpAddr {
    let [_, high, low, _] = (network << 8).to_be_bytes();
    IpAddr::from([10, high, low, 9])
}

fn guess(person: &Person, number: u32) -> LoginInput {
    LoginInput { password: format!("guess number {number}"), ..person.login() }
}

/// What a guess is answered: the code, and the seconds to wait.
async fn answer(client: &Client, input: LoginInput) -> (LoginErrorCode, Option<u64>) {
    let reply = client.login(input).await.unwrap();
    assert!(reply.login_token.is_none());
    (reply.errors[0].code.clone(), reply.errors[0].retry_after_seconds)
}

fn hashed(world: &World) -> u64 {
    u64::try_from(world.log().matches("work on a password begins").count()).unwrap()
}

async fn of_a_hundred_thousand_guesses_few_are_hashed_and_the_owner_gets_in(database: Database) {
    // As many as a hash of the usual memory would take minutes for.
    let world = usual(database).set("HASH_MEMORY_KIB", "64").start().await;
    let person = Person::new();
    let device = world.sign_up(&person).await.device_token;
    let (before, begun_at) = (hashed(&world), Instant::now());
    let answers = stream::iter(0..GUESSES).map(async |number| {
        let input = json!({ "email": person.email, "password": format!("guess number {number}") });
        let (answer, _) =
            world.ask_from(address(number % ADDRESSES), GUESS, &json!({ "input": input })).await;
        let error = &answer["data"]["login"]["errors"][0];
        assert_eq!(answer["data"]["login"]["loginToken"], Value::Null);
        (error["code"] == "WRONG_CREDENTIALS", error["retryAfterSeconds"].as_u64())
    });
    let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
    let (hashed, took) = (hashed(&world) - before, begun_at.elapsed());
    let told = u64::try_from(answers.iter().filter(|(was_judged, _)| *was_judged).count()).unwrap();
    report(&format!("{GUESSES} guesses in {took:.1?}: {hashed} hashed"));
    assert_eq!(told, hashed);
    // Past the free ones no two follow each other within five seconds, and one in 270 from a network that has not guessed.
    let most = FREE + 2 + took.as_secs() / 5 + took.as_secs() / 270;
    assert!((FREE..=most).contains(&hashed), "{hashed} in {took:?}");
    let longest = answers.iter().filter_map(|(_, wait)| *wait).max().unwrap();
    assert!(longest <= 90, "a client was asked to wait for {longest} s");
    // From a known device at once, and from a new one within 90 s: at once too, where the next guess is free just now.
    let known = world.client.login(person.login_from(&device)).await.unwrap();
    assert!(known.login_token.is_some());
    let mut new = world.client.login(person.login()).await.unwrap();
    if new.login_token.is_none() {
        assert_eq!(new.errors[0].code, LoginErrorCode::RateLimited);
        let wait = new.errors[0].retry_after_seconds.unwrap();
        assert!(wait <= 90);
        world.advance(Duration::from_secs(wait)).await;
        new = world.client.login(person.login()).await.unwrap();
    }
    assert!(new.login_token.is_some());
}

async fn the_seconds_to_wait_are_true(database: Database) {
    let world = usual(database).start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    let mut waits = Vec::new();
    for number in 0..17 {
        let (code, _) = answer(&world.client, guess(&person, number)).await;
        assert_eq!(code, LoginErrorCode::WrongCredentials, "{number}");
        if number >= 9 {
            let (code, wait) = answer(&world.client, guess(&person, number)).await;
            assert_eq!(code, LoginErrorCode::RateLimited, "{number}");
            waits.push(wait.unwrap());
            // What is taken by nobody meanwhile is there then.
            world.advance(Duration::from_secs(wait.unwrap())).await;
        }
    }
    assert!(waits.is_sorted() && waits[0] <= 5 && waits[7] <= 40, "{waits:?}");
}

async fn an_unknown_email_is_kept_waiting_as_a_known_one_is(database: Database) {
    let world = usual(database).start().await;
    let (known, unknown) = (Person::new(), Person::new());
    world.sign_up(&known).await;
    world.plant(&unknown);
    let mut answers = [Vec::new(), Vec::new()];
    for number in 0..12 {
        for (person, answers) in [&known, &unknown].into_iter().zip(&mut answers) {
            answers.push(answer(&world.client, guess(person, number)).await.0);
        }
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][9..11], [LoginErrorCode::WrongCredentials, LoginErrorCode::RateLimited]);
    // However it is written.
    let shouted = LoginInput { email: format!(" {} ", unknown.email.to_uppercase()), ..unknown.login() };
    assert_eq!(answer(&world.client, shouted).await.0, LoginErrorCode::RateLimited);
}

async fn addresses_of_one_network_share_what_they_have_for_an_email(database: Database) {
    let world = usual(database).set("WRONG_PASSWORDS_PER_EMAIL_AND_NETWORK", "2/1h").start().await;
    for [one, same, other] in [
        ["203.0.113.5", "203.0.113.250", "203.0.114.5"],
        ["2001:db8:0:7::1", "2001:db8:0:7:ffff::2", "2001:db8:0:8::1"],
        ["::ffff:198.51.100.1", "198.51.100.2", "198.51.101.1"],
    ] {
        let person = Person::new();
        let from = async |address: &str| {
            let client = world.client_from(address.parse().unwrap());
            answer(&client, guess(&person, 0)).await.0
        };
        assert_eq!(from(one).await, LoginErrorCode::WrongCredentials);
        assert_eq!(from(same).await, LoginErrorCode::WrongCredentials);
        assert_eq!(from(one).await, LoginErrorCode::RateLimited);
        assert_eq!(from(same).await, LoginErrorCode::RateLimited);
        assert_eq!(from(other).await, LoginErrorCode::WrongCredentials);
    }
}

async fn one_address_may_guess_so_often_for_all_emails_together(database: Database) {
    let world = usual(database).set("WRONG_PASSWORDS_PER_ADDRESS", "10/1h").start().await;
    let (stuffing, neighbour) =
        (world.client_from(address(1)), world.client_from(IpAddr::from([10, 0, 1, 10])));
    for number in 0..10 {
        let answered = answer(&stuffing, guess(&Person::new(), number)).await;
        assert_eq!(answered.0, LoginErrorCode::WrongCredentials);
    }
    let before = hashed(&world);
    assert_eq!(answer(&stuffing, guess(&Person::new(), 0)).await.0, LoginErrorCode::RateLimited);
    assert_eq!(hashed(&world), before);
    assert_eq!(answer(&neighbour, guess(&Person::new(), 0)).await.0, LoginErrorCode::WrongCredentials);
}

async fn right_passwords_use_up_nothing(database: Database) {
    let world = usual(database)
        .set("WRONG_PASSWORDS_PER_EMAIL_AND_NETWORK", "1/1h")
        .set("WRONG_PASSWORDS_PER_EMAIL", "1/1h")
        .set("WRONG_PASSWORDS_PER_ADDRESS", "1/1h")
        .start()
        .await;
    let person = Person::new();
    let device = world.sign_up(&person).await.device_token;
    for _ in 0..5 {
        assert!(world.client.login(person.login()).await.unwrap().login_token.is_some());
        assert!(world.client.login(person.login_from(&device)).await.unwrap().login_token.is_some());
    }
    assert_eq!(answer(&world.client, guess(&person, 0)).await.0, LoginErrorCode::WrongCredentials);
    assert_eq!(answer(&world.client, person.login()).await.0, LoginErrorCode::RateLimited);
}

on_both_databases! {
    of_a_hundred_thousand_guesses_few_are_hashed_and_the_owner_gets_in,
    the_seconds_to_wait_are_true,
    an_unknown_email_is_kept_waiting_as_a_known_one_is,
    addresses_of_one_network_share_what_they_have_for_an_email,
    one_address_may_guess_so_often_for_all_emails_together,
    right_passwords_use_up_nothing,
}
