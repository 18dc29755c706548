//! What the log and the metrics say of attempts to log in.

use std::collections::BTreeMap;

use countersign_client::LoginInput;
use harness::{Database, Person, World, on_both_databases};

/// The fields of each attempt in the log, in order.
fn attempts(world: &World) -> Vec<BTreeMap<String, String>> {
    let log = world.log();
    let lines = log.lines().filter_map(|line| line.split_once("login attempt "));
    lines
        .map(|(_, fields)| {
            let fields = fields.split_whitespace().filter_map(|field| field.split_once('='));
            fields.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
        })
        .collect()
}

fn field<'a>(attempt: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    attempt.get(name).map_or("", String::as_str)
}

fn wrong(input: LoginInput) -> LoginInput {
    LoginInput { password: "not the password".to_owned(), ..input }
}

async fn each_attempt_is_one_event_alike_for_known_and_unknown_emails(database: Database) {
    let world = World::new(database).await;
    let (known, unknown) = (Person::new(), Person::new());
    let device = world.sign_up(&known).await.device_token;
    world.plant(&unknown);
    for person in [&known, &unknown] {
        let shouted = LoginInput { email: person.email.to_uppercase(), ..person.login() };
        for input in [person.login(), shouted, person.login_from(&device)] {
            assert!(world.client.login(wrong(input)).await.unwrap().login_token.is_none());
        }
    }
    let found = attempts(&world);
    assert_eq!(found.len(), 6, "{found:?}");
    let hashes: Vec<_> = found.iter().map(|attempt| field(attempt, "email.hash")).collect();
    assert_eq!((hashes[0], hashes[0]), (hashes[1], hashes[2]));
    assert_eq!((hashes[3], hashes[3]), (hashes[4], hashes[5]));
    assert_ne!(hashes[0], hashes[3]);
    assert!(
        hashes.iter().all(|hash| hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()))
    );
    for (number, attempt) in found.iter().enumerate() {
        assert_eq!(
            ["factor", "outcome", "network", "device.known"].map(|name| field(attempt, name)),
            ["password", "wrong", "127.0.0.0/24", if number == 2 { "true" } else { "false" }],
        );
    }
    // The same fields, whoever has the email.
    assert!(found.iter().all(|attempt| attempt.keys().eq(found[0].keys())), "{found:?}");
}

async fn codes_are_recorded_with_their_login_and_its_email(database: Database) {
    let world = World::builder(database).with_metrics().start().await;
    let (meter, person) = (world.meter(), Person::new());
    world.phone.set_default_onetouch(false).await.unwrap();
    let before = meter.read().await;
    let begun = world.begin_signup(&person).await;
    for code in ["0000000", "not a code"] {
        assert!(world.client.verify_token(&begun.login_token, code).await.unwrap().status.is_some());
    }
    let code = world.sms_code(&person).await;
    let verified = world.client.verify_token(&begun.login_token, &code).await.unwrap();
    assert!(verified.errors.is_empty());
    world.client.login(wrong(person.login())).await.unwrap();
    let found = attempts(&world);
    let outcomes: Vec<_> =
        found.iter().map(|attempt| (field(attempt, "factor"), field(attempt, "outcome"))).collect();
    assert_eq!(
        outcomes,
        [("code", "wrong"), ("code", "unreadable"), ("code", "right"), ("password", "wrong")]
    );
    let login = field(&found[0], "login.id");
    assert!(!login.is_empty() && found[..3].iter().all(|attempt| field(attempt, "login.id") == login));
    // Before there is a user and afterwards, the email is the same one.
    let hash = field(&found[0], "email.hash");
    assert!(
        hash.len() == 16 && found.iter().all(|attempt| field(attempt, "email.hash") == hash),
        "{found:?}"
    );
    let counted = [
        (r#"countersign_code_attempts_total{outcome="wrong"}"#, 1),
        (r#"countersign_code_attempts_total{outcome="unreadable"}"#, 1),
        (r#"countersign_code_attempts_total{outcome="right"}"#, 1),
        (r#"countersign_password_attempts_total{outcome="wrong"}"#, 1),
    ];
    let counted = counted.map(|(series, count)| (series.to_owned(), count));
    let counts = meter.read().await;
    let series = ["countersign_code_attempts", "countersign_password_attempts"];
    assert_eq!(counts.since(&before, &series), BTreeMap::from(counted));
}

on_both_databases! {
    each_attempt_is_one_event_alike_for_known_and_unknown_emails,
    codes_are_recorded_with_their_login_and_its_email,
}
