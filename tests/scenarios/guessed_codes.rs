//! Guessing codes: neither another login, nor another account, nor another address buys more guesses for one phone.

use std::{net::IpAddr, time::Duration};

use countersign_client::{
    Begun, Client, LoginInput, LoginState, LoginStep, LoginToken, VerifyTokenError, VerifyTokenErrorCode,
};
use futures_util::{StreamExt, stream};
use harness::{Database, Person, World, on_both_databases, report};
use serde_json::json;
use tokio::time::Instant;

const GUESSES: usize = 10_000;
const ADDRESSES: usize = 1_000;
/// Accounts of one phone whose passwords somebody has, how often they log in with each, and how often they sign up.
const ACCOUNTS: usize = 3;
const LOGINS: usize = 20;
const SIGNUPS: usize = 5;
/// Without a pause: what `WRONG_CODES_PER_PHONE` is unless somebody sets it, and `WRONG_CODES_PER_UNPROVEN_PHONE` for three
/// networks.
const FREE: u64 = 10 + 3 * 5;
/// How many guesses are on their way at once.
const AT_ONCE: usize = 64;

const GUESS: &str = "mutation($input: VerifyTokenInput!) { verifyToken(input: $input) \
    { status { state } errors { code retryAfterSeconds } } }";

/// With the usual budgets, behind a proxy that tells addresses.
async fn usual(database: Database) -> World {
    World::builder(database).usual_budgets().set("TRUSTED_PROXIES", "127.0.0.1").start().await
}

/// One address of each of so many networks.
fn address(network: usize) -> IpAddr {
    let [.., high, low] = network.to_be_bytes();
    IpAddr::from([10, high, low, 9])
}

/// Begins a login, with whatever there is to say against it.
async fn begin(world: &World, client: &Client, input: LoginInput) -> Begun {
    let reply = client.login(input).await.unwrap();
    let begun = Begun { login_token: reply.login_token.unwrap(), status: reply.status.unwrap() };
    world.planted.plant("login token", begun.login_token.reveal());
    begun
}

/// Logins of other accounts of the owner's phone, and signups that name it.
async fn begin_many(world: &World, owner: &Person) -> Vec<Begun> {
    let accounts: Vec<_> = (0..ACCOUNTS).map(|_| owner.sharing_phone()).collect();
    for account in &accounts {
        world.sign_up(account).await;
    }
    let mut logins = Vec::new();
    for account in &accounts {
        for number in 0..LOGINS {
            logins.push(begin(world, &world.client_from(address(number)), account.login()).await);
        }
    }
    for number in 0..SIGNUPS {
        let stranger = owner.sharing_phone();
        world.plant(&stranger);
        let reply = world.client_from(address(number)).signup(stranger.signup()).await.unwrap();
        logins.push(Begun { login_token: reply.login_token.unwrap(), status: reply.status.unwrap() });
    }
    logins
}

async fn refusal(world: &World, token: &LoginToken, code: &str) -> VerifyTokenError {
    world.client.verify_token(token, code).await.unwrap().errors.remove(0)
}

async fn of_ten_thousand_guesses_few_are_judged_and_the_owner_gets_in(database: Database) {
    let (world, owner) = (usual(database).await, Person::new());
    let device = world.sign_up(&owner).await.device_token;
    let logins = begin_many(&world, &owner).await;
    world.phone.forget_calls().await.unwrap();
    let begun_at = Instant::now();
    let guesses = stream::iter(0..GUESSES).map(async |number| {
        let login_token = logins[number % logins.len()].login_token.reveal();
        let input = json!({ "loginToken": login_token, "code": format!("{number:07}") });
        let (answer, _) =
            world.ask_from(address(number % ADDRESSES), GUESS, &json!({ "input": input })).await;
        let error = &answer["data"]["verifyToken"]["errors"][0];
        assert!(error["code"] != "PROVIDER_UNAVAILABLE", "{answer}");
        error["retryAfterSeconds"].as_u64()
    });
    let waits: Vec<_> = guesses.buffer_unordered(AT_ONCE).collect().await;
    let (judged, took) = (world.phone.calls().await.unwrap().count("verify"), begun_at.elapsed());
    report(&format!("{GUESSES} guesses in {took:.1?}: {judged} judged"));
    // Past the free ones no two of either kind follow each other within a minute.
    assert!((FREE..=FREE + 2 * (1 + took.as_secs() / 60)).contains(&judged), "{judged} in {took:?}");
    assert!(waits.iter().flatten().all(|wait| *wait <= 900));
    owner_gets_in(&world, &owner, &logins, device).await;
}

