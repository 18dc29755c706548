//! Filling the password queue: one network sends as much as it can, and an owner elsewhere logs in.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use countersign_client::{LoginErrorCode, SignupErrorCode, SignupInput};
use futures_util::future::join_all;
use harness::{Database, Person, World, WorldBuilder, on_both_databases, report};
use serde_json::{Value, json};

/// Connections of the attacker, all from one address.
const CONNECTIONS: usize = 150;
/// Logins of the owner during the attack.
const LOGINS: usize = 8;
const ATTACKER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));
const OWNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 9));

const SIGNUP: &str =
    "mutation($input: SignupInput!) { signup(input: $input) { loginToken errors { code field } } }";

/// Behind a proxy that tells addresses, with hashes that cost little: they yield the processor to the flood of requests.
fn behind_a_proxy(database: Database) -> WorldBuilder {
    World::builder(database)
        .spawned()
        .set("TRUSTED_PROXIES", "127.0.0.1")
        .set("HASH_MEMORY_KIB", "8")
        .set("HASH_PASSES", "1")
}

fn hashed(world: &World) -> usize {
    world.log().matches("work on a password begins").count()
}

fn form(email: &str, password: &str) -> Value {
    json!({ "input": { "fullName": "Mallory", "email": email, "countryCode": "1", "phone": "2015550123",
        "password": password } })
}

/// The owner logs in while every connection of the attacker sends this form without pause. Returns how many of the owner's logins
/// were BUSY, and how often the attacker received each code.
async fn attack(world: &World, form: &Value) -> (usize, [(String, usize); 2]) {
    let owner = Person::new();
    world.sign_up(&owner).await;
    let owners_client = world.client_from(OWNER);
    let (sent, busy_for_attacker) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let attackers = join_all((0..CONNECTIONS).map(async |_| {
        loop {
            let (answer, _) = world.ask_from(ATTACKER, SIGNUP, form).await;
            if answer["data"]["signup"]["errors"][0]["code"] == "BUSY" {
                busy_for_attacker.fetch_add(1, Ordering::Relaxed);
            }
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let logins = async {
        while sent.load(Ordering::Relaxed) < CONNECTIONS {
            tokio::task::yield_now().await;
        }
        let mut busy = 0;
        for _ in 0..LOGINS {
            let reply = owners_client.login(owner.login()).await.unwrap();
            busy += usize::from(reply.errors.iter().any(|error| error.code == LoginErrorCode::Busy));
        }
        busy
    };
    let busy = tokio::select! {
        _ = attackers => panic!("the attack has no end of its own"),
        busy = logins => busy,
    };
    let busy_for_attacker = busy_for_attacker.into_inner();
    let others = sent.into_inner() - busy_for_attacker;
    (busy, [("BUSY".to_owned(), busy_for_attacker), ("other answers".to_owned(), others)])
}

async fn signups_with_a_wrong_email_use_no_hashing_thread(database: Database) {
    let world = behind_a_proxy(database).start().await;
    let before = hashed(&world);
    let (busy, attacker) = attack(&world, &form("nope", "correct horse battery staple")).await;
    report(&format!("owner BUSY in {busy} of {LOGINS} logins; attacker: {attacker:?}"));
    assert_eq!(busy, 0);
    // The owner's signup is judged and hashed, and each login is compared.
    assert_eq!(hashed(&world) - before, 2 + LOGINS);
    assert_eq!(attacker[0].1, 0);
}

async fn one_network_that_fills_the_queue_keeps_no_other_out(database: Database) {
    let world = behind_a_proxy(database).set("HASH_QUEUE", "32").start().await;
    let (busy, attacker) = attack(&world, &form("mallory@example.com", "password1")).await;
    report(&format!("owner BUSY in {busy} of {LOGINS} logins; attacker: {attacker:?}"));
    assert_eq!(busy, 0);
    assert!(attacker[0].1 > 0, "the queue was never full: {attacker:?}");
}

async fn attempts_to_sign_up_are_limited_by_address_before_anything_is_judged(database: Database) {
    let world = behind_a_proxy(database).set("SIGNUP_ATTEMPTS_PER_ADDRESS", "3/1h").start().await;
    let (attacker, neighbour) = (world.client_from(ATTACKER), world.client_from(OWNER));
    let person = Person::new();
    let weak = SignupInput { password: "password1".to_owned(), ..person.signup() };
    let malformed = SignupInput { email: "nope".to_owned(), ..weak.clone() };
    let codes = async |client: &countersign_client::Client, input: &SignupInput| {
        let reply = client.signup(input.clone()).await.unwrap();
        reply.errors.into_iter().map(|error| error.code).collect::<Vec<_>>()
    };
    let before = hashed(&world);
    for _ in 0..5 {
        assert_eq!(codes(&attacker, &malformed).await, [SignupErrorCode::InvalidEmail]);
    }
    assert_eq!(hashed(&world), before);
    for _ in 0..3 {
        assert_eq!(codes(&attacker, &weak).await, [SignupErrorCode::CommonPassword]);
    }
    for input in [&weak, &person.signup()] {
        assert_eq!(codes(&attacker, input).await, [SignupErrorCode::RateLimited]);
    }
    assert_eq!(hashed(&world), before + 3);
    assert_eq!(codes(&neighbour, &weak).await, [SignupErrorCode::CommonPassword]);
}

on_both_databases! {
    signups_with_a_wrong_email_use_no_hashing_thread,
    one_network_that_fills_the_queue_keeps_no_other_out,
    attempts_to_sign_up_are_limited_by_address_before_anything_is_judged,
}
