//! What the doctor says of the provider and of clocks.

use client_example::phone::{ApiFault, ApiFaultKind, Faults};
use harness::{Database, say_always, say_always_by_tls, say_nothing};
use throwaway::Certificate;

use super::{CALM, assert_one_failure, assert_told, calm, lines, split};

/// An application whose console was never finished, told by a clock that has stopped long ago.
const OTHER_APPLICATION: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
    date: Mon, 06 Nov 2017 08:49:37 GMT\r\n\r\n\
    {\"app\":{\"app_id\":1,\"name\":\"Half \\u001b[2Jdone\",\"sms_enabled\":false,\"onetouch_enabled\":\"false\"},\
    \"message\":\"Application information.\",\"success\":true}";

#[tokio::test]
async fn a_key_that_the_provider_does_not_know_is_told() {
    let world = split(Database::Sqlite).await;
    let wrong = "wrong-key-that-nobody-may-see-0123456789";
    world.planted.plant("wrong key", wrong);
    let finished = world.doctor(&[], &calm(&[("AUTHY_API_KEY", wrong)])).await;
    assert_eq!((finished.code, lines(&finished, "FAIL").len()), (Some(1), 2), "{}", finished.output);
    assert_told(&finished, "FAIL", &["provider", "AUTHY_API_KEY is not known at 127.0.0.1", "console"]);
    assert_told(&finished, "FAIL", &["callback url", "rejects a callback signed with these settings"]);
    // It said what time it is nevertheless.
    assert_told(&finished, "ok", &["clock", "the provider"]);
}

#[tokio::test]
async fn a_provider_that_is_away_or_silent_or_babbles_is_told() {
    let world = split(Database::Sqlite).await;
    let finished = world.doctor(&[], &calm(&[("AUTHY_API_URL", "http://127.0.0.1:1")])).await;
    assert_one_failure(&finished, &["provider", "127.0.0.1:1 cannot be reached", "refused"]);
    assert_told(&finished, "-", &["clock"]);
    let finished = world.doctor(&[], &calm(&[("AUTHY_API_URL", "https://api.authy.invalid")])).await;
    assert_one_failure(&finished, &["provider", "api.authy.invalid", "cannot be resolved"]);
    let silent = format!("http://127.0.0.1:{}", say_nothing());
    let changes = calm(&[("AUTHY_API_URL", &silent), ("PROVIDER_TIMEOUT", "300ms")]);
    assert_one_failure(&world.doctor(&[], &changes).await, &["provider", "PROVIDER_TIMEOUT"]);

    for (kind, parts) in [
        (ApiFaultKind::Html, &["provider", "does not speak as Authy does", "not a JSON object"]),
        (ApiFaultKind::Status, &["provider", "a failure of its own", "HTTP 500"]),
    ] {
        world.phone.set_faults(&Faults::api(ApiFault::new(kind))).await.unwrap();
        assert_one_failure(&world.doctor(&[], &CALM).await, parts);
    }
}

#[tokio::test]
async fn a_provider_whose_certificate_cannot_be_believed_is_told() {
    let world = split(Database::Sqlite).await;
    let certificate = Certificate::new("127.0.0.1").unwrap();
    let url = format!("https://127.0.0.1:{}", say_always_by_tls(OTHER_APPLICATION, &certificate));
    let finished = world.doctor(&[], &calm(&[("AUTHY_API_URL", &url)])).await;
    assert_one_failure(&finished, &["provider", "its certificate comes from an authority"]);
}

#[tokio::test]
async fn an_application_that_may_not_send_and_a_clock_that_is_wrong_are_told() {
    let world = split(Database::Sqlite).await;
    let url = format!("http://127.0.0.1:{}", say_always(OTHER_APPLICATION));
    let finished = world.doctor(&[], &calm(&[("AUTHY_API_URL", &url)])).await;
    assert_told(&finished, "WARN", &["provider", "\"Half [2Jdone\"", "no pushes"]);
    assert_told(&finished, "WARN", &["provider", "no text messages"]);
    assert_one_failure(&finished, &["clock", "years", "ahead of that of the provider", "NTP"]);
    assert!(!finished.output.contains('\u{1b}'), "{:?}", finished.output);
}