async fn owner_gets_in(
    world: &World,
    owner: &Person,
    logins: &[Begun],
    device: countersign_client::DeviceToken,
) {
    // From a known device: by push, and by a code.
    let known = begin(world, &world.client, owner.login_from(&device)).await;
    assert_eq!(known.status.next_step, LoginStep::ApproveOnPhone);
    world.approve(owner, &known.status).await;
    let device = world.session(&known.login_token).await.device_token;
    let known = begin(world, &world.client, owner.login_from(&device)).await;
    world.client.resend_token(&known.login_token, None).await.unwrap().into_result().unwrap();
    let code = world.sms_code(owner).await;
    let status = world.client.verify_token(&known.login_token, &code).await.unwrap().into_result().unwrap();
    assert_eq!(status.state, LoginState::Approved);
    // By push from elsewhere, having denied what lies on the phone and is not theirs.
    for begun in logins.iter().filter(|begun| begun.status.next_step == LoginStep::ApproveOnPhone) {
        world.deny(owner, &begun.status).await;
    }
    let fresh = begin(world, &world.client, owner.login()).await;
    assert_eq!(fresh.status.next_step, LoginStep::ApproveOnPhone);
    world.approve(owner, &fresh.status).await;
    world.session(&fresh.login_token).await;
    // And with a code, having waited as long as was said.
    let patient = begin(world, &world.client, owner.login()).await;
    let refused = refusal(world, &patient.login_token, "0000000").await;
    assert_eq!(refused.code, VerifyTokenErrorCode::RateLimited);
    assert_eq!(refused.tries_left, Some(5), "what was not judged takes no try");
    // And half a minute more, for the app to show a code that has not been typed yet.
    world.advance(Duration::from_secs(refused.retry_after_seconds.unwrap() + 30)).await;
    let code = world.device(owner).await.app_code.unwrap();
    let status = world.client.verify_token(&patient.login_token, &code).await.unwrap().into_result().unwrap();
    assert_eq!(status.state, LoginState::Approved);
}

async fn pauses_between_wrong_codes_grow_to_a_quarter_of_an_hour(database: Database) {
    let world = World::builder(database)
        .set("WRONG_CODES_PER_PHONE", "2/1h")
        .set("WRONG_CODES_PER_LOGIN", "50")
        .set("LOGIN_TTL", "12h")
        .start()
        .await;
    let person = Person::new();
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let mut waits = Vec::new();
    for number in 0..20 {
        let judged = refusal(&world, &begun.login_token, &format!("{number:07}")).await;
        assert_eq!(judged.code, VerifyTokenErrorCode::InvalidCode, "{number}");
        if number > 0 {
            let refused = refusal(&world, &begun.login_token, "9999999").await;
            assert_eq!(refused.code, VerifyTokenErrorCode::RateLimited, "{number}");
            waits.push(refused.retry_after_seconds.unwrap());
            world.advance(Duration::from_secs(waits[number - 1])).await;
        }
    }
    assert!(waits[0] <= 60 && waits.is_sorted() && waits.last().unwrap() <= &900, "{waits:?}");
    assert!(waits.last().unwrap() > &600, "{waits:?}");
}

async fn a_login_has_as_many_tries_as_was_set(database: Database) {
    let world = World::builder(database).set("WRONG_CODES_PER_LOGIN", "2").start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    assert_eq!(refusal(&world, &begun.login_token, "0000000").await.tries_left, Some(1));
    let last = refusal(&world, &begun.login_token, "0000001").await;
    assert_eq!((last.code, last.tries_left), (VerifyTokenErrorCode::InvalidCode, Some(0)));
    let status = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(status.state, LoginState::Failed);
}

on_both_databases! {
    of_ten_thousand_guesses_few_are_judged_and_the_owner_gets_in,
    pauses_between_wrong_codes_grow_to_a_quarter_of_an_hour,
    a_login_has_as_many_tries_as_was_set,
}
