//! The provider's callback: believed when it is theirs, and then once.

use std::time::Duration;

use client_example::phone::{ApiFault, ApiFaultKind, CallbackFaults, CallbackMethod, FaultTime, Faults};
use countersign_client::{Begun, LoginState, LoginStep};
use harness::{Callback, Database, Person, World, on_both_databases};
use serde_json::json;

/// A world whose key is known, a user in it, and a login of theirs with an open push.
async fn with_open_push(database: Database) -> (World, Person, Begun, String, u64) {
    let (world, person) = (World::builder(database).split().start().await, Person::new());
    let device_token = world.sign_up(&person).await.device_token;
    let begun = world.begin_login_from(&person, &device_token).await;
    let (push, device) = (world.push(&person, &begun.status).await, world.device(&person).await);
    (world, person, begun, push.uuid, device.authy_id)
}

async fn state(world: &World, begun: &Begun) -> LoginState {
    world.client.login_status(&begun.login_token).await.unwrap().unwrap().state
}

async fn what_is_not_signed_as_it_should_changes_nothing(database: Database) {
    let (world, _, begun, uuid, authy_id) = with_open_push(database).await;
    let genuine = Callback::new(&world, &uuid, authy_id, "approved");
    let denial = Callback::new(&world, &uuid, authy_id, "denied");
    let forgeries = [
        Callback { key: "another key".to_owned(), ..genuine.clone() },
        Callback { url: "https://elsewhere.example.com/authy/callback".to_owned(), ..genuine.clone() },
        Callback { url: format!("{}/", genuine.url), ..genuine.clone() },
        Callback { body: genuine.body.clone(), ..denial.clone() },
        Callback { body: genuine.body.replace("approved", "denied"), ..genuine.clone() },
        Callback { body: format!("{} ", genuine.body), parameters: String::new(), ..genuine.clone() },
        Callback { body: String::new(), ..genuine.clone() },
        Callback { body: "not JSON".to_owned(), ..genuine.clone() },
        Callback { body: "x".repeat(100_000), ..genuine.clone() },
    ];
    for forgery in forgeries {
        assert_eq!(forgery.send(&world).await, 401, "{}", forgery.body);
    }
    assert_eq!(state(&world, &begun).await, LoginState::Pending);
    // The genuine one is.
    assert_eq!(genuine.send(&world).await, 200);
    assert_eq!(state(&world, &begun).await, LoginState::Approved);
}

async fn a_callback_at_the_path_of_its_provider_is_accepted(database: Database) {
    let (world, _, begun, uuid, authy_id) = with_open_push(database).await;
    let genuine = Callback::new(&world, &uuid, authy_id, "approved");
    let at = async |path: &str, callback: &Callback| {
        let url = world.callback_url().replace("/authy/callback", path);
        callback.send_to(&world, &url).await
    };
    let forged = Callback { key: "another key".to_owned(), ..genuine.clone() };
    assert_eq!(at("/callbacks/authy", &forged).await, 401);
    for unknown in ["/callbacks/other", "/callbacks/Authy", "/callbacks/", "/callbacks"] {
        assert_eq!(at(unknown, &genuine).await, 404, "{unknown}");
    }
    assert_eq!(state(&world, &begun).await, LoginState::Pending);
    assert_eq!(at("/callbacks/authy", &genuine).await, 200);
    assert_eq!(state(&world, &begun).await, LoginState::Approved);
}

async fn without_authy_its_callbacks_do_not_exist(database: Database) {
    let world = World::builder(database).split().set("PROVIDERS", "none").start().await;
    let genuine = Callback::new(&world, "dda2c400-bc43-0135-d7be-1285ca17e122", 1_000, "approved");
    for callback in [Callback { key: String::new(), ..genuine.clone() }, genuine] {
        assert_eq!(callback.send(&world).await, 404);
        let own_path = world.callback_url().replace("/authy/callback", "/callbacks/authy");
        assert_eq!(callback.send_to(&world, &own_path).await, 404);
    }
}

