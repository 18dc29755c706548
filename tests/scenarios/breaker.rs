//! A provider that fails is called little, and a stranger's phone that it refuses delays nobody else's.

use std::{net::IpAddr, time::Duration};

use client_example::phone::{ApiFault, ApiFaultKind, CallbackFaults, Faults};
use countersign_client::{
    LoginErrorCode, LoginState, LoginToken, ResendTokenErrorCode, SignupErrorCode, VerifyTokenErrorCode,
};
use harness::{Database, Fleet, Person, World, in_time, on_both_databases, report};

/// Calls that a failing provider may get meanwhile: five until a pause begins, and one probe after 5, 15, 35 … seconds.
const A_HANDFUL: u64 = 10;

/// An address in a network of its own.
fn address(number: u8) -> IpAddr {
    IpAddr::from([203, 0, number, 7])
}

async fn world(database: Database) -> World {
    World::builder(database)
        .set("TRUSTED_PROXIES", "127.0.0.1")
        .set("RESEND_PAUSE", "1s")
        .set("HASH_MEMORY_KIB", "64")
        .start()
        .await
}

/// "Too many requests", and not whose.
fn too_many() -> ApiFault {
    ApiFault { status: 429, for_all: true, ..ApiFault::new(ApiFaultKind::Status) }
}

async fn calls(world: &World, endpoint: &str) -> u64 {
    world.phone.calls().await.unwrap().count(endpoint)
}

async fn begin(world: &World, from: IpAddr, person: &Person) -> LoginToken {
    let reply = world.client_from(from).login(person.login()).await.unwrap();
    let token = reply.login_token.unwrap();
    world.planted.plant("login token", token.reveal());
    token
}

async fn sixty_signups_at_a_provider_that_refuses_all_make_a_handful_of_calls(database: Database) {
    let world = world(database).await;
    // From as many networks, and then from one: neither opens the way of the other.
    for (how, is_one_network) in [("sixty networks", false), ("one network", true)] {
        world.phone.set_faults(&Faults::api(too_many())).await.unwrap();
        world.phone.forget_calls().await.unwrap();
        let mut paused = 0;
        for number in 0..60 {
            let person = Person::new();
            world.plant(&person);
            let client = world.client_from(address(if is_one_network { 200 } else { number }));
            let reply = client.signup(person.signup()).await.unwrap();
            let [error] = &reply.errors[..] else { panic!("{reply:?}") };
            let wait = error.retry_after_seconds.unwrap();
            assert!((1..=60).contains(&wait), "{error:?}");
            match error.code {
                SignupErrorCode::RateLimited => {}
                SignupErrorCode::ProviderUnavailable => paused += 1,
                ref other => panic!("{other}"),
            }
        }
        let made = calls(&world, "users/new").await;
        report(&format!("60 signups from {how} at a provider that says 429: {made} calls"));
        assert!((5..=A_HANDFUL).contains(&made) && paused == 60 - made, "{made} calls, {paused} paused");
        world.phone.clear_faults().await.unwrap();
        world.advance(Duration::from_mins(1)).await;
        world.sign_up(&Person::new()).await;
    }
}

async fn eighty_guesses_at_a_provider_that_refuses_make_few_calls(database: Database) {
    let (world, person) = (world(database).await, Person::new());
    world.sign_up(&person).await;
    let token = begin(&world, address(1), &person).await;
    let personal = ApiFault { for_all: false, ..too_many() };
    world.phone.set_faults(&Faults::api(personal.in_paths(["verify"]))).await.unwrap();
    let mut longest = 0;
    for number in 0..80 {
        let reply = world.client_from(address(number)).verify_token(&token, "0000000").await.unwrap();
        let [error] = &reply.errors[..] else { panic!("{reply:?}") };
        assert_eq!((&error.code, error.tries_left), (&VerifyTokenErrorCode::RateLimited, Some(5)));
        longest = longest.max(error.retry_after_seconds.unwrap());
    }
    let made = calls(&world, "verify").await;
    report(&format!("80 guesses at a provider that says 429: {made} calls"));
    assert!((1..=A_HANDFUL).contains(&made), "{made}");
    // The wait was the truth, and no try is gone.
    world.phone.clear_faults().await.unwrap();
    world.advance(Duration::from_secs(longest)).await;
    let code = world.device(&person).await.app_code.unwrap();
    world.planted.plant("code", &code);
    let reply = world.client_from(address(1)).verify_token(&token, &code).await.unwrap();
    assert_eq!(reply.into_result().unwrap().state, LoginState::Approved);
}

