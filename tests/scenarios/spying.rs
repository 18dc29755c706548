//! Finding out who has an account: what is answered says nothing, and neither does the work that it takes.
//!
//! Work is counted: statements, hashes, calls to the provider. Time is only printed.

use std::{net::IpAddr, time::Duration};

use client_example::phone::Calls;
use countersign_client::CodeChannel;
use harness::{Database, Person, World, on_both_databases, percentiles, report};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How many answers are timed of each kind, turn by turn.
const TIMED: usize = 500;
/// How many unknown emails are asked for. The key is random: of parameters that occur equally often, all have the same by chance once in
/// eight million times.
const UNKNOWN: usize = 24;

const LOGIN: &str = "mutation($input: LoginInput!) { login(input: $input) \
    { loginToken status { state nextStep purpose matchNumber codeChannel } errors { code message field retryAfterSeconds } } }";
const SIGNUP: &str = "mutation($input: SignupInput!) { signup(input: $input) \
    { loginToken status { state nextStep purpose failure codeChannel sequence } errors { code message field retryAfterSeconds } } }";
const RESEND: &str = "mutation($input: ResendTokenInput!) { resendToken(input: $input) \
    { status { state nextStep purpose failure codeChannel sequence } errors { code message field } } }";

/// The endpoint of that.
const ASKING: &str = "approval_request_status";
const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// What one operation took.
#[derive(Debug, PartialEq, Eq)]
struct Work {
    statements: usize,
    transactions: usize,
    hashes: usize,
    calls: u64,
}

/// Calls of ours that somebody waits for: the provider is also asked, now and then, how pushes stand.
fn calls(calls: &Calls) -> u64 {
    calls.counts.iter().filter(|(endpoint, _)| *endpoint != ASKING).map(|(_, count)| count).sum()
}

/// Asks, alone, and counts.
async fn ask(world: &World, query: &str, input: Value) -> (Value, Work) {
    let hashes = || world.log().matches("work on a password begins").count();
    world.phone.forget_calls().await.unwrap();
    let hashed_before = hashes();
    let (answer, request_id) = world.ask_from(ADDRESS, query, &json!({ "input": input })).await;
    let log = world.log();
    let count =
        |what: &str| log.lines().filter(|line| line.contains(&request_id) && line.contains(what)).count();
    let work = Work {
        statements: count("a statement begins"),
        transactions: count("a transaction begins"),
        hashes: hashes() - hashed_before,
        calls: calls(&world.phone.calls().await.unwrap()),
    };
    (answer["data"].clone(), work)
}

async fn a_wrong_password_and_an_unknown_email_take_the_same_work(database: Database) {
    let (world, known) = (World::builder(database).spawned().start().await, Person::new());
    let device = world.sign_up(&known).await.device_token;
    for device_token in [None, Some(device.reveal()), Some("A".repeat(43).as_str())] {
        // Nobody has guessed for it before: a known device keeps the count of its user's email too.
        let (unknown, mut asked) = (Person::new(), Vec::new());
        world.plant(&unknown);
        for person in [&known, &unknown] {
            let input =
                json!({ "email": person.email, "password": "not my password", "deviceToken": device_token });
            asked.push(ask(&world, LOGIN, input).await);
        }
        let (answer, work) = &asked[0];
        assert_eq!(answer["login"]["errors"][0]["code"], "WRONG_CREDENTIALS");
        assert_eq!((work.hashes, work.calls), (1, 0));
        // A device is looked for where one is presented; each time the user, and the hash parameters in use. One budget is taken, of
        // several parts.
        assert_eq!((work.statements, work.transactions), (2 + usize::from(device_token.is_some()), 1));
        assert_eq!(asked[0], asked[1], "{device_token:?}");
    }
}

async fn who_has_to_wait_waits_alike_and_costs_nothing(database: Database) {
    let world =
        World::builder(database).spawned().set("WRONG_PASSWORDS_PER_EMAIL_AND_NETWORK", "1/1h").start().await;
    let (known, unknown) = (Person::new(), Person::new());
    world.sign_up(&known).await;
    world.plant(&unknown);
    let mut asked = Vec::new();
    for person in [&known, &unknown] {
        let input = json!({ "email": person.email, "password": "not my password" });
        ask(&world, LOGIN, input.clone()).await;
        let (mut answer, work) = ask(&world, LOGIN, input).await;
        let error = answer["login"]["errors"][0].as_object_mut().unwrap();
        assert!(error.remove("retryAfterSeconds").unwrap().as_u64().unwrap() <= 5);
        assert_eq!((work.hashes, work.calls, work.transactions), (0, 0, 0));
        asked.push((answer, work));
    }
    assert_eq!(asked[0].0["login"]["errors"][0]["code"], "RATE_LIMITED");
    assert_eq!(asked[0], asked[1]);
}