async fn what_can_be_read_in_two_ways_is_refused_although_it_is_signed(database: Database) {
    let (world, _, begun, uuid, authy_id) = with_open_push(database).await;
    let genuine = Callback::new(&world, &uuid, authy_id, "approved");
    let doubled = genuine.body.replacen('{', "{\"status\":\"approved\",", 1);
    let other = Callback::new(&world, &uuid, authy_id, "denied");
    let ambiguous = [
        Callback { body: doubled, ..genuine.clone() },
        Callback::of(
            &world,
            &json!({
                "authy_id": authy_id, "uuid": uuid, "status": "approved",
                "approval_request[transaction][status]": "approved",
            }),
        ),
        Callback::of(
            &world,
            &json!({
                "authy_id": authy_id, "uuid": uuid, "status": "approved",
                "approval_request": { "transaction": { "status": "denied", "uuid": uuid } },
            }),
        ),
        Callback::of(
            &world,
            &json!({
                "authy_id": authy_id, "uuid": uuid, "status": "approved",
                "approval_request": { "transaction": { "status": "approved", "uuid": "another" } },
            }),
        ),
    ];
    for callback in ambiguous {
        assert_eq!(callback.send(&world).await, 401, "{}", callback.body);
    }
    assert_eq!(state(&world, &begun).await, LoginState::Pending);
    assert_eq!(other.send(&world).await, 200);
    assert_eq!(state(&world, &begun).await, LoginState::Denied);
}

async fn what_speaks_of_nothing_of_ours_is_accepted_and_changes_nothing(database: Database) {
    let (world, _, begun, uuid, authy_id) = with_open_push(database).await;
    for callback in [
        Callback::new(&world, "00000000-0000-0000-0000-000000000000", authy_id, "approved"),
        Callback::new(&world, &uuid, authy_id + 1, "approved"),
        Callback::new(&world, &uuid, 1234, "approved"),
        Callback::new(&world, &uuid, authy_id, "expired"),
        Callback::of(&world, &json!({ "authy_id": 1234, "status": "approved" })),
        Callback::of(&world, &json!({ "event": "user_added" })),
    ] {
        assert_eq!(callback.send(&world).await, 200, "{}", callback.body);
    }
    assert_eq!(world.phone.send_trial_callback().await.unwrap(), Some(200));
    assert_eq!(state(&world, &begun).await, LoginState::Pending);
}

async fn approved_after_denied_changes_nothing(database: Database) {
    let (world, _, begun, uuid, authy_id) = with_open_push(database).await;
    for (said, expected) in
        [("denied", LoginState::Denied), ("approved", LoginState::Denied), ("denied", LoginState::Denied)]
    {
        assert_eq!(Callback::new(&world, &uuid, authy_id, said).send(&world).await, 200);
        assert_eq!(state(&world, &begun).await, expected);
    }
}

async fn a_repeated_approval_opens_no_second_session(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let repeating = CallbackFaults { repeat: 3, ..CallbackFaults::default() };
    world.phone.set_faults(&Faults::callbacks(repeating)).await.unwrap();
    let begun = world.begin_signup(&person).await;
    world.approve(&person, &begun.status).await;
    let session = world.session(&begun.login_token).await;
    let deliveries = loop {
        let deliveries = world.phone.callback().await.unwrap().deliveries;
        if deliveries.iter().filter(|delivery| delivery.status.is_some()).count() == 4 {
            break deliveries;
        }
        tokio::task::yield_now().await;
    };
    assert!(deliveries.iter().all(|delivery| delivery.status == Some(200)), "{deliveries:?}");
    assert_eq!(world.session(&begun.login_token).await, session);
}

