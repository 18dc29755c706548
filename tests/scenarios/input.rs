//! Whatever is typed: one typed error for each wrong field, all at once, and never a fault.

use countersign_client::{SignupErrorCode, SignupInput};
use harness::{Database, Person, World, on_both_databases};

/// The codes and fields of what is wrong with a form.
async fn faults(world: &World, input: SignupInput) -> Vec<(SignupErrorCode, String)> {
    let reply = world.client.signup(input).await.unwrap();
    assert_eq!((reply.login_token, reply.status), (None, None));
    reply.errors.into_iter().map(|error| (error.code, error.field.unwrap_or_default())).collect()
}

async fn everything_that_is_wrong_is_told_at_once(database: Database) {
    let world = World::new(database).await;
    let wrong = SignupInput {
        full_name: " \t ".to_owned(),
        email: "nobody".to_owned(),
        country_code: "1".to_owned(),
        phone: "12".to_owned(),
        password: "short".to_owned(),
    };
    let expected = [
        (SignupErrorCode::InvalidName, "input.fullName"),
        (SignupErrorCode::InvalidEmail, "input.email"),
        (SignupErrorCode::InvalidPhone, "input.phone"),
        (SignupErrorCode::InvalidPassword, "input.password"),
    ];
    let expected = expected.map(|(code, field)| (code, field.to_owned()));
    assert_eq!(faults(&world, wrong).await, expected);
    assert_eq!(world.phone.calls().await.unwrap().counts.values().sum::<u64>(), 0);
}

async fn each_field_has_its_own_error(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let good = person.signup();
    let too_long = "x".repeat(129);
    let huge = "x".repeat(20_000);
    let cases: Vec<(SignupInput, SignupErrorCode, &str)> = [
        ("", SignupErrorCode::InvalidEmail),
        ("a@b", SignupErrorCode::InvalidEmail),
        ("a b@example.com", SignupErrorCode::InvalidEmail),
        ("a@example.com\u{0}", SignupErrorCode::InvalidEmail),
        (&huge, SignupErrorCode::InvalidEmail),
    ]
    .into_iter()
    .map(|(email, code)| (SignupInput { email: email.to_owned(), ..good.clone() }, code, "input.email"))
    .chain(["", "999", "+", "1x", "\u{2460}", &huge].into_iter().map(|country_code| {
        let input = SignupInput { country_code: country_code.to_owned(), ..good.clone() };
        (input, SignupErrorCode::InvalidCountryCode, "input.countryCode")
    }))
    .chain(["", "1", "+44 7400 123456", "not a phone", &huge].into_iter().map(|phone| {
        let input = SignupInput { phone: phone.to_owned(), ..good.clone() };
        (input, SignupErrorCode::InvalidPhone, "input.phone")
    }))
    .chain(["", "\u{202e}", "\t\n", &huge].into_iter().map(|full_name| {
        let input = SignupInput { full_name: full_name.to_owned(), ..good.clone() };
        (input, SignupErrorCode::InvalidName, "input.fullName")
    }))
    .chain(["", "1234567", "with\u{0}nul in it", &too_long, &huge].into_iter().map(|password| {
        let input = SignupInput { password: password.to_owned(), ..good.clone() };
        (input, SignupErrorCode::InvalidPassword, "input.password")
    }))
    .chain(["password", "Password1!", "Summer2026!", &good.email, &good.full_name].into_iter().map(
        |password| {
            let input = SignupInput { password: password.to_owned(), ..good.clone() };
            (input, SignupErrorCode::CommonPassword, "input.password")
        },
    ))
    .collect();
    for (input, code, field) in cases {
        let typed = [&input.email, &input.country_code, &input.phone, &input.full_name, &input.password]
            .map(Clone::clone);
        assert_eq!(faults(&world, input).await, [(code, field.to_owned())], "{typed:?}");
    }
    // What is left is good: nothing of it was stored.
    world.sign_up(&person).await;
}

async fn a_phone_may_be_written_as_people_write_it(database: Database) {
    let world = World::new(database).await;
    let person = Person::new();
    let national = &person.phone;
    let written = format!("+1 ({}) {}-{}", &national[..3], &national[3..6], &national[6..]);
    let typed = Person { country_code: "+1".to_owned(), phone: written, ..person.clone() };
    let session = world.sign_up(&typed).await;
    assert_eq!(session.user.country_code, "1");
    assert_eq!(world.device(&typed).await.phone, format!("+1{national}"));
}

on_both_databases! {
    everything_that_is_wrong_is_told_at_once,
    each_field_has_its_own_error,
    a_phone_may_be_written_as_people_write_it,
}
