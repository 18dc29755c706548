//! What the doctor says of URLs, of addresses to listen on, and of NATS.

use std::net::TcpListener;

use harness::{Database, Finished, World, say_always, say_always_by_tls, say_by_path, say_nothing};
use throwaway::{Certificate, Nats, require};

use super::{CALM, allow, assert_one_failure, assert_one_warning, assert_told, calm, lines, split};

/// A service that lives, whatever it is asked.
const LIVE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlive\n";

/// What the doctor finds where the callback's URL leads to somebody who always says this.
async fn called_back(world: &World, answer: &'static str) -> Finished {
    let url = format!("http://127.0.0.1:{}/authy/callback", say_always(answer));
    world.doctor(&[], &calm(&[("AUTHY_CALLBACK_URL", &url)])).await
}

#[tokio::test]
async fn a_public_url_that_leads_elsewhere_is_told() {
    let world = split(Database::Sqlite).await;
    let callback = world.callback_url().to_owned();
    let look = async |url: &str| {
        world.doctor(&[], &calm(&[("PUBLIC_URL", url), ("AUTHY_CALLBACK_URL", &callback)])).await
    };
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nWelcome";
    let elsewhere = format!("http://127.0.0.1:{}", say_always(page));
    assert_one_warning(&look(&elsewhere).await, &["public url", "something else than the service answers"]);
    assert_one_warning(&look("http://127.0.0.1:1").await, &["public url", "refused", "start the service"]);
    let finished = look("http://login.invalid").await;
    assert_told(&finished, "WARN", &["public url", "it is not https"]);
    assert_told(&finished, "WARN", &["public url", "cannot be resolved"]);
    assert_told(&finished, "WARN", &["callback url", "not the one of PUBLIC_URL"]);
    assert_eq!(finished.code, Some(0), "{}", finished.output);
    // A user in the URL is nobody's business.
    let secret = "secret-of-a-proxy-0123456789";
    world.planted.plant("password in a URL", secret);
    let finished = look(&format!("http://me:{secret}@127.0.0.1:1")).await;
    assert_one_warning(&finished, &["public url", "127.0.0.1:1 cannot be reached"]);
}

#[tokio::test]
async fn a_certificate_is_told_by_what_is_wrong_with_it() {
    let world = split(Database::Sqlite).await;
    let callback = world.callback_url().to_owned();
    for (certificate, is_trusted, expected) in [
        (Certificate::new("127.0.0.1"), true, None),
        (Certificate::new("127.0.0.1"), false, Some("does not trust")),
        (Certificate::new("login.example.com"), true, Some("is for another name")),
        (Certificate::expired("127.0.0.1"), true, Some("has expired")),
    ] {
        let certificate = certificate.unwrap();
        let authorities = world.folder().join("authorities.pem");
        let other = Certificate::new("other").unwrap();
        let trusted = if is_trusted { &certificate.authority } else { &other.authority };
        std::fs::write(&authorities, trusted).unwrap();
        let url = format!("https://127.0.0.1:{}", say_always_by_tls(LIVE, &certificate));
        let changes = [
            ("PUBLIC_URL", &*url),
            ("AUTHY_CALLBACK_URL", &callback),
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("SSL_CERT_FILE", authorities.to_str().unwrap()),
        ];
        let finished = world.doctor(&[], &calm(&changes)).await;
        match expected {
            // It lives, and is no service.
            None => assert_one_warning(&finished, &["public url", "/graphql/ws answers 200"]),
            Some(problem) => assert_one_failure(&finished, &["public url", "its certificate", problem]),
        }
    }
}

#[tokio::test]
async fn a_proxy_that_lets_no_socket_through_is_told() {
    let world = split(Database::Sqlite).await;
    let callback = world.callback_url().to_owned();
    // The service lives, and says this to whoever wants a socket.
    for (answer, parts) in [
        ("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "answers 426"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            "without the sub-protocol",
        ),
        ("", "opens no WebSocket"),
    ] {
        let url =
            format!("http://127.0.0.1:{}", say_by_path(&[("/health/live", LIVE), ("/graphql/ws", answer)]));
        let changes = [("PUBLIC_URL", &*url), ("AUTHY_CALLBACK_URL", &callback)];
        let finished = world.doctor(&[], &calm(&changes)).await;
        assert_one_warning(&finished, &["public url", parts, "Connection, Upgrade"]);
    }
}

#[tokio::test]
async fn a_callback_that_does_not_get_through_is_told_by_what_is_in_the_way() {
    let world = split(Database::Sqlite).await;
    for (answer, parts) in [
        (
            "HTTP/1.1 301 Moved\r\nlocation: https://me:x@login.invalid/authy/callback?a=b\r\nconnection: close\r\n\r\n",
            &["leads on to https://login.invalid/authy/callback (301)", "does not follow"][..],
        ),
        ("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n", &["answers 404", "passes on POST"]),
        (
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=x\r\nconnection: close\r\n\r\n",
            &["asks for a password"],
        ),
        (LIVE, &["answers 200", "not the service's answer"]),
    ] {
        let finished = called_back(&world, answer).await;
        assert_one_failure(&finished, &[&["callback url"], parts].concat());
    }
    let away = called_back(&world, "HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n").await;
    assert_one_warning(&away, &["callback url", "answers 502", "start the service"]);
}