async fn a_signup_with_a_known_email_takes_the_same_work_to_its_end(database: Database) {
    let world = World::builder(database).spawned().set("RESEND_PAUSE", "1ms").start().await;
    let known = Person::new();
    world.sign_up(&known).await;
    for has_app in [true, false] {
        world.phone.set_default_onetouch(has_app).await.unwrap();
        let mut asked = Vec::new();
        for email in [known.email.clone(), Person::new().email] {
            let person = Person { email, ..Person::new() };
            world.plant(&person);
            let input = json!({ "fullName": person.full_name, "email": person.email, "password": person.password,
                "countryCode": person.country_code, "phone": person.phone });
            let (mut begun, work) = ask(&world, SIGNUP, input).await;
            let token = begun["signup"]["loginToken"].take();
            world.planted.plant("login token", token.as_str().unwrap());
            let (resent, resending) = ask(&world, RESEND, json!({ "loginToken": token })).await;
            asked.push((begun, work, resent, resending));
        }
        let (begun, work, resent, resending) = &asked[0];
        assert_eq!((&begun["signup"]["errors"], &resent["resendToken"]["errors"]), (&json!([]), &json!([])));
        assert_eq!(resent["resendToken"]["status"]["codeChannel"], CodeChannel::Sms.as_str());
        // The password is looked up among common ones, then hashed; the phone is registered, then asked.
        assert_eq!((work.hashes, resending.hashes, resending.calls), (2, 0, 1));
        assert_eq!(work.calls, if has_app { 2 } else { 3 });
        assert_eq!(asked[0], asked[1], "has app: {has_app}");
    }
}

async fn after_a_change_of_parameters_unknown_emails_cost_what_known_ones_do(database: Database) {
    let mut world = World::builder(database).spawned().set("HASH_PASSES", "1").start().await;
    let (first, second) = (Person::new(), Person::new());
    world.sign_up(&first).await;
    world.terminate_service().await;
    world.change("HASH_PASSES", "3");
    world.start_service().await;
    let compared = |world: &World, passes: u8| {
        let line = format!("a password is compared parameters=m=19456,t={passes},p=1");
        world.log().matches(&line).count()
    };
    // Asks for emails that nobody has, and returns for which of them older parameters were used.
    let unknown: Vec<_> = (0..UNKNOWN).map(|number| format!("nobody.{number}@example.com")).collect();
    let older_of_unknown = async |world: &World| {
        let mut older = Vec::new();
        for email in &unknown {
            let before = compared(world, 1);
            let input = json!({ "email": email, "password": "not my password" });
            let (answer, _) = ask(world, LOGIN, input).await;
            assert_eq!(answer["login"]["errors"][0]["code"], "WRONG_CREDENTIALS");
            older.push(compared(world, 1) > before);
        }
        older
    };
    // All users there are have the older parameters.
    assert!(older_of_unknown(&world).await.iter().all(|is_older| *is_older));
    world.sign_up(&second).await;
    let half = older_of_unknown(&world).await;
    assert!(half.contains(&true) && half.contains(&false), "{half:?}");
    // Whoever comes next in the order of emails makes no difference, nor does a restart.
    world.terminate_service().await;
    world.start_service().await;
    assert_eq!(older_of_unknown(&world).await, half);
    // With the next right password, today's parameters.
    world.begin_login(&first).await;
    let hashed = "password hashed with today's parameters";
    while !world.log().contains(hashed) {
        tokio::task::yield_now().await;
    }
    assert!(world.log().contains(&format!("INFO request: {hashed}")), "it says of which request");
    assert!(older_of_unknown(&world).await.iter().all(|is_older| !is_older));
}

/// How often an answer of one kind took longer than one of the other: 0.5 where they do not differ (Mann and Whitney's U),
/// and by how many standard deviations it does.
fn rank_test(one: &[Duration], other: &[Duration]) -> (f64, f64) {
    let pairs = || one.iter().flat_map(|one| other.iter().map(move |other| one.cmp(other)));
    let (longer, same) =
        (pairs().filter(|order| order.is_gt()).count(), pairs().filter(|order| order.is_eq()).count());
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let [longer, same, n, m] = [longer, same, one.len(), other.len()].map(|count| count as f64);
    let u = longer + same / 2.0;
    let deviation = (n * m * (n + m + 1.0) / 12.0).sqrt();
    (u / (n * m), (u - n * m / 2.0) / deviation)
}

async fn the_time_that_answers_take_is_printed(database: Database) {
    // Hashes that take next to nothing hide nothing else.
    let world = World::builder(database).set("HASH_MEMORY_KIB", "64").start().await;
    let (known, unknown) = (Person::new(), Person::new());
    world.sign_up(&known).await;
    world.plant(&unknown);
    let mut timed = [Vec::new(), Vec::new()];
    for number in 0..2 * TIMED {
        // Turn by turn, and now one first, now the other.
        let turn = (number + number / 2) % 2;
        let email = [&known, &unknown][turn].email.as_str();
        let input = json!({ "input": { "email": email, "password": format!("guess number {number}") } });
        let asked_at = Instant::now();
        let (answer, _) = world.ask_from(ADDRESS, LOGIN, &input).await;
        timed[turn].push(asked_at.elapsed());
        assert_eq!(answer["data"]["login"]["errors"][0]["code"], "WRONG_CREDENTIALS");
    }
    let [known, unknown] = timed;
    assert_eq!((known.len(), unknown.len()), (TIMED, TIMED));
    let (share, deviations) = rank_test(&known, &unknown);
    report(&format!(
        "known email: {}; unknown email: {}; a known one took longer in {:.1} % of pairs ({deviations:+.1} standard deviations)",
        percentiles(known),
        percentiles(unknown),
        share * 100.0
    ));
}

on_both_databases! {
    a_wrong_password_and_an_unknown_email_take_the_same_work,
    who_has_to_wait_waits_alike_and_costs_nothing,
    a_signup_with_a_known_email_takes_the_same_work_to_its_end,
    after_a_change_of_parameters_unknown_emails_cost_what_known_ones_do,
    the_time_that_answers_take_is_printed,
}
