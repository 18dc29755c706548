//! Pumping text messages: strangers' phones get few of them, and nobody goes without who has proven theirs.

use std::{net::IpAddr, time::Duration};

use client_example::phone::{ApiFault, ApiFaultKind, Faults};
use countersign_client::{LoginStep, LoginToken, ResendTokenErrorCode, SignupErrorCode, SignupReply};
use harness::{Database, Person, World, WorldBuilder, on_both_databases};

const VICTIMS: usize = 1_000;
/// What `SIGNUPS_PER_ADDRESS` is in `serve` unless somebody sets it.
const SIGNUPS: u64 = 20;

/// As `serve` is unless somebody sets it, with phones that have no app.
fn usual(database: Database) -> WorldBuilder {
    World::builder(database)
        .usual_budgets()
        .set("TRUSTED_PROXIES", "127.0.0.1")
        .set("SIGNUPS_PER_ADDRESS", "20/1h")
        .set("CODES_PER_CALLING_CODE", "500/1h")
        .set("CODES_FOR_ALL", "2000/1h")
        .set("RETURNED_CODES_SAMPLE", "100")
        .set("HASH_MEMORY_KIB", "64")
}

/// Another of the same kind.
async fn another(database: &Database) -> Database {
    match database {
        Database::Sqlite => Database::Sqlite,
        Database::Postgres(_) => Database::postgres().await.unwrap(),
    }
}

async fn without_app(world: World) -> World {
    world.phone.set_default_onetouch(false).await.unwrap();
    world
}

fn address(number: u8) -> IpAddr {
    IpAddr::from([10, 7, number, 9])
}

async fn sign_up_from(world: &World, address: IpAddr, person: &Person) -> SignupReply {
    world.plant(person);
    world.client_from(address).signup(person.signup()).await.unwrap()
}

async fn messages(world: &World) -> u64 {
    let calls = world.phone.calls().await.unwrap();
    calls.count("sms") + calls.count("call")
}

/// Signs up somebody without the app, by the code that they are sent.
async fn sign_up_by_code(world: &World, address: IpAddr, person: &Person) {
    let token = sign_up_from(world, address, person).await.login_token.unwrap();
    confirm(world, person, &token).await;
}

async fn confirm(world: &World, person: &Person, token: &LoginToken) {
    let code = world.sms_code(person).await;
    world.client.verify_token(token, &code).await.unwrap().into_result().unwrap();
}

/// Whether signing up from here sends a code; otherwise it is too often, and the login is there all the same.
async fn is_sent_a_code(world: &World, address: IpAddr, person: &Person) -> bool {
    let reply = sign_up_from(world, address, person).await;
    assert!(reply.login_token.is_some());
    let is_sent = reply.errors.is_empty();
    assert!(is_sent || reply.errors[0].code == SignupErrorCode::RateLimited, "{:?}", reply.errors);
    assert!(is_sent || reply.errors[0].retry_after_seconds.is_some_and(|wait| wait > 0));
    is_sent
}

async fn one_address_reaches_few_of_a_thousand_victims_and_their_own_codes_still_come(database: Database) {
    let world = without_app(usual(database).start().await).await;
    let owner = Person::new();
    sign_up_by_code(&world, address(1), &owner).await;
    world.phone.forget_calls().await.unwrap();
    // The owner's phone is the first of the victims'.
    let mut begun = Vec::new();
    for number in 0..VICTIMS {
        let victim = if number == 0 { owner.sharing_phone() } else { Person::new() };
        let reply = sign_up_from(&world, address(2), &victim).await;
        if let Some(token) = reply.login_token {
            begun.push(token);
        } else {
            assert_eq!(reply.errors[0].code, SignupErrorCode::RateLimited);
            assert!(reply.errors[0].retry_after_seconds.unwrap() <= 180);
        }
    }
    // One more comes back every three minutes, and this took none of them.
    assert!((SIGNUPS..=SIGNUPS + 1).contains(&u64::try_from(begun.len()).unwrap()), "{}", begun.len());
    // As with the signup that came back, so with its code, though not at the same instant.
    let sent = messages(&world).await;
    assert!((SIGNUPS..=u64::try_from(begun.len()).unwrap()).contains(&sent), "{sent} of {}", begun.len());
    // Each of these may ask again, until its login and its phone have had enough.
    for _ in 0..8 {
        world.advance(Duration::from_secs(30)).await;
        for token in &begun {
            let _ = world.client.resend_token(token, None).await.unwrap();
        }
    }
    let most = 5 * u64::try_from(begun.len()).unwrap();
    assert!(messages(&world).await <= most, "{} of {most}", messages(&world).await);
    owner_gets_every_code(&world, &owner).await;
}