async fn a_late_verdict_on_what_is_over_is_accepted_and_changes_nothing(database: Database) {
    let (world, _, begun, uuid, authy_id) = with_open_push(database).await;
    let cancelled = world.client.cancel_login(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(Callback::new(&world, &uuid, authy_id, "approved").send(&world).await, 200);
    let status = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(status, cancelled);
}

async fn a_denial_after_a_code_got_in_ends_that_session(database: Database) {
    let (world, person, begun, uuid, authy_id) = with_open_push(database).await;
    let code = world.device(&person).await.app_code.unwrap();
    world.planted.plant("code", &code);
    let status = world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
    let phished = world.client.with_bearer(status.session.unwrap().token);
    assert!(phished.me().await.unwrap().is_some());
    assert_eq!(Callback::new(&world, &uuid, authy_id, "denied").send(&world).await, 200);
    assert_eq!(phished.me().await.unwrap(), None);
    assert_eq!(world.client.login_status(&begun.login_token).await.unwrap(), None);
}

async fn a_forged_callback_of_the_sandbox_is_refused_and_the_push_is_asked_about(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let forging = CallbackFaults { forge: true, ..CallbackFaults::default() };
    world.phone.set_faults(&Faults::callbacks(forging)).await.unwrap();
    let begun = world.begin_signup(&person).await;
    world.approve(&person, &begun.status).await;
    let status = loop {
        let report = world.phone.callback().await.unwrap();
        if let Some(status) = report.deliveries.first().and_then(|delivery| delivery.status) {
            break status;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(status, 401);
    assert_eq!(state(&world, &begun).await, LoginState::Pending);
    world.advance(Duration::from_secs(15)).await;
    world.session(&begun.login_token).await;
}

async fn a_callback_may_come_by_get(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.phone.set_callback(Some(world.callback_url()), CallbackMethod::Get).await.unwrap();
    let begun = world.begin_signup(&person).await;
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
    let login = world.begin_login(&person).await;
    world.deny(&person, &login.status).await;
    world.wait_for_denial(&login.login_token).await;
}

async fn a_finger_may_be_faster_than_our_knowing_of_the_push(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let before = world.device(&person).await.approval_requests.len();
    // The push is out, and its answer to us is late.
    let late = ApiFault { delay_ms: 1_000, when: FaultTime::After, ..ApiFault::new(ApiFaultKind::Delay) };
    world.phone.set_faults(&Faults::api(late.in_paths(["approval_requests"]))).await.unwrap();
    let finger = async {
        let push = loop {
            let mut pushes = world.device(&person).await.approval_requests;
            if pushes.len() > before {
                break pushes.pop().unwrap();
            }
            tokio::task::yield_now().await;
        };
        world.phone.approve(&push.uuid).await.unwrap();
    };
    let (begun, ()) = tokio::join!(world.begin_login(&person), finger);
    world.session(&begun.login_token).await;
}

async fn a_push_that_timed_out_at_us_but_reached_the_phone_counts(database: Database) {
    let world = World::builder(database).set("PROVIDER_TIMEOUT", "500ms").start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    let silent = ApiFault::new(ApiFaultKind::Silent).in_paths(["approval_requests"]);
    world.phone.set_faults(&Faults::api(silent)).await.unwrap();
    let begun = world.begin_login(&person).await;
    assert_eq!(begun.status.next_step, LoginStep::EnterCode);
    world.phone.clear_faults().await.unwrap();
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
}

on_both_databases! {
    a_callback_at_the_path_of_its_provider_is_accepted,
    without_authy_its_callbacks_do_not_exist,
    what_is_not_signed_as_it_should_changes_nothing,
    what_can_be_read_in_two_ways_is_refused_although_it_is_signed,
    what_speaks_of_nothing_of_ours_is_accepted_and_changes_nothing,
    approved_after_denied_changes_nothing,
    a_repeated_approval_opens_no_second_session,
    a_late_verdict_on_what_is_over_is_accepted_and_changes_nothing,
    a_denial_after_a_code_got_in_ends_that_session,
    a_forged_callback_of_the_sandbox_is_refused_and_the_push_is_asked_about,
    a_callback_may_come_by_get,
    a_finger_may_be_faster_than_our_knowing_of_the_push,
    a_push_that_timed_out_at_us_but_reached_the_phone_counts,
}
