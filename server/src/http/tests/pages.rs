//! The login pages as a browser loads them.

use reqwest::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};

use super::harness::{Server, client, in_time};

async fn with_pages() -> Server {
    Server::with(|settings| {
        settings.pages = true;
        settings.phone = Some("http://127.0.0.1:3001".to_owned());
        settings.origins.own = Some("https://login.example.com".to_owned());
    })
    .await
}

#[tokio::test]
async fn each_view_is_the_same_page_and_runs_no_script_but_the_services_own() {
    let server = with_pages().await;
    for view in ["/", "/signup", "/login", "/verify", "/account", "/password", "/confirm"] {
        let page = server.get(view).await;
        assert_eq!(page.status(), 200, "{view}");
        let header = |name| page.headers()[name].to_str().unwrap();
        assert_eq!((header(CONTENT_TYPE), header(CACHE_CONTROL)), ("text/html; charset=utf-8", "no-store"));
        let policy = header(CONTENT_SECURITY_POLICY);
        for directive in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
        {
            assert!(policy.split("; ").any(|part| part == directive), "{policy}");
        }
        let text = in_time(page.text()).await.unwrap();
        assert!(text.contains(r#"<meta name="phone" content="http://127.0.0.1:3001">"#), "{view}");
        let origin = r#"<meta name="public-origin" content="https://login.example.com">"#;
        assert!(text.contains(origin), "{view}");
    }
}

#[tokio::test]
async fn where_pages_are_off_there_is_nothing() {
    let server = Server::start().await;
    for path in ["/", "/login", "/assets/app.js"] {
        assert_eq!(server.get(path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_file_that_a_browser_has_already_is_not_sent_again() {
    let server = with_pages().await;
    let first = server.get("/assets/app.js").await;
    let header = |name| first.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header(CONTENT_TYPE).as_str(), header(CACHE_CONTROL).as_str()),
        ("text/javascript; charset=utf-8", "no-cache")
    );
    let again = async |tag: &str| {
        let request = client().get(server.url("/assets/app.js")).header(IF_NONE_MATCH, tag);
        let answer = in_time(request.send()).await.unwrap();
        (answer.status(), in_time(answer.bytes()).await.unwrap().len())
    };
    assert_eq!(again(&header(ETAG)).await, (StatusCode::NOT_MODIFIED, 0));
    let (status, length) = again("\"another\"").await;
    assert!(status == StatusCode::OK && length > 1_000, "{status} {length}");
}