#[tokio::test]
async fn a_callback_that_nobody_can_reach_is_told() {
    let world = split(Database::Sqlite).await;
    let elsewhere = format!("{}/elsewhere", world.service_address());
    let finished = world.doctor(&[], &calm(&[("AUTHY_CALLBACK_URL", &elsewhere)])).await;
    assert_told(&finished, "WARN", &["callback url", "ends neither with /authy/callback nor"]);
    assert_told(&finished, "FAIL", &["callback url", "answers 404"]);
    let finished = world.doctor(&[], &calm(&[("AUTHY_API_URL", "https://api.authy.invalid")])).await;
    assert_told(&finished, "WARN", &["callback url", "this machine alone: Authy cannot call back"]);
}

#[tokio::test]
async fn an_address_that_is_free_or_taken_is_told() {
    let world = split(Database::Sqlite).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    drop(taken);
    let free = world.doctor(&[], &calm(&[("LISTEN", &address)])).await;
    assert_told(&free, "ok", &["listen", &address, "is free"]);
    let other = format!("127.0.0.1:{}", say_always("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n"));
    assert_one_warning(
        &world.doctor(&[], &calm(&[("LISTEN", &other)])).await,
        &["something listens", "ss -ltnp"],
    );
    let metrics = world.doctor(&[], &calm(&[("METRICS_LISTEN", &other)])).await;
    assert_one_warning(&metrics, &["metrics", "something listens", "METRICS_LISTEN"]);
    let foreign = world.doctor(&[], &calm(&[("LISTEN", "192.0.2.1:3000")])).await;
    assert_one_failure(&foreign, &["listen", "no address of this machine"]);
}

#[tokio::test]
async fn a_service_that_tells_its_counts_is_known_by_them() {
    let world = World::builder(Database::Sqlite).split().with_metrics().start().await;
    allow(world.folder(), 0o700);
    let finished = world.doctor(&[], &CALM).await;
    assert_eq!(lines(&finished, "ok ").len(), 11, "{}", finished.output);
    assert_told(&finished, "ok", &["metrics", "the service listens", "already"]);
    assert_told(&finished, "ok", &["background", "tasks of the instance on this machine succeed"]);
    // Each is where the other is looked for.
    let service = world.service_address().trim_start_matches("http://").to_owned();
    let finished = world.doctor(&[], &calm(&[("METRICS_LISTEN", &service), ("LISTEN", "127.0.0.1:0")])).await;
    assert_one_warning(&finished, &["metrics", "something listens"]);
    let finished = world.doctor(&[], &calm(&[("METRICS_LISTEN", &service)])).await;
    assert_one_failure(&finished, &["metrics", "METRICS_LISTEN", "and LISTEN", "the same port"]);
}

#[tokio::test]
async fn what_carries_events_is_looked_at() {
    let Some(nats) = require("nats", Nats::start().await) else { return };
    let world = split(Database::Sqlite).await;
    let password = nats.url().split([':', '@']).nth(2).unwrap().to_owned();
    world.planted.plant("password of NATS", &password);
    let well = world.doctor(&[], &calm(&[("EVENTS_URL", &nats.url())])).await;
    assert_eq!(well.code, Some(0), "{}", well.output);
    assert_told(&well, "ok", &["events", "NATS 2", "takes us in"]);
    let stranger = nats.url().replace(&password, "a-wrong-password");
    world.planted.plant("wrong password of NATS", "a-wrong-password");
    let refused = world.doctor(&[], &calm(&[("EVENTS_URL", &stranger)])).await;
    assert_one_failure(&refused, &["events", "authorization violation"]);
    nats.stop().await;
    let away = world.doctor(&[], &calm(&[("EVENTS_URL", &nats.url())])).await;
    assert_one_failure(&away, &["events", "refused"]);
}

#[tokio::test]
async fn whoever_never_answers_ends_nothing_but_their_own_line() {
    let world = split(Database::Sqlite).await;
    let port = say_nothing();
    let (url, events) = (format!("http://127.0.0.1:{port}"), format!("nats://127.0.0.1:{port}"));
    let changes = [("PUBLIC_URL", &*url), ("EVENTS_URL", &events), ("AUTHY_API_URL", &url)];
    let finished = world.doctor(&[], &calm(&changes)).await;
    assert_eq!(finished.code, Some(1), "{}", finished.output);
    assert_told(&finished, "FAIL", &["events", "no answer in time"]);
    assert_told(&finished, "FAIL", &["provider", "does not answer within"]);
    assert_told(&finished, "WARN", &["public url", "no answer in time"]);
    assert_told(&finished, "WARN", &["callback url", "no answer in time"]);
    assert_told(&finished, "ok", &["database"]);
    assert_eq!(world.doctor(&[], &CALM).await.code, Some(0));
}

#[tokio::test]
async fn a_callback_signed_with_other_settings_than_the_service_has_is_a_failure() {
    let world = split(Database::Sqlite).await;
    let url = world.callback_url().to_owned();
    let same = world.doctor(&[], &calm(&[("AUTHY_CALLBACK_URL", &url)])).await;
    assert_told(&same, "ok", &["callback url", "accepts a signed callback and rejects an unsigned one"]);
    // It leads to the same place, but another text is signed.
    let other = url.replace("127.0.0.1", "localhost");
    for changes in
        [[("AUTHY_CALLBACK_URL", &*other)], [("AUTHY_API_KEY", "another-key-0123456789abcdef0123")]]
    {
        let finished = world.doctor(&[], &calm(&changes)).await;
        assert_told(&finished, "FAIL", &["callback url", "rejects a callback signed with these settings"]);
    }
}
