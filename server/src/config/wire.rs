//! The settings of clients: which may talk to the service, how much, and what it shows of itself.

use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

use clap::{ArgAction, Args, ValueEnum, builder::RangedU64ValueParser};
use ipnet::IpNet;
use url::Url;

use super::{problems::SettingError, values::is_loopback};
use crate::{
    http::{
        AdmissionSettings, HttpSettings, OperationRate, Origins, SessionTransport, StrictTransport,
        TrustedProxies, WebSocketSettings,
    },
    model::{Rate, parse_short_duration},
};

/// The settings of clients: which may talk to the service, and how much.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Clients and proxies")]
pub(crate) struct WireArguments {
    /// Origins of other pages that may talk to the service, separated by commas: `https://app.example.com`. The origin of
    /// `PUBLIC_URL` always may [default: none; in `dev` any on this machine].
    #[arg(long, env = "ALLOWED_ORIGINS", value_delimiter = ',', value_parser = origin)]
    allowed_origins: Vec<String>,
    /// Addresses or networks of the proxies before the service, separated by commas: `10.0.0.0/8`. Their `Forwarded` and
    /// `X-Forwarded-For` count, and those of no other peer [default: none].
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Connections that may be open at once, WebSockets included. The next one replaces one that is not busy. Each needs an open
    /// file.
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = 20_000, value_parser = count(1..=1_000_000))]
    pub(crate) max_connections: usize,
    /// Connections that one address may have open, trusted proxies aside. An IPv6 /64 counts as an address; a /56 may have four
    /// times as many, and a /48 thirty-two times.
    #[arg(long, env = "CONNECTIONS_PER_ADDRESS", default_value_t = 1_024, value_parser = count(1..=1_000_000))]
    connections_per_address: usize,
    /// WebSockets that one address may have open, as trusted proxies report it. Past it, an upgrade is answered 429. IPv6 counts
    /// as for connections.
    #[arg(long, env = "SOCKETS_PER_ADDRESS", default_value_t = 256, value_parser = count(1..=1_000_000))]
    sockets_per_address: usize,
    /// How long a connection is kept open for the next request. Set more than the load balancer's own timeout; otherwise it
    /// sends requests into connections that are being closed.
    #[arg(long, env = "KEEP_ALIVE_TIMEOUT", default_value = "75s", value_parser = parse_short_duration)]
    keep_alive_timeout: Duration,
    /// Whether browsers must use https for all hosts below that of an https `PUBLIC_URL` (HSTS, `includeSubDomains`). They
    /// remember it for two years.
    #[arg(long, env = "HSTS_SUBDOMAINS", default_value_t = false, action = ArgAction::Set)]
    hsts_subdomains: bool,
    /// Operations with a field that needs no session that one address (of IPv6 a /64) may send to an instance. Past it, they are
    /// rejected with `RATE_LIMITED`.
    #[arg(long, env = "OPERATIONS_PER_ADDRESS", default_value = "600/1m")]
    operations_per_address: Rate,
    /// Operations of one address (of IPv6 a /64) that may run statements at once on an instance. Further ones wait. Eight times
    /// as many may hash a password or call the provider.
    #[arg(long, env = "STATEMENTS_PER_ADDRESS", default_value_t = 8, value_parser = count(1..=10_000))]
    statements_per_address: usize,
    /// Whether tools may query the schema.
    #[arg(long, env = "INTROSPECTION", default_value_t = false, action = ArgAction::Set)]
    pub(crate) introspection: bool,
    /// Whether a browser that opens `/graphql` receives GraphiQL.
    #[arg(long, env = "GRAPHIQL", default_value_t = false, action = ArgAction::Set)]
    pub(crate) graphiql: bool,
    /// Whether a browser that opens `/` receives the login pages [default: false; in `dev` true].
    #[arg(long, env = "PAGES", action = ArgAction::Set)]
    pages: Option<bool>,
    /// How sessions are delivered: as a `bearer`, in a `cookie`, or `both`: in a cookie to the service's own pages, as a bearer to
    /// other clients. Cookies need https, or loopback [default: bearer; with `PAGES` both].
    #[arg(long, env = "SESSION_TRANSPORT", value_enum)]
    session_transport: Option<Transport>,
    /// Public names by which `METRICS_LISTEN` is reached, separated by commas: `metrics.example.com`. Addresses and private names
    /// need not be listed; other names are answered 421 [default: none].
    #[arg(long, env = "METRICS_HOSTS", value_delimiter = ',', value_parser = host_name, help_heading = "Metrics, logs and traces")]
    metrics_hosts: Vec<String>,
}

