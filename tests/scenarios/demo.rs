//! The example program: the whole story that it plays, and each of its commands against a running service.

use harness::{Database, Finished, Person, World, on_both_databases, run, run_with_input};
use serde_json::Value;

/// Where the parts of a world are, as the program is told.
fn settings(world: &World) -> [(&str, &str); 2] {
    [("COUNTERSIGN_URL", world.service_address()), ("COUNTERSIGN_PHONE_URL", world.sandbox_address())]
}

/// Runs the program, with a password to read.
async fn client(world: &World, arguments: &[&str], token: (&str, &str), password: &str) -> Finished {
    let settings: Vec<_> = settings(world).into_iter().chain([token]).collect();
    let input = format!("{password}\n");
    run_with_input("client-under-test", arguments, &settings, world.folder(), &input).await
}

const NO_TOKEN: (&str, &str) = ("LANG", "C");

/// What the program printed last, as JSON.
fn last(finished: &Finished) -> Value {
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    serde_json::from_str(finished.output.lines().last().unwrap()).unwrap()
}

async fn the_demo_ends_with_the_signed_in_user_twice(database: Database) {
    let world = World::new(database).await;
    let mut users = Vec::new();
    for _ in 0..2 {
        let demo = run("client-under-test", &["demo"], &settings(&world), world.folder()).await;
        assert_eq!((demo.code, demo.log.as_str()), (Some(0), ""));
        let last = demo.output.lines().last().unwrap().to_owned();
        assert!(last.contains("Signed in: Demo Person "), "{last}");
        users.push(last);
    }
    assert_ne!(users[0], users[1]);
}

async fn the_demo_tells_its_steps_to_programs_too(database: Database) {
    let world = World::new(database).await;
    let demo = run("client-under-test", &["demo", "--json"], &settings(&world), world.folder()).await;
    assert_eq!(demo.code, Some(0), "{}", demo.log);
    for (index, line) in demo.output.lines().enumerate() {
        let step: Value = serde_json::from_str(line).unwrap();
        assert_eq!(step["step"], index + 1, "{line}");
    }
}

async fn the_demo_says_what_is_not_there(database: Database) {
    let world = World::new(database).await;
    // Nothing listens on the first port: it takes more rights than a test has.
    let (nothing, service) = ("http://127.0.0.1:1", world.service_address());
    for (settings, address) in [
        ([("COUNTERSIGN_URL", nothing), ("COUNTERSIGN_PHONE_URL", nothing)], nothing),
        ([("COUNTERSIGN_URL", service), ("COUNTERSIGN_PHONE_URL", nothing)], nothing),
        ([("COUNTERSIGN_URL", service), ("COUNTERSIGN_PHONE_URL", service)], service),
    ] {
        let demo = run("client-under-test", &["demo"], &settings, world.folder()).await;
        assert_eq!((demo.code, demo.output.as_str()), (Some(1), ""));
        assert_eq!(demo.log.lines().count(), 1, "{}", demo.log);
        assert!(demo.log.starts_with("error: ") && demo.log.contains(address), "{}", demo.log);
    }
}

