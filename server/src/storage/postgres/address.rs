//! `DATABASE_URL` of a PostgreSQL: what tokio-postgres reads, and what it does not know of TLS.
//!
//! Nothing here says what it has read: a URL holds a password.

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use percent_encoding::percent_decode_str;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::ConfigVerifierExt;
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::storage::StoreError;

/// A URL, read.
#[derive(Clone, Debug)]
pub(in crate::storage) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// Whether the URL says itself what servers it wants (`target_session_attrs`).
    pub(super) names_session_attrs: bool,
}

/// Whether to speak TLS, and whom to trust then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    No,
    /// The certificate and the name in it are checked, against what this machine trusts.
    Platform,
    /// The same, against the authorities of this PEM file alone.
    Authorities(PathBuf),
}

impl Address {
    /// Reads `postgres://…`. The error says what is wrong, and shows nothing of it.
    ///
    /// `sslmode` is `disable` (the default), `require`, `verify-ca` or `verify-full`. Stricter than libpq, the last three are
    /// the same: encryption without knowing to whom protects from nobody who can be in between.
    pub(in crate::storage) fn read(url: &str) -> Result<Self, Cow<'static, str>> {
        // As tokio-postgres reads it: a password may hold a question mark.
        let host = url.find('@').map_or(0, |at| at + 1);
        let query = url[host..].find('?').map_or(url.len(), |question_mark| host + question_mark);
        let (base, query) = (&url[..query], url[query..].trim_start_matches('?'));
        let (mut mode, mut authorities, mut others) = (None, None, Vec::new());
        let mut names_session_attrs = false;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let key = percent_decode_str(key).decode_utf8().map_err(|_| "has a parameter that is no text")?;
            match key.as_ref() {
                "sslmode" => mode = Some(value),
                "sslrootcert" => {
                    let path =
                        percent_decode_str(value).decode_utf8().map_err(|_| "has a path that is no text")?;
                    authorities = Some(PathBuf::from(path.as_ref()));
                }
                key => {
                    names_session_attrs |= key == "target_session_attrs";
                    others.push(parameter);
                }
            }
        }
        // Where both readers of a URL see another place than whoever wrote it, TLS would be asked for in vain.
        if mode.is_none() && percent_decode_str(url).decode_utf8_lossy().contains("sslmode") {
            return Err("has an sslmode in the wrong place: encode what is special before it".into());
        }
        let tls = Tls::read(mode, authorities)?;
        let plain = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        let mut config: Config = plain.parse().map_err(|_| whats_wrong(query, &others))?;
        if config.get_hosts().is_empty() {
            return Err("must name a host".into());
        }
        if config.get_ssl_mode() != Config::new().get_ssl_mode() {
            return Err(
                "has an sslmode in a place where it is easily overlooked: encode what is special in it"
                    .into(),
            );
        }
        config.ssl_mode(if tls == Tls::No { SslMode::Disable } else { SslMode::Require });
        Ok(Self { config, tls, names_session_attrs })
    }

    /// Whether what is said can be read on the way: without TLS, beyond this machine.
    pub(in crate::storage) fn is_open_to_eavesdroppers(&self) -> bool {
        let stays_here = |host: &Host| match host {
            Host::Tcp(name) => {
                name == "localhost"
                    || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            Host::Unix(_) => true,
        };
        // Where there are addresses, names are not looked up.
        let stays = match self.config.get_hostaddrs() {
            [] => self.config.get_hosts().iter().all(stays_here),
            addresses => addresses.iter().all(std::net::IpAddr::is_loopback),
        };
        self.tls == Tls::No && !stays
    }
}

/// Names the parameter that is to blame, where there is one. Not where a part of the password may be taken for a parameter, as where
/// the password holds a question mark and is not encoded: that has an `@` after it.
fn whats_wrong(query: &str, parameters: &[&str]) -> Cow<'static, str> {
    let is_wrong = |parameter: &&&str| format!("postgres://host/?{parameter}").parse::<Config>().is_err();
    let wrong = parameters.iter().find(is_wrong).map(|wrong| wrong.split('=').next().unwrap_or_default());
    let is_name = |name: &&str| {
        (1..=40).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !query.contains('@')
    };
    match wrong.filter(is_name) {
        Some(name) => format!("has the parameter {name}, which is unknown here or has a wrong value").into(),
        None => "is no URL of PostgreSQL".into(),
    }
}

