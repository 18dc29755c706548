//! The browser of the other stories is a check that can fail: each thing that a page must not do is noticed.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use harness::{Browser, Window};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

/// A server of one page, whatever is asked for.
struct Site {
    address: String,
    _serving: JoinSet<()>,
}

impl Site {
    async fn of(headers: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let length = body.len();
        let answer: Arc<str> = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .into();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut connection, _)) = listener.accept().await {
                let answer = answer.clone();
                connections.spawn(async move {
                    let _head = connection.read(&mut [0; 4096]).await;
                    let _ = connection.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, _serving: serving }
    }
}

const NO_ICON: &str = "<link rel=icon href='data:,'>";

/// A window that has come to the end of its page: what came before was noticed before.
async fn window_at(browser: &Browser, headers: &str, body: &str) -> Window {
    let site = Site::of(headers, &format!("{NO_ICON}{body}<p id=end>the end</p>")).await;
    let window = browser.visitor(&[&site.address]).await.open(&site.address).await;
    window.see("#end").await;
    window
}

#[tokio::test]
async fn a_page_that_does_nothing_wrong_is_clean() {
    let Some(browser) = Browser::launch().await else { return };
    let body = "<input id=name><select id=list><option>one<option>two</select>
        <button onclick=\"document.body.append(name.value + list.value)\">go</button>
        <script>const name = document.getElementById('name'), list = document.getElementById('list')</script>";
    let window = window_at(&browser, "", body).await;
    window.fill("#name", "Ada").await;
    window.choose("#list", "two").await;
    window.press("Tab").await;
    window.click("button").await;
    window.read("body", "two").await;
    window.miss("#nothing").await;
    window.assert_clean().await;
}

#[tokio::test]
async fn whatever_a_page_does_wrong_is_noticed() {
    let Some(browser) = Browser::launch().await else { return };
    let policy = "content-security-policy: default-src 'self' data:\r\n";
    for (headers, body, trouble) in [
        ("", "<script>console.error('a complaint')</script>", "a complaint"),
        ("", "<script>console.warn('a warning')</script>", "a warning"),
        ("", "<script>throw new Error('a mistake')</script>", "a mistake"),
        ("", "<script>setTimeout(() => { throw new Error('a late one') })</script>", "a late one"),
        ("", "<script>Promise.reject(new Error('a broken promise'))</script>", "a broken promise"),
        (policy, "<script>let unwanted</script>", "Content Security Policy"),
        ("", "<img src='http://elsewhere.example/x.png'>", "asked elsewhere: http://elsewhere.example/x.png"),
        ("", "<script>new WebSocket('ws://127.0.0.1:9/x')</script>", "asked elsewhere: ws://127.0.0.1:9/x"),
    ] {
        let window = window_at(&browser, headers, body).await;
        window.forgive(trouble).await;
        // Where one thing goes wrong, others may follow: the browser tells of them too.
        window.forget();
    }
}

#[tokio::test]
async fn people_share_no_cookies() {
    let Some(browser) = Browser::launch().await else { return };
    let site = Site::of("", &format!("{NO_ICON}<p id=end>the end</p>")).await;
    let (ada, grace) = (browser.visitor(&[&site.address]).await, browser.visitor(&[&site.address]).await);
    let (hers, theirs) = (ada.open(&site.address).await, grace.open(&site.address).await);
    hers.evaluate("document.cookie = 'who=ada'").await;
    assert_eq!(ada.open(&site.address).await.evaluate("document.cookie").await, "who=ada");
    assert_eq!(theirs.evaluate("document.cookie").await, "");
}

/// What a wait says when it ends in vain.
async fn complaint(waiting: impl Future<Output = ()>) -> String {
    let panicked = AssertUnwindSafe(waiting).catch_unwind().await.unwrap_err();
    *panicked.downcast::<String>().unwrap()
}

#[tokio::test]
async fn who_waits_in_vain_is_told_what_there_was_instead() {
    let Some(browser) = Browser::launch().await else { return };
    let body = "<p id=there>something else</p><script>console.error('a hint')</script>";
    let window = window_at(&browser, "", body).await;
    let address = window.evaluate("location.href").await;
    let mut window = window.with_patience(Duration::from_millis(100));
    for complaint in [
        complaint(window.see("#wanted")).await,
        complaint(window.read("#there", "#wanted")).await,
        complaint(window.evaluate("new Promise(() => '#wanted')").map(drop)).await,
    ] {
        for part in ["#wanted", address.as_str().unwrap(), "something else", "a hint"] {
            assert!(complaint.contains(part), "{part}: {complaint}");
        }
    }
    assert!(complaint(window.miss("#there")).await.contains("#there None false"));
    window = window.with_patience(Duration::from_mins(1));
    window.forgive("a hint").await;
}

#[tokio::test]
async fn what_nobody_looks_at_fails_the_story_in_the_end() {
    let Some(browser) = Browser::launch().await else { return };
    let window = window_at(&browser, "", "<script>console.error('overlooked')</script>").await;
    assert!(complaint(async { drop(window) }).await.contains("overlooked"));
}
