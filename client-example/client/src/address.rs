//! Where a service or a sandbox is: a base address, to which paths are appended. It never holds a user name, a
//! password or a query, so it may stand in a log.

use std::{fmt, str::FromStr};

use url::{Host, Url};

use crate::error::AddressError;

/// A base address such as `http://127.0.0.1:3000` or `https://example.com/login`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut url = Url::parse(text.trim()).map_err(|_| AddressError::NotAnAddress)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        url.set_query(None);
        url.set_fragment(None);
        if !url.path().ends_with('/') {
            let folder = format!("{}/", url.path());
            url.set_path(&folder);
        }
        Ok(Self(url))
    }
}

impl Address {
    /// Returns the URL of a path below this address; `path` has no leading slash.
    #[must_use]
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let joined = format!("{}{path}", url.path());
        url.set_path(&joined);
        url
    }

    /// Whether this is the very machine that asks.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(domain)) => domain == "localhost",
            None => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// The same place for a WebSocket: `http` becomes `ws` and `https` becomes `wss`.
pub(crate) fn websocket_url(http: &Url) -> String {
    http.as_str().replacen("http", "ws", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> String {
        text.parse::<Address>().unwrap().join("graphql").to_string()
    }

    #[test]
    fn paths_are_appended_to_the_base() {
        assert_eq!(endpoint("http://127.0.0.1:3000"), "http://127.0.0.1:3000/graphql");
        assert_eq!(endpoint("http://127.0.0.1:3000/"), "http://127.0.0.1:3000/graphql");
        assert_eq!(endpoint("https://example.com/login?x=1#y"), "https://example.com/login/graphql");
    }

    #[test]
    fn a_socket_is_where_the_requests_go() {
        let socket = |text: &str| websocket_url(&text.parse::<Address>().unwrap().join("graphql"));
        assert_eq!(socket("http://127.0.0.1:3000"), "ws://127.0.0.1:3000/graphql");
        assert_eq!(socket("https://http.example.com"), "wss://http.example.com/graphql");
    }

    #[test]
    fn only_plain_web_addresses_are_taken() {
        let refusal = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(refusal("127.0.0.1:3000"), AddressError::NotAnAddress);
        assert_eq!(refusal("ftp://example.com"), AddressError::Scheme);
        assert_eq!(refusal("http://ada:planted@example.com"), AddressError::Credentials);
    }

    #[test]
    fn loopback_is_known_by_any_of_its_names() {
        let is_loopback = |text: &str| text.parse::<Address>().unwrap().is_loopback();
        assert!(is_loopback("http://127.0.0.1:3000"));
        assert!(is_loopback("http://[::1]:3000"));
        assert!(is_loopback("http://localhost:3000"));
        assert!(!is_loopback("http://localhost.example.com"));
    }
}
