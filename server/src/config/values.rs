//! The values that settings can have, read from text.

use std::{
    borrow::Cow,
    fmt,
    net::{SocketAddr, ToSocketAddrs as _},
    str::FromStr,
};

use url::{Host, Url};

use crate::storage::check_url;

/// `sqlite:PATH` or `postgres://…`. Its `Debug` hides what may hold a password.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of an SQLite file; `None` for a server.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&str> {
        self.0.strip_prefix("sqlite:")
    }

    /// The name of a server's database, as far as it can name a file: letters, digits, `_` and `-`.
    #[must_use]
    pub fn server_database(&self) -> String {
        let before_parameters = self.0.split('?').next().unwrap_or_default();
        let name = before_parameters.rsplit('/').next().unwrap_or_default();
        let is_plain = |character: &char| character.is_ascii_alphanumeric() || "_-".contains(*character);
        let plain: String = name.chars().filter(is_plain).collect();
        if plain.is_empty() { "postgres".to_owned() } else { plain }
    }
}

impl FromStr for DatabaseUrl {
    type Err = Cow<'static, str>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_url(text).map(|()| Self(text.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.sqlite_path().map_or("postgres:…", |_| "sqlite:…"))
    }
}

/// Parses `HOST:PORT`; a name is resolved, and its IPv4 address preferred.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let addresses = text.to_socket_addrs().map_err(|_| {
        "must be an address and a port such as `127.0.0.1:3000`, or a name of this machine with one"
            .to_owned()
    })?;
    addresses.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| "is a name without an address".to_owned())
}

/// Parses an `http` or `https` URL to which a path can be appended.
pub(super) fn http_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL")?;
    match url.scheme() {
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            Err("must be a URL without query and fragment")
        }
        "http" | "https" if url.host().is_some() => Ok(url),
        _ => Err("must be an http or https URL"),
    }
}

/// Whether a URL stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_urls_name_a_file_or_a_server_and_hide_passwords() {
        for wrong in ["", "sqlite:", "sqlite::memory:", "mysql://x", "countersign.db"] {
            assert!(wrong.parse::<DatabaseUrl>().is_err(), "{wrong}");
        }
        let url: DatabaseUrl = "postgres://me:secret@host/db".parse().unwrap();
        assert_eq!(format!("{url:?}"), "postgres:…");
        assert_eq!(url.server_database(), "db");
        let odd: DatabaseUrl = "postgres://me@host/..%2F?sslmode=disable".parse().unwrap();
        assert_eq!(odd.server_database(), "2F");
    }

    #[test]
    fn an_address_to_listen_on_may_be_a_name() {
        assert_eq!(listen_address("[::1]:80"), Ok("[::1]:80".parse().unwrap()));
        assert_eq!(listen_address("localhost:3000"), Ok("127.0.0.1:3000".parse().unwrap()));
        for wrong in ["", "localhost", "127.0.0.1", "3000", "no-such-host.invalid:1", "localhost:70000"] {
            assert!(listen_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_number() {
        for (text, expected) in [
            ("http://localhost:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80/x", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&http_url(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_url_has_a_host_and_ends_with_its_path() {
        assert!(http_url("https://login.example.com/below").is_ok());
        for wrong in ["", "login.example.com", "ftp://a", "https://a/?b=c", "https://a/#b"] {
            assert!(http_url(wrong).is_err(), "{wrong}");
        }
    }
}
