//! What must be known to speak with Authy.
//!
//! Not where it is configured: settings are read elsewhere. The invariant: the API key is shown by nothing in here.

use std::{fmt, time::Duration};

use serde::Serialize;
use url::Url;
use zeroize::Zeroizing;

use crate::outgoing::OutgoingProxy;

const MAX_KEY_BYTES: usize = 256;

/// How to reach Authy, and what it may be believed by.
#[derive(Clone, Debug)]
pub struct AuthyConfig {
    /// The application's API key; callbacks are signed with it too.
    pub api_key: ApiKey,
    /// Where the API is: `https://api.authy.com`.
    pub api_url: Url,
    /// The callback URL exactly as it is entered in Authy's console, for that text is what Authy signs.
    pub callback_url: String,
    /// How long one call may take, from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// The proxy that calls go through, if any.
    pub proxy: OutgoingProxy,
    /// Pictures shown with an approval request; if there are any, one has the resolution `default`.
    pub logos: Vec<Logo>,
    /// Whether people whom Authy does not know are enrolled.
    pub enroll_new: bool,
    /// Whether a code that is sent approves only what it was sent for.
    pub bind_codes: bool,
}

/// The API key of an Authy application. Wiped from memory when dropped.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

/// A picture shown with an approval request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logo {
    /// For which screens: `default`, `low`, `med` or `high`.
    pub res: String,
    /// Where the phone finds it; at most 500 bytes, https.
    pub url: String,
}

/// Text that is no API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an API key is 1 to 256 visible ASCII characters")]
pub struct InvalidApiKey;

/// Why Authy cannot be spoken with as configured.
#[derive(Debug, thiserror::Error)]
pub enum AuthyConfigError {
    /// Not an http or https URL, or one with a user, a query or a fragment.
    #[error("the API's URL must be http or https, without user, query and fragment")]
    ApiUrl,
    /// Not an http or https URL, or one with a query or a fragment, which Authy leaves out of what it signs.
    #[error("the callback's URL must be http or https, without query and fragment")]
    CallbackUrl,
    /// A resolution that is none of the four or is there twice, none for `default`, or a URL that is too long.
    #[error(
        "the logos need one of resolution `default`, each of another one (low, med, high), and URLs up to 500 bytes"
    )]
    Logos,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
}

impl ApiKey {
    /// Reads a key as it stands in the settings; blanks around it are dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidApiKey> {
        let text = text.trim();
        let is_key =
            (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| Self(Zeroizing::new(text.to_owned()))).ok_or(InvalidApiKey)
    }

    /// The key itself, for a header or a signature.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(…)")
    }
}

impl AuthyConfig {
    /// Refuses what Authy would refuse later, or would never match.
    pub(super) fn check(&self) -> Result<(), AuthyConfigError> {
        let has_user = !self.api_url.username().is_empty() || self.api_url.password().is_some();
        if !is_plain_http(&self.api_url) || has_user {
            return Err(AuthyConfigError::ApiUrl);
        }
        if !Url::parse(&self.callback_url).is_ok_and(|url| is_plain_http(&url)) {
            return Err(AuthyConfigError::CallbackUrl);
        }
        if are_logos(&self.logos) { Ok(()) } else { Err(AuthyConfigError::Logos) }
    }
}

fn is_plain_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
}

fn are_logos(logos: &[Logo]) -> bool {
    let is_known =
        |logo: &Logo| matches!(&*logo.res, "default" | "low" | "med" | "high") && logo.url.len() <= 500;
    let is_unique = |logo: &Logo| logos.iter().filter(|other| other.res == logo.res).count() == 1;
    logos.iter().all(|logo| is_known(logo) && is_unique(logo))
        && (logos.is_empty() || logos.iter().any(|logo| logo.res == "default"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> AuthyConfig {
        AuthyConfig {
            api_key: ApiKey::parse("planted-api-key").unwrap(),
            api_url: Url::parse("https://api.authy.com").unwrap(),
            callback_url: "https://login.example.com/authy/callback".to_owned(),
            timeout: Duration::from_secs(3),
            proxy: OutgoingProxy::default(),
            logos: Vec::new(),
            enroll_new: true,
            bind_codes: true,
        }
    }

    fn logo(res: &str) -> Logo {
        Logo { res: res.to_owned(), url: "https://example.com/logo.png".to_owned() }
    }

    #[test]
    fn a_key_is_visible_ascii() {
        assert_eq!(ApiKey::parse(" key\n").unwrap().expose(), "key");
        for text in ["", "  ", "a b", "a\nb", "schlüssel", "a\u{0}", &"k".repeat(257)] {
            assert_eq!(ApiKey::parse(text).unwrap_err(), InvalidApiKey, "{text:?}");
        }
    }

    #[test]
    fn debug_does_not_show_the_key() {
        assert!(!format!("{:?}", config()).contains("planted"));
    }

    #[test]
    fn urls_that_authy_could_not_match_are_refused() {
        assert!(config().check().is_ok());
        for url in ["ftp://api.authy.com", "https://u:p@api.authy.com", "https://api.authy.com?a=b", "data:x"]
        {
            let config = AuthyConfig { api_url: Url::parse(url).unwrap(), ..config() };
            assert!(matches!(config.check(), Err(AuthyConfigError::ApiUrl)), "{url}");
        }
        for url in
            ["", "/authy/callback", "login.example.com", "https://a.example/c?x=y", "https://a.example/c#f"]
        {
            let config = AuthyConfig { callback_url: url.to_owned(), ..config() };
            assert!(matches!(config.check(), Err(AuthyConfigError::CallbackUrl)), "{url}");
        }
    }

    #[test]
    fn logos_need_a_default_and_known_resolutions() {
        let check = |resolutions: &[&str]| {
            AuthyConfig { logos: resolutions.iter().map(|res| logo(res)).collect(), ..config() }
                .check()
                .is_ok()
        };
        assert!(check(&[]) && check(&["default"]) && check(&["low", "default", "med", "high"]));
        assert!(!check(&["low"]) && !check(&["default", "huge"]) && !check(&["default", "default"]));
    }
}