/// Within their own budget: ten an hour, five of one login.
async fn owner_gets_every_code(world: &World, owner: &Person) {
    let before = messages(world).await;
    for _ in 0..2 {
        let token = world.begin_login(owner).await.login_token;
        for _ in 0..4 {
            world.advance(Duration::from_secs(30)).await;
            world.client.resend_token(&token, None).await.unwrap().into_result().unwrap();
        }
        world.advance(Duration::from_secs(30)).await;
        let refused = world.client.resend_token(&token, None).await.unwrap();
        assert_eq!(refused.errors[0].code, ResendTokenErrorCode::RateLimited);
        let (status, wait) = (refused.status.unwrap(), refused.errors[0].retry_after_seconds.unwrap());
        assert!(wait > 9 * 60, "one of five comes back in twelve minutes: {wait}");
        assert_eq!(status.resend_available_at, Some(status.expires_at), "not before the login is over");
        let again = world.client.resend_token(&token, None).await.unwrap();
        assert_eq!(again.errors[0].code, ResendTokenErrorCode::TooSoon);
        confirm(world, owner, &token).await;
    }
    assert_eq!(messages(world).await - before, 10);
}

async fn a_phone_gets_so_many_codes_by_the_hour_and_by_the_day(database: Database) {
    let world = usual(database).set("CODES_PER_PHONE", "3/1h").set("CODES_PER_PHONE_DAILY", "4/1d").start();
    let (world, person) = (without_app(world.await).await, Person::new());
    sign_up_by_code(&world, address(1), &person).await;
    world.phone.forget_calls().await.unwrap();
    let mut wait = None;
    for number in 0..4 {
        let reply = world.client.login(person.login()).await.unwrap();
        assert_eq!(reply.status.unwrap().next_step, LoginStep::EnterCode);
        assert_eq!(reply.errors.len(), usize::from(number == 3));
        wait = reply.errors.first().and_then(|error| error.retry_after_seconds);
    }
    assert!(wait.unwrap() <= 20 * 60, "one of three comes back in twenty minutes");
    world.advance(Duration::from_secs(wait.unwrap())).await;
    assert!(world.client.login(person.login()).await.unwrap().errors.is_empty());
    let by_day = world.client.login(person.login()).await.unwrap().errors[0].retry_after_seconds.unwrap();
    assert!(by_day > 60 * 60, "{by_day}");
    assert_eq!(messages(&world).await, 4);
}

async fn of_what_a_calling_code_has_a_share_is_kept_for_proven_phones(database: Database) {
    for budget in ["CODES_PER_CALLING_CODE", "CODES_FOR_ALL"] {
        let world = usual(another(&database).await).set(budget, "10/1h").set("UNPROVEN_SHARE", "40").start();
        let (world, owner) = (without_app(world.await).await, Person::new());
        sign_up_by_code(&world, address(1), &owner).await;
        for number in 2..5 {
            assert!(is_sent_a_code(&world, address(number), &Person::new()).await, "{budget} {number}");
        }
        assert!(!is_sent_a_code(&world, address(5), &Person::new()).await, "{budget}");
        for _ in 0..6 {
            assert!(world.client.login(owner.login()).await.unwrap().errors.is_empty(), "{budget}");
        }
        let refused = world.client.login(owner.login()).await.unwrap();
        assert!(refused.errors[0].retry_after_seconds.is_some(), "{budget}");
        let british =
            Person { country_code: "44".to_owned(), phone: "7400123456".to_owned(), ..Person::new() };
        assert_eq!(
            is_sent_a_code(&world, address(6), &british).await,
            budget == "CODES_PER_CALLING_CODE",
            "{budget}"
        );
    }
}

fn british(number: u32) -> Person {
    Person { country_code: "44".to_owned(), phone: format!("7400{number}"), ..Person::new() }
}