async fn a_guess_that_is_not_judged_makes_its_login_wait_in_its_network(database: Database) {
    use VerifyTokenErrorCode::{ProviderUnavailable, RateLimited};

    let (world, person, owner) = (world(database).await, Person::new(), address(1));
    world.sign_up(&person).await;
    let (token, other) = (begin(&world, owner, &person).await, begin(&world, owner, &person).await);
    // The key is wrong for a while: nothing is judged, and nobody is told to wait by the provider.
    let refusal = ApiFault { status: 401, ..ApiFault::new(ApiFaultKind::Status) };
    world.phone.set_faults(&Faults::api(refusal.in_paths(["verify"]))).await.unwrap();
    let guess = async |token: &LoginToken, from| {
        let reply = world.client_from(from).verify_token(token, "0000000").await.unwrap();
        assert!(reply.errors[0].retry_after_seconds.is_some_and(|wait| (1..=60).contains(&wait)));
        reply.errors[0].code.clone()
    };
    assert_eq!(guess(&token, owner).await, ProviderUnavailable);
    // On a slow machine the first pause may be over; each is longer than the one before.
    let mut made = 1;
    while guess(&token, owner).await != RateLimited {
        made += 1;
    }
    // Neither another login nor another network waits for it.
    assert_eq!(guess(&other, owner).await, ProviderUnavailable);
    assert_eq!(guess(&token, address(2)).await, ProviderUnavailable);
    assert_eq!(calls(&world, "verify").await, made + 2);
}

async fn a_strangers_phone_at_429_for_an_hour_delays_no_other_phone(database: Database) {
    let world = world(database).await;
    world.phone.set_default_onetouch(false).await.unwrap();
    for for_all in [false, true] {
        let stranger = Person::new();
        let begun = world.begin_signup(&stranger).await;
        let code = world.sms_code(&stranger).await;
        world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
        let path = format!("sms/{}", world.device(&stranger).await.authy_id);
        let fault = ApiFault { for_all, retry_after_seconds: Some(3_600), ..too_many() };
        world.phone.set_faults(&Faults::api(fault.in_paths([path.as_str()]))).await.unwrap();
        world.phone.forget_calls().await.unwrap();
        let (mut strangers, mut owners) = (0, 0);
        for step in 0..12_u8 {
            for network in 0..3 {
                let from = address(20 * network + step);
                let reply = world.client_from(from).login(stranger.login()).await.unwrap();
                world.planted.plant("login token", reply.login_token.unwrap().reveal());
                assert_eq!(reply.errors[0].code, LoginErrorCode::RateLimited);
                assert!(reply.errors[0].retry_after_seconds.is_some_and(|wait| wait <= 3_600));
                strangers += 1;
            }
            // Nobody else notices, in the same network and in others.
            let owner = Person::new();
            world.plant(&owner);
            let reply = world.client_from(address(step)).signup(owner.signup()).await.unwrap();
            let begun = reply.into_result().unwrap();
            world.planted.plant("login token", begun.login_token.reveal());
            assert!(begun.status.code_channel.is_some());
            owners += 1;
            world.advance(Duration::from_mins(5)).await;
        }
        let made = calls(&world, "sms").await;
        report(&format!("{strangers} logins of a phone at 429: {} calls; of others {owners}", made - owners));
        assert_eq!(made, owners + 1);
        world.phone.clear_faults().await.unwrap();
    }
}