async fn a_person_signs_up_and_out_by_commands(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.plant(&person);
    let signup = ["signup", "--json", "--no-wait", "--name", &person.full_name, "--email", &person.email];
    let phone = ["--country-code", &person.country_code, "--phone", &person.phone];
    let begun = client(&world, &[&signup[..], &phone].concat(), NO_TOKEN, &person.password).await;
    let login_token = last(&begun)["loginToken"].as_str().unwrap().to_owned();
    world.planted.plant("login token", &login_token);
    let push = world.device(&person).await.approval_requests.pop().unwrap();
    world.phone.approve(&push.uuid).await.unwrap();
    let watched = client(&world, &["watch", "--json"], ("COUNTERSIGN_LOGIN_TOKEN", &login_token), "").await;
    let session_token = last(&watched)["session"]["token"].as_str().unwrap().to_owned();
    world.planted.plant("session token", &session_token);
    let token = ("COUNTERSIGN_SESSION_TOKEN", session_token.as_str());
    let me = client(&world, &["me", "--json"], token, "").await;
    assert_eq!(last(&me)["me"]["email"], person.email);
    let device_token = last(&watched)["session"]["deviceToken"].as_str().unwrap().to_owned();
    world.planted.plant("device token", &device_token);
    let known = ["login", "--json", "--no-wait", "--email", &person.email, "--device-token", &device_token];
    assert_eq!(client(&world, &known, NO_TOKEN, &person.password).await.code, Some(0));
    let forgotten = client(&world, &["forget-devices", "--json"], token, "").await;
    assert_eq!(last(&forgotten)["forgotten"], 1);
    // By a pipe as well, where no other user of the machine can read it.
    let piped = client(&world, &["logout", "--session-token", "-"], NO_TOKEN, &session_token).await;
    assert_eq!((piped.code, piped.output.as_str()), (Some(0), "Logged out.\n"));
    let nobody = client(&world, &["me"], token, "").await;
    assert_eq!((nobody.code, nobody.output.as_str()), (Some(1), "Nobody is signed in.\n"));
}

async fn login_waits_for_the_phone(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let login = ["login", "--json", "--email", &person.email];
    let (login, ()) = tokio::join!(client(&world, &login, NO_TOKEN, &person.password), async {
        loop {
            let device = world.device(&person).await;
            if let Some(push) = device.approval_requests.iter().find(|push| push.status == "pending") {
                return world.phone.approve(&push.uuid).await.map(drop).unwrap();
            }
            tokio::task::yield_now().await;
        }
    });
    let session = last(&login)["session"].clone();
    world.planted.plant("session token", session["token"].as_str().unwrap());
    assert_eq!(session["user"]["email"], person.email);
}

async fn a_code_is_asked_for_and_typed(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let login = ["login", "--json", "--no-wait", "--email", &person.email];
    let begun = client(&world, &login, NO_TOKEN, &person.password).await;
    let login_token = last(&begun)["loginToken"].as_str().unwrap().to_owned();
    world.planted.plant("login token", &login_token);
    let token = ("COUNTERSIGN_LOGIN_TOKEN", login_token.as_str());
    let resent = client(&world, &["resend", "--channel", "sms", "--json"], token, "").await;
    assert_eq!(last(&resent)["codeChannel"], "SMS");
    let code = world.sms_code(&person).await;
    let wrong = if code == "0000000" { "1111111" } else { "0000000" };
    let refused = client(&world, &["verify", wrong], token, "").await;
    assert_eq!((refused.code, refused.output.as_str()), (Some(1), ""));
    assert!(refused.log.starts_with("error: "), "{}", refused.log);
    let verified = client(&world, &["verify", "--json"], token, &code).await;
    let session = last(&verified)["session"].clone();
    world.planted.plant("session token", session["token"].as_str().unwrap());
    assert_eq!(session["user"]["email"], person.email);
}

async fn what_a_person_did_wrong_is_told(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.plant(&person);
    let login = ["login", "--email", &person.email];
    let refused = client(&world, &login, NO_TOKEN, &person.password).await;
    assert_eq!((refused.code, refused.output.as_str()), (Some(1), ""));
    assert!(refused.log.starts_with("error: ") && refused.log.lines().count() == 1, "{}", refused.log);
    assert!(!refused.log.contains(&person.password), "{}", refused.log);
    let me = client(&world, &["me"], NO_TOKEN, "").await;
    assert_eq!((me.code, me.output.as_str()), (Some(2), ""));
    assert!(me.log.contains("--session-token"), "{}", me.log);
    let ended = client(&world, &["me"], ("COUNTERSIGN_SESSION_TOKEN", "of nobody"), "").await;
    assert_eq!(ended.code, Some(1), "{}", ended.log);
}

on_both_databases! {
    the_demo_ends_with_the_signed_in_user_twice,
    the_demo_tells_its_steps_to_programs_too,
    the_demo_says_what_is_not_there,
    a_person_signs_up_and_out_by_commands,
    login_waits_for_the_phone,
    a_code_is_asked_for_and_typed,
    what_a_person_did_wrong_is_told,
}