impl Tls {
    /// What the URL asks for.
    fn read(mode: Option<&str>, authorities: Option<PathBuf>) -> Result<Self, &'static str> {
        match (mode, authorities) {
            (None | Some("disable"), None) => Ok(Self::No),
            (None | Some("disable"), Some(_)) => Err("has an sslrootcert, but no sslmode that uses it"),
            (Some("require" | "verify-ca" | "verify-full"), None) => Ok(Self::Platform),
            (Some("require" | "verify-ca" | "verify-full"), Some(path)) => Ok(Self::Authorities(path)),
            (Some("prefer" | "allow"), _) => Err(
                "must not say sslmode=prefer or allow, which promise nothing: take disable or verify-full",
            ),
            (Some(_), _) => Err("has an unknown sslmode: take disable or verify-full"),
        }
    }

    /// What shakes hands; `None` without TLS. Reads the authorities' file.
    pub(super) fn connector(&self) -> Result<Option<MakeRustlsConnect>, StoreError> {
        let config = match self {
            Self::No => return Ok(None),
            Self::Platform => ClientConfig::with_platform_verifier()
                .map_err(|_| StoreError::Url("asks for TLS, but this machine trusts nobody".into()))?,
            Self::Authorities(path) => {
                let unreadable = |_| StoreError::Url("has an sslrootcert that cannot be read as PEM".into());
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                    let added = roots.add(certificate.map_err(unreadable)?);
                    added
                        .map_err(|_| StoreError::Url("has an sslrootcert that holds no authority".into()))?;
                }
                if roots.is_empty() {
                    return Err(StoreError::Url("has an sslrootcert that holds no certificate".into()));
                }
                ClientConfig::builder().with_root_certificates(Arc::new(roots)).with_no_client_auth()
            }
        };
        Ok(Some(MakeRustlsConnect::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(url: &str) -> Result<Tls, Cow<'static, str>> {
        Address::read(url).map(|address| address.tls)
    }

    #[test]
    fn tls_is_spoken_where_the_url_asks_for_it_and_always_checked() {
        assert_eq!(tls("postgres://a@b/c"), Ok(Tls::No));
        assert_eq!(tls("postgres://a@b/c?sslmode=disable"), Ok(Tls::No));
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgresql://a@b/c?connect_timeout=3&sslmode={mode}");
            assert_eq!(tls(&url), Ok(Tls::Platform), "{mode}");
            assert_eq!(Address::read(&url).unwrap().config.get_ssl_mode(), SslMode::Require);
            let with_authority = format!("{url}&sslrootcert=%2Fetc%2Four%20ca.pem");
            assert_eq!(tls(&with_authority), Ok(Tls::Authorities("/etc/our ca.pem".into())));
        }
        for wrong in
            ["sslmode=prefer", "sslmode=allow", "sslmode=", "sslmode=VERIFY-FULL", "sslrootcert=a.pem"]
        {
            assert!(tls(&format!("postgres://a@b/c?{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tls_that_is_asked_for_is_never_overlooked() {
        for asks in [
            "postgres://me:p?ss@db.example.com/c?sslmode=require",
            "postgres://db.example.com/c?%73slmode=require",
            "postgres://db.example.com/c?application_name=a?b&sslmode=require",
        ] {
            assert_eq!(tls(asks), Ok(Tls::Platform), "{asks}");
        }
        // Whatever stands where, what the URL says is heeded or refused.
        for odd in ["postgres://a@b/c?sslmode=disable?&sslmode=require", "postgres://b/c?x=@&sslmode=require"]
        {
            assert_ne!(tls(odd), Ok(Tls::No), "{odd}");
        }
    }

    #[test]
    fn every_form_of_a_url_is_read() {
        for url in [
            "postgres://me:p%40ss%3Fword@[::1]:5433/login",
            "postgres://me@%2Frun%2Fpostgresql/login",
            "postgres:///login?host=/run/postgresql",
            "postgres://a:1,b:2/login?target_session_attrs=read-write&options=-c%20geqo%3Doff",
        ] {
            assert!(Address::read(url).is_ok(), "{url}");
        }
        let address = Address::read("postgres://me:p%40ss%3Fword@[::1]:5433/login").unwrap();
        assert_eq!(address.config.get_password(), Some(&b"p@ss?word"[..]));
        for wrong in ["postgres://", "postgres://a:b:c", "postgres://a@b:port/c", "postgres://a/b?nonsense=1"]
        {
            assert!(Address::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_leaves_this_machine_unencrypted_is_known() {
        let is_open = |url| Address::read(url).unwrap().is_open_to_eavesdroppers();
        assert!(is_open("postgres://a@db.example.com/c") && is_open("postgres://a@localhost,10.0.0.1/c"));
        assert!(is_open("postgres://a@localhost/c?hostaddr=10.0.0.5"));
        for safe in [
            "postgres://a@db/c?sslmode=require",
            "postgres://a@db/c?hostaddr=127.0.0.1",
            "postgres://a@127.0.0.1/c",
            "postgres:///c?host=/run",
        ] {
            assert!(!is_open(safe), "{safe}");
        }
    }

    #[test]
    fn the_timeouts_of_a_url_win_over_ours() {
        let mut address = Address::read("postgres://a@b/c?options=-c%20statement_timeout%3D1").unwrap();
        super::super::prepare(&mut address.config, &crate::storage::StoreSettings::default());
        let options = address.config.get_options().unwrap();
        assert!(options.starts_with("-c statement_timeout=5000 "), "{options}");
        assert!(options.contains(" -c statement_timeout=1 "), "{options}");
    }

    #[test]
    fn the_isolation_level_of_a_url_does_not_win_over_ours() {
        let url = "postgres://a@b/c?options=-c%20default_transaction_isolation%3Dserializable";
        let mut address = Address::read(url).unwrap();
        super::super::prepare(&mut address.config, &crate::storage::StoreSettings::default());
        let options = address.config.get_options().unwrap();
        assert!(options.ends_with(r" -c default_transaction_isolation=read\ committed"), "{options}");
    }

    #[test]
    fn a_parameter_that_is_wrong_is_named_and_no_part_of_a_password() {
        let wrong = |url: &str| Address::read(url).unwrap_err();
        for (url, name) in [
            ("postgres://a@b/c?pgbouncer=true", "pgbouncer"),
            ("postgres://a@b/c?connect_timeout=3&schema=public", "schema"),
            ("postgres://a@b/c?connect_timeout=soon", "connect_timeout"),
            ("postgres://a@b/c?sslcert=a.pem&sslmode=require", "sslcert"),
        ] {
            assert!(wrong(url).contains(&format!("parameter {name},")), "{}", wrong(url));
        }
        for url in ["postgres://me:pa@ss?word@b/c", "postgres://me:p@x?s&ecret@b/c", "postgres://a@b:x/c"] {
            assert_eq!(wrong(url), "is no URL of PostgreSQL", "{url}");
        }
    }

    #[test]
    fn each_host_of_a_url_has_its_time() {
        let timeouts = |url: &str| {
            let settings = crate::storage::StoreSettings::default();
            let postgres = super::super::Postgres::open(url, &settings).unwrap();
            (postgres.connector.config.get_connect_timeout().copied().unwrap(), postgres.connector.timeout)
        };
        let seconds = std::time::Duration::from_secs;
        assert_eq!(timeouts("postgres://a/c"), (seconds(3), seconds(3)));
        assert_eq!(timeouts("postgres://a,b/c"), (seconds(3), seconds(6)));
        assert_eq!(timeouts("postgres://a,b/c?connect_timeout=7"), (seconds(7), seconds(14)));
    }
}
