//! The values that settings can have, read from text.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt,
    net::{SocketAddr, ToSocketAddrs as _},
    str::FromStr,
    time::Duration,
};

use url::{Host, Url};

use super::SettingError;
use crate::{
    model::{CountryCode, Rate},
    provider::authy::Logo,
    storage::check_url,
};

/// More than this is as good as no budget at all.
const LARGEST_BUDGET: u32 = 1_000_000;

/// Authy takes no longer ones, in bytes.
const LONGEST_LOGO_URL: usize = 500;

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

/// The logos of the push: `default=https://…,low=https://…`.
#[derive(Clone, Debug, Default)]
pub struct Logos(pub Vec<Logo>);

impl FromStr for Logos {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut logos: Vec<Logo> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (resolution, url) =
                part.split_once('=').ok_or("must be like `default=https://…,low=https://…`")?;
            if !["default", "low", "med", "high"].contains(&resolution) {
                return Err("knows the resolutions `default`, `low`, `med` and `high`");
            }
            Url::parse(url).map_err(|_| "holds something that is no URL")?;
            if url.len() > LONGEST_LOGO_URL {
                return Err("holds a URL of more than 500 bytes");
            }
            if logos.iter().any(|logo| logo.res == resolution) {
                return Err("names a resolution twice");
            }
            logos.push(Logo { res: resolution.to_owned(), url: url.to_owned() });
        }
        if !logos.is_empty() && !logos.iter().any(|logo| logo.res == "default") {
            return Err("needs a `default` logo beside the others");
        }
        Ok(Self(logos))
    }
}

/// Calling codes with commas between them, with or without a plus: `1,+44`. Nothing is none.
#[derive(Clone, Debug)]
pub(super) struct CallingCodes(pub(super) HashSet<String>);

impl FromStr for CallingCodes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let codes = text.split(',').map(str::trim).filter(|code| !code.is_empty());
        let digits = |code| {
            CountryCode::parse(code)
                .map(|code| code.digits().to_owned())
                .map_err(|_| format!("holds {code}, which is no country's calling code"))
        };
        codes.map(digits).collect::<Result<_, _>>().map(Self)
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

/// Reads a duration such as `10m` or `12h`, of a millisecond at least.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| "must be a duration such as `10m` or `12h`".to_owned())?;
    if duration < Duration::from_millis(1) || duration > Duration::from_hours(24 * 366) {
        return Err("must be between a millisecond and a year".to_owned());
    }
    Ok(duration)
}

/// [`duration`], of an hour at most: what is counted in milliseconds elsewhere, and makes no sense as longer.
pub(super) fn short_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|duration| {
        let is_short = duration <= Duration::from_hours(1);
        if is_short { Ok(duration) } else { Err("must be an hour at most".to_owned()) }
    })
}

/// [`duration`], or none at all: `0s`.
pub(super) fn duration_or_none(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Ok(Duration::ZERO),
        _ => duration(text),
    }
}

/// Reads a budget such as `5/1h`. There is none that nobody could use up.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let (count, per) = text.split_once('/').ok_or("must be like `5/1h`: how many, and in which time")?;
    match count.parse() {
        Ok(count @ 1..=LARGEST_BUDGET) => Ok(Rate { count, per: duration(per)? }),
        _ => Err("must begin with a number from 1 to 1000000".to_owned()),
    }
}

/// Reads an `http` or `https` URL: the place of something, so that a path can follow.
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

/// A setting without which the command cannot run.
pub(super) fn required<T>(variable: &'static str, value: Option<T>) -> Result<T, SettingError> {
    value.ok_or_else(|| SettingError::new(variable, "is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logos_need_a_default() {
        assert_eq!("default=https://a/d.png, low=https://a/l.png".parse::<Logos>().unwrap().0.len(), 2);
        assert!("".parse::<Logos>().unwrap().0.is_empty());
        for wrong in ["low=https://a/l.png", "https://a/l.png", "huge=https://a/l.png", "default=nowhere"] {
            assert!(wrong.parse::<Logos>().is_err(), "{wrong}");
        }
        assert!("default=https://a/d.png,default=https://a/e.png".parse::<Logos>().is_err());
        assert!(format!("default=https://a/{}", "x".repeat(500)).parse::<Logos>().is_err());
    }

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

    #[test]
    fn a_budget_says_how_many_in_which_time() {
        assert_eq!(rate("5/1h"), Ok(Rate { count: 5, per: Duration::from_hours(1) }));
        assert_eq!(rate("1000000/1ms").map(|rate| rate.count), Ok(1_000_000));
        for wrong in ["", "5", "5/", "/1h", "0/1h", "-1/1h", "1000001/1h", "5/0s", "5/2000d", "off", "5/1h/2"]
        {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn calling_codes_are_those_that_some_country_has() {
        let codes = |text: &str| text.parse::<CallingCodes>().map(|codes| codes.0);
        assert_eq!(codes(" +44, 1,"), Ok(HashSet::from(["44".to_owned(), "1".to_owned()])));
        assert_eq!(codes(""), Ok(HashSet::new()));
        assert!(codes("999").is_err() && codes("1,GB").is_err());
    }

    #[test]
    fn durations_are_written_with_units() {
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert!(
            short_duration("1h").is_ok() && short_duration("61m").is_err() && short_duration("0s").is_err()
        );
        assert_eq!(duration_or_none("0s"), Ok(Duration::ZERO));
        assert!(duration_or_none("0").is_ok() && duration_or_none("soon").is_err());
        for wrong in ["", "10", "0s", "-1s", "900years"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