async fn an_open_send_breaker_stops_no_check_callback_or_poll(database: Database) {
    let world = world(database).await;
    let people: [Person; 3] = std::array::from_fn(|_| Person::new());
    for person in &people {
        world.sign_up(person).await;
    }
    let [called_back, polled, typed] = [0, 1, 2].map(|number| &people[number]);
    let begun = (world.begin_login(called_back).await, world.begin_login(polled).await);
    let to_be_typed = begin(&world, address(1), typed).await;
    world.phone.set_default_onetouch(false).await.unwrap();
    let requested = ApiFault { retry_after_seconds: Some(60), ..too_many() };
    world.phone.set_faults(&Faults::api(requested.clone().in_paths(["sms"]))).await.unwrap();
    for number in 0..5 {
        let reply = world.client_from(address(number)).signup(Person::new().signup()).await.unwrap();
        world.planted.plant("login token", reply.login_token.unwrap().reveal());
        assert_eq!(reply.errors[0].code, SignupErrorCode::RateLimited);
    }
    // It is open for everybody: nothing is sent, and people are told for how long.
    world.phone.forget_calls().await.unwrap();
    let reply = world.client_from(address(9)).resend_token(&to_be_typed, None).await.unwrap();
    assert_eq!(reply.errors[0].code, ResendTokenErrorCode::ProviderUnavailable);
    assert!(reply.errors[0].retry_after_seconds.is_some_and(|wait| (1..=60).contains(&wait)));
    assert_eq!(calls(&world, "sms").await, 0);
    // All else goes on.
    world.approve(called_back, &begun.0.status).await;
    in_time(world.session(&begun.0.login_token)).await;
    let code = world.device(typed).await.app_code.unwrap();
    world.planted.plant("code", &code);
    let status = world.client.verify_token(&to_be_typed, &code).await.unwrap().into_result().unwrap();
    assert_eq!(status.state, LoginState::Approved);
    let lost = CallbackFaults { drop: 1.0, ..CallbackFaults::default() };
    let faults = Faults { callbacks: Some(lost), ..Faults::api(requested.in_paths(["sms"])) };
    world.phone.set_faults(&faults).await.unwrap();
    world.approve(polled, &begun.1.status).await;
    world.advance(Duration::from_secs(15)).await;
    in_time(world.session(&begun.1.login_token)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_provider_requests_is_shared_between_instances() {
    let Some(database) = Database::postgres().await else { return };
    let fleet = Fleet::builder(database).set("TRUSTED_PROXIES", "127.0.0.1").with_metrics().start().await;
    fleet.sign_up(&Person::new()).await;
    let requested = ApiFault { retry_after_seconds: Some(600), ..too_many() };
    fleet.phone.set_faults(&Faults::api(requested.in_paths(["users/new"]))).await.unwrap();
    // Whichever instances they come to, one of them counts five phones in three networks.
    for number in 0..9 {
        let person = Person::new();
        fleet.plant(&person);
        let reply = fleet.client_from(address(number)).signup(person.signup()).await.unwrap();
        assert_eq!(reply.login_token, None);
    }
    let open = r#"countersign_provider_breaker_changes_total{provider="authy",call="enroll",state="open"}"#;
    for instance in 0..2 {
        in_time(fleet.meter(instance).wait_for(open, 1)).await;
    }
    fleet.phone.forget_calls().await.unwrap();
    for instance in 0..2 {
        let person = Person::new();
        fleet.plant(&person);
        let reply = fleet.client_of(instance).signup(person.signup()).await.unwrap();
        assert_eq!(reply.errors[0].code, SignupErrorCode::ProviderUnavailable);
        assert!(reply.errors[0].retry_after_seconds.is_some_and(|wait| (300..=600).contains(&wait)));
    }
    assert_eq!(fleet.phone.calls().await.unwrap().count("users/new"), 0);
}

on_both_databases! {
    sixty_signups_at_a_provider_that_refuses_all_make_a_handful_of_calls,
    eighty_guesses_at_a_provider_that_refuses_make_few_calls,
    a_guess_that_is_not_judged_makes_its_login_wait_in_its_network,
    a_strangers_phone_at_429_for_an_hour_delays_no_other_phone,
    an_open_send_breaker_stops_no_check_callback_or_poll,
}