async fn where_too_few_codes_come_back_new_phones_are_sent_a_tenth(database: Database) {
    let world = usual(database)
        .with_metrics()
        .set("RETURNED_CODES", "50")
        .set("RETURNED_CODES_SAMPLE", "6")
        .set("CODES_PER_CALLING_CODE", "40/1h")
        .set("UNVERIFIED_NETWORK_SHARE", "50")
        .start();
    let (world, owner) = (without_app(world.await).await, Person::new());
    sign_up_by_code(&world, address(1), &owner).await;
    let customer = british(111_111);
    sign_up_by_code(&world, address(2), &customer).await;
    sign_up_by_code(&world, address(3), &british(111_112)).await;
    for number in 4..8 {
        assert!(is_sent_a_code(&world, address(number), &british(222_220 + u32::from(number))).await);
    }
    // Of six, two came back: of the twenty that unverified phones have, two are left.
    for number in 8..10 {
        assert!(is_sent_a_code(&world, address(number), &british(333_330 + u32::from(number))).await);
    }
    let refused = sign_up_from(&world, address(10), &british(333_333)).await;
    assert_eq!(refused.errors[0].code, SignupErrorCode::RateLimited);
    assert_eq!(world.log().matches("WARN request: too few codes come back").count(), 1);
    let metrics = world.metrics().await;
    for line in [
        r#"countersign_sms_conversion_low{calling_code="44"} 1"#,
        r#"countersign_codes_sent_total{calling_code="44",proven="false"} 8"#,
        r#"countersign_codes_returned_total{calling_code="44"} 2"#,
        r#"countersign_budgets_used_up_total{budget="returned_codes"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    // A network whose own codes came back, other calling codes and verified phones are not concerned.
    assert!(is_sent_a_code(&world, address(2), &british(333_334)).await);
    assert!(is_sent_a_code(&world, address(8), &Person::new()).await);
    assert!(world.client.login(customer.login()).await.unwrap().errors.is_empty());
    assert!(world.client.login(owner.login()).await.unwrap().errors.is_empty());
    // What happened more than a day ago is forgotten by the hour.
    world.advance(Duration::from_hours(26)).await;
    assert!(is_sent_a_code(&world, address(10), &british(444_444)).await);
    assert!(world.metrics().await.contains(r#"countersign_sms_conversion_low{calling_code="44"} 0"#));
}

async fn one_network_alone_cannot_close_a_calling_code_nor_can_a_provider_that_fails(database: Database) {
    let world = usual(database)
        .set("RETURNED_CODES", "50")
        .set("RETURNED_CODES_SAMPLE", "10")
        .set("UNVERIFIED_NETWORK_SHARE", "100");
    let world =
        without_app(world.set("CODES_PER_LOGIN", "100/1h").set("RESEND_PAUSE", "1ms").start().await).await;
    for number in 0..12 {
        let reply = sign_up_from(&world, address(1), &british(111_100 + number)).await;
        let token = reply.login_token.unwrap();
        world.client.resend_token(&token, None).await.unwrap().into_result().unwrap();
    }
    world.phone.set_faults(&Faults::api(ApiFault::new(ApiFaultKind::Html).in_paths(["sms"]))).await.unwrap();
    for number in 0..12 {
        let reply = sign_up_from(&world, address(10 + number), &british(222_200 + u32::from(number))).await;
        assert_eq!(reply.errors[0].code, SignupErrorCode::ProviderUnavailable);
    }
    world.phone.clear_faults().await.unwrap();
    // Calls are paused for all phones by now, for a minute at most.
    world.advance(Duration::from_mins(1)).await;
    assert!(is_sent_a_code(&world, address(2), &british(333_333)).await);
}

async fn a_code_that_came_by_text_and_a_push_that_was_approved_is_no_code_that_came_back(database: Database) {
    let world = usual(database).with_metrics().set("RESEND_PAUSE", "1ms").start().await;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
    let metrics = world.metrics().await;
    assert!(metrics.contains("countersign_codes_sent_total"), "{metrics}");
    assert!(!metrics.contains("countersign_codes_returned_total{"), "{metrics}");
}

async fn phones_of_some_countries_cannot_sign_up(database: Database) {
    for (setting, codes) in [("ALLOWED_CALLING_CODES", "44,33"), ("REFUSED_CALLING_CODES", "+1,7")] {
        let world = usual(another(&database).await).set(setting, codes).start().await;
        let reply = sign_up_from(&world, address(1), &Person::new()).await;
        assert_eq!(reply.errors.len(), 1);
        assert_eq!(reply.errors[0].code, SignupErrorCode::ProviderRefused);
        assert_eq!(reply.errors[0].field.as_deref(), Some("input.countryCode"));
        assert_eq!(world.phone.calls().await.unwrap().counts.values().sum::<u64>(), 0);
        let british =
            Person { country_code: "44".to_owned(), phone: "7400123456".to_owned(), ..Person::new() };
        assert!(sign_up_from(&world, address(1), &british).await.login_token.is_some());
    }
}

async fn a_provider_that_fails_uses_up_nobodys_signups(database: Database) {
    let (world, person) = (usual(database).set("SIGNUPS_PER_ADDRESS", "2/1h").start().await, Person::new());
    world.phone.set_faults(&Faults::api(ApiFault::new(ApiFaultKind::Html))).await.unwrap();
    for _ in 0..5 {
        let reply = sign_up_from(&world, address(1), &person).await;
        assert_eq!(reply.errors[0].code, SignupErrorCode::ProviderUnavailable);
    }
    world.phone.clear_faults().await.unwrap();
    assert!(sign_up_from(&world, address(1), &person).await.login_token.is_some());
}

/// Signs up, as somebody who does not have the phone, as often as one network may. Returns how many logins started.
async fn name_phone(world: &World, address: IpAddr, owner: &Person) -> usize {
    let mut started = 0;
    loop {
        let reply = sign_up_from(world, address, &owner.sharing_phone()).await;
        let Some(token) = reply.login_token else {
            assert_eq!(reply.errors[0].code, SignupErrorCode::RateLimited);
            assert!(reply.errors[0].retry_after_seconds.unwrap() <= 360);
            return started;
        };
        started += 1;
        let guessed = world.client.verify_token(&token, "0000000").await.unwrap();
        assert!(guessed.into_result().is_err());
    }
}

async fn strangers_who_name_a_phone_do_not_keep_its_owner_from_signing_up(database: Database) {
    let world = without_app(usual(database).start().await).await;
    let (owner, second) = (Person::new(), Person::new());
    // One network: the owner is sent a code at once, and signs up with it.
    assert_eq!(name_phone(&world, address(1), &owner).await, 10);
    sign_up_by_code(&world, address(2), &owner).await;
    // More networks than the phone gets messages for: the signup starts without one.
    for network in 3..7 {
        assert_eq!(name_phone(&world, address(network), &second).await, 10);
    }
    let sent = messages(&world).await;
    let reply = sign_up_from(&world, address(7), &second).await;
    let token = reply.login_token.unwrap();
    assert_eq!(reply.errors[0].code, SignupErrorCode::RateLimited);
    assert_eq!(messages(&world).await, sent);
    // After the time that was told, a code comes, and it is the owner's who types it.
    let wait = reply.errors[0].retry_after_seconds.unwrap();
    let (status, now) = (reply.status.unwrap(), Duration::from_secs(wait));
    assert!(wait > 0 && status.resend_available_at.is_some(), "{wait}");
    world.advance(now).await;
    world.client.resend_token(&token, None).await.unwrap().into_result().unwrap();
    assert_eq!(messages(&world).await, sent + 1);
    // Wrong codes of strangers have made pauses between tries for this phone: the owner waits as long as was said.
    let code = world.sms_code(&second).await;
    if let Err(errors) = world.client.verify_token(&token, &code).await.unwrap().into_result() {
        panic!("{errors:?}");
    }
}

async fn ten_addresses_do_not_close_the_codes_of_newcomers(database: Database) {
    // Unverified phones have 50 of 100.
    let world = without_app(usual(database).set("CODES_PER_CALLING_CODE", "100/1h").start().await).await;
    for number in 0..10 {
        for victim in 0..6 {
            let _ =
                sign_up_from(&world, address(number), &british(100_000 + 10 * u32::from(number) + victim))
                    .await;
        }
    }
    assert!((40..=42).contains(&messages(&world).await), "{}", messages(&world).await);
    sign_up_by_code(&world, address(10), &british(200_000)).await;
}

on_both_databases! {
    one_address_reaches_few_of_a_thousand_victims_and_their_own_codes_still_come,
    a_phone_gets_so_many_codes_by_the_hour_and_by_the_day,
    of_what_a_calling_code_has_a_share_is_kept_for_proven_phones,
    where_too_few_codes_come_back_new_phones_are_sent_a_tenth,
    one_network_alone_cannot_close_a_calling_code_nor_can_a_provider_that_fails,
    a_code_that_came_by_text_and_a_push_that_was_approved_is_no_code_that_came_back,
    phones_of_some_countries_cannot_sign_up,
    a_provider_that_fails_uses_up_nobodys_signups,
    strangers_who_name_a_phone_do_not_keep_its_owner_from_signing_up,
    ten_addresses_do_not_close_the_codes_of_newcomers,
}
