//! GraphiQL, for `dev`: a page at `/graphql` for browsers, most of which comes from a CDN.
//!
//! The invariant: what comes from elsewhere is what it was when it was written down here, byte for byte.

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};

use super::state::HttpState;

const PAGE: &str = include_str!("index.html");

/// What the page may load: our own files, and those of its CDN. Its editor writes styles into the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self' https://unpkg.com; style-src 'self' 'unsafe-inline' https://unpkg.com; \
     font-src data: https://unpkg.com; img-src data: https://unpkg.com; connect-src 'self'; worker-src blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The routes of its own files.
pub(super) fn router() -> Router<HttpState> {
    let file = |kind, text| get(move || async move { ([(header::CONTENT_TYPE, kind)], text) });
    Router::new()
        .route("/graphiql/graphiql.js", file("text/javascript; charset=utf-8", include_str!("graphiql.js")))
        .route("/graphiql/graphiql.css", file("text/css; charset=utf-8", include_str!("graphiql.css")))
}

/// The page.
pub(super) fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::PAGE;

    #[test]
    fn what_comes_from_elsewhere_is_pinned_to_the_byte() {
        let is_ours = |url: &str| url.starts_with("/graphiql/") || url == "data:,";
        let mut pinned = 0;
        for element in PAGE.split('<') {
            let named = ["src=\"", "href=\""].iter().find_map(|name| element.split(name).nth(1));
            let Some(url) = named.and_then(|rest| rest.split('"').next()).filter(|&url| !is_ours(url)) else {
                continue;
            };
            assert!(url.starts_with("https://unpkg.com/"), "{url}");
            let version = url.split('@').nth(1).unwrap().split('/').next().unwrap();
            assert_eq!(version.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3, "{url}");
            let hash = element.split("integrity=\"sha384-").nth(1).unwrap().split('"').next().unwrap();
            assert_eq!(hash.len(), 64, "{url}");
            assert!(element.contains("crossorigin=\"anonymous\""), "{url}");
            pinned += 1;
        }
        assert_eq!(pinned, 5);
        assert!(!PAGE.contains("<style") && !PAGE.contains("<script>"));
        for own in [include_str!("graphiql.js"), include_str!("graphiql.css")] {
            assert!(!own.contains("://") && !own.contains("url("));
        }
    }
}