fn count(range: RangeInclusive<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

/// How sessions travel, as it is written in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    Bearer,
    Cookie,
    Both,
}

impl From<Transport> for SessionTransport {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Bearer => Self::Bearer,
            Transport::Cookie => Self::Cookie,
            Transport::Both => Self::Both,
        }
    }
}

impl WireArguments {
    /// Returns the settings of a service that clients on any machine may reach.
    pub(super) fn check(self) -> Result<HttpSettings, SettingError> {
        self.check_with(false)
    }

    /// Returns the settings of a service that only this machine reaches, and that hides nothing from its developer.
    #[cfg(feature = "sandbox")]
    pub(super) fn check_local(self) -> Result<HttpSettings, SettingError> {
        let mut settings = self.check_with(true)?;
        settings.origins.any_on_loopback = true;
        Ok(settings)
    }

    /// Adds what follows from the URL at which browsers reach the service.
    pub(super) fn publish(
        &self,
        mut settings: HttpSettings,
        public_url: &Url,
    ) -> Result<HttpSettings, SettingError> {
        let strict_transport =
            if self.hsts_subdomains { StrictTransport::WithSubdomains } else { StrictTransport::Host };
        settings.origins.own = Some(public_url.origin().ascii_serialization());
        settings.strict_transport = (public_url.scheme() == "https").then_some(strict_transport);
        let keeps_cookies = settings.strict_transport.is_some() || is_loopback(public_url);
        if settings.sessions != SessionTransport::Bearer && !keeps_cookies {
            let problem = "must be https with SESSION_TRANSPORT `cookie` or `both`: browsers keep such cookies of https only";
            return Err(SettingError::new("PUBLIC_URL", problem));
        }
        Ok(settings)
    }

    fn check_with(self, default_pages: bool) -> Result<HttpSettings, SettingError> {
        let (sessions, pages) = self.sessions_and_pages(default_pages)?;
        let Rate { count, per } = self.operations_per_address;
        let mut settings = HttpSettings {
            origins: Origins { listed: self.allowed_origins, ..Origins::default() },
            sessions,
            pages,
            trusted_proxies: TrustedProxies(self.trusted_proxies),
            metrics_hosts: self.metrics_hosts,
            ..HttpSettings::default()
        };
        settings.listener.max_connections = self.max_connections;
        settings.listener.idle_timeout = self.keep_alive_timeout;
        settings.listener.max_connections_per_address = self.connections_per_address;
        settings.websocket.max_per_address = self.sockets_per_address;
        settings.websocket.max_bytes_per_address = self
            .sockets_per_address
            .saturating_mul(WebSocketSettings::USUAL_BYTES)
            .max(settings.websocket.max_bytes);
        settings.graphql.admission = AdmissionSettings {
            operations: OperationRate { count, per },
            statements: self.statements_per_address,
        };
        settings.graphql.introspection = self.introspection;
        settings.graphql.graphiql = self.graphiql;
        Ok(settings)
    }

    /// The login pages keep their sessions in cookies: a service with bearers only has no pages.
    fn sessions_and_pages(&self, default_pages: bool) -> Result<(SessionTransport, bool), SettingError> {
        match (self.session_transport, self.pages) {
            (Some(Transport::Bearer), Some(true)) => {
                let problem = "must be `cookie` or `both` with PAGES: the login pages use no bearer";
                Err(SettingError::new("SESSION_TRANSPORT", problem))
            }
            (Some(Transport::Bearer), _) => Ok((SessionTransport::Bearer, false)),
            (Some(transport), pages) => Ok((transport.into(), pages.unwrap_or(default_pages))),
            (None, pages) if pages.unwrap_or(default_pages) => Ok((SessionTransport::Both, true)),
            (None, _) => Ok((SessionTransport::Bearer, false)),
        }
    }
}

/// An origin as browsers write it (RFC 6454 §6.2), or as apps do that show pages of their own: `capacitor://localhost`.
fn origin(text: &str) -> Result<String, String> {
    let url = Url::parse(text.trim()).map_err(|error| error.to_string())?;
    let is_bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let host = url.host_str().filter(|host| is_bare && !host.is_empty() && url.scheme() != "file");
    let Some(host) = host else { return Err("must be like `https://app.example.com`".to_owned()) };
    // An opaque origin, which schemes of apps have here, would be written `null`.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{}://{}{port}", url.scheme(), host.to_ascii_lowercase()))
}

