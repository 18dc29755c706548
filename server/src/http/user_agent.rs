//! The browser and system that a client names in its `User-Agent`, for the list of a user's sessions.
//!
//! Browsers name their ancestors too (RFC 9110 §10.1.5: `Chrome` says `Safari`, Edge says both), so the first match of each list
//! counts. Anything else is unknown: what a program names freely is stored nowhere.

use axum::http::{HeaderMap, header};

use crate::graphql::ClientBrowser;

/// Product tokens of browsers, descendants first, and their names.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
];

/// Words of systems, and their names. Phones first: they name a desktop system too.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// Returns the browser and system of a request; `None` if the header names no known browser.
pub(super) fn browser(headers: &HeaderMap) -> Option<ClientBrowser> {
    let named = headers.get(header::USER_AGENT)?.to_str().ok()?;
    let first = |list: &[(&str, &'static str)]| {
        list.iter().find(|(token, _)| named.contains(token)).map(|(_, name)| *name)
    };
    let browser = first(BROWSERS)?;
    let text = match first(SYSTEMS) {
        Some(system) => format!("{browser} on {system}"),
        None => browser.to_owned(),
    };
    Some(ClientBrowser(text.into()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_user_agents_of_browsers_are_named() {
        for (user_agent, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
                Some("Firefox on Linux"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
                Some("Edge on Windows"),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                Some("Safari on macOS"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1",
                Some("Chrome on iPhone"),
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
                Some("Samsung Internet on Android"),
            ),
            ("curl/8.5.0", None),
            ("<script>alert(1)</script>", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(user_agent))]);
            let named = browser(&headers).map(|browser| browser.0.to_string());
            assert_eq!(named.as_deref(), name, "{user_agent}");
        }
        assert_eq!(browser(&HeaderMap::new()), None);
    }
}
