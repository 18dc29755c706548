//! Why somebody could not be reached, in words: found in what lies below an error of the HTTP client.
//!
//! Nothing of a URL gets into the words.

use std::{error::Error, fmt, io};

use rustls::CertificateError;

/// Why there was no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nobody knows the name.
    NoSuchName,
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// There is a certificate, but not one to be believed.
    Certificate(String),
    /// The other side does not speak TLS, or another one.
    Tls(String),
    /// Something else.
    Other(String),
}

impl Reason {
    /// Why a request was not answered.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let mut link: Option<&(dyn Error + 'static)> = Some(error);
        let mut last = String::new();
        while let Some(error) = link {
            if let Some(reason) = Self::of_link(error) {
                return reason;
            }
            last = error.to_string();
            link = inner(error);
        }
        Self::Other(last)
    }

    fn of_link(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(match error {
                rustls::Error::InvalidCertificate(problem) => Self::Certificate(words(problem)),
                other => Self::Tls(other.to_string()),
            });
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::ConnectionRefused => Some(Self::Refused),
                io::ErrorKind::TimedOut => Some(Self::TimedOut),
                _ => None,
            };
        }
        // The type is private to the client; this is all of its text.
        (error.to_string() == "dns error").then_some(Self::NoSuchName)
    }

    /// Whether waiting or looking from somewhere else does not help.
    pub(super) fn is_certificate(&self) -> bool {
        matches!(self, Self::Certificate(_))
    }
}

/// What lies below an error. An `io::Error` passes over what it wraps.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn words(problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name".to_owned()
        }
        // An authority of the same name, and with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "comes from an authority that this machine does not trust, or without the certificates in between"
                .to_owned()
        }
        CertificateError::Revoked => "has been revoked".to_owned(),
        other => format!("cannot be believed ({other})"),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName => formatter.write_str("its name cannot be resolved"),
            Self::Refused => formatter.write_str("nobody listens there (connection refused)"),
            Self::TimedOut => formatter.write_str("no answer in time"),
            Self::Certificate(problem) => write!(formatter, "its certificate {problem}"),
            Self::Tls(problem) => write!(formatter, "TLS failed ({problem})"),
            Self::Other(problem) => write!(formatter, "the connection failed ({problem})"),
        }
    }
}

/// An error and all that lies below it, in one line.
pub(super) fn whole(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut link = error.source();
    while let Some(error) = link {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        link = error.source();
    }
    text
}