/// A name without a port.
fn host_name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    match url::Host::parse(text) {
        Ok(url::Host::Domain(name)) => Ok(name),
        _ => Err("must be like `metrics.example.com`"),
    }
}

/// A network, or an address alone.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "must be like `10.0.0.0/8` or `192.0.2.1`".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{
        HttpSettings, SessionTransport, SettingError, StrictTransport, Url, WireArguments, network, origin,
    };

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        wire: WireArguments,
    }

    fn public(url: &str, flags: &[&str]) -> Result<HttpSettings, SettingError> {
        let line = Line::try_parse_from([&["countersign"], flags].concat()).unwrap();
        line.wire.publish(line.wire.clone().check()?, &Url::parse(url).unwrap())
    }

    #[test]
    fn pages_bring_cookies_with_them_and_bearers_are_what_there_is_without() {
        use SessionTransport::{Bearer, Both, Cookie};
        for (flags, sessions, pages) in [
            (&[][..], Bearer, false),
            (&["--pages=false"], Bearer, false),
            (&["--pages=true"], Both, true),
            (&["--session-transport=bearer"], Bearer, false),
            (&["--session-transport=cookie"], Cookie, false),
            (&["--session-transport=both", "--pages=true"], Both, true),
            (&["--session-transport=cookie", "--pages=true"], Cookie, true),
        ] {
            let settings = public("https://login.example.com/below", flags).unwrap();
            assert_eq!((settings.sessions, settings.pages), (sessions, pages), "{flags:?}");
            assert_eq!(settings.origins.own.as_deref(), Some("https://login.example.com"));
        }
        let contradiction =
            public("https://login.example.com", &["--pages=true", "--session-transport=bearer"]);
        assert_eq!(contradiction.unwrap_err().variable, "SESSION_TRANSPORT");
    }

    #[test]
    fn cookies_want_https_or_this_machine() {
        let cookies = ["--session-transport=cookie"];
        assert_eq!(public("http://login.example.com", &cookies).unwrap_err().variable, "PUBLIC_URL");
        assert!(public("http://login.example.com", &[]).is_ok());
        assert!(public("http://127.0.0.1:3000", &cookies).is_ok());
    }

    #[test]
    fn https_alone_brings_strict_transport_with_subdomains_where_they_are_asked_for() {
        use StrictTransport::{Host, WithSubdomains};
        let subdomains = ["--hsts-subdomains=true"];
        let strict = |url, flags: &[&str]| public(url, flags).unwrap().strict_transport;
        assert_eq!(strict("https://login.example.com", &[]), Some(Host));
        assert_eq!(strict("https://login.example.com", &subdomains), Some(WithSubdomains));
        assert_eq!(strict("http://login.example.com", &subdomains), None);
    }

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        assert_eq!(origin(" HTTPS://App.Example.com:443/").as_deref(), Ok("https://app.example.com"));
        assert_eq!(origin("http://localhost:5173").as_deref(), Ok("http://localhost:5173"));
        for scheme in ["capacitor", "ionic", "tauri", "chrome-extension", "moz-extension", "app.custom+v1-2"]
        {
            let written = format!("{scheme}://localhost");
            assert_eq!(origin(&written).as_deref(), Ok(written.as_str()));
        }
        assert_eq!(origin("Capacitor://LocalHost:8080").as_deref(), Ok("capacitor://localhost:8080"));
        assert_eq!(origin("https://[2001:DB8::1]:8443").as_deref(), Ok("https://[2001:db8::1]:8443"));
        for wrong in
            ["*", "null", "app.example.com", "https://a/b", "https://a?b", "https://u@a", "https://a#b"]
        {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
        for wrong in [
            "file:///a",
            "file://localhost",
            "data:text/html,a",
            "javascript:a",
            "capacitor:",
            "capacitor:///",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        assert_eq!(network("192.0.2.1").unwrap(), "192.0.2.1/32".parse().unwrap());
        assert_eq!(network(" 2001:db8::/32 ").unwrap(), "2001:db8::/32".parse().unwrap());
        for wrong in ["", "proxy.internal", "10.0.0.0/33", "10.0.0.0-10.0.0.9"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
