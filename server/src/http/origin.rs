//! Which pages of other origins may talk to the service: by CORS, and over a socket, for which browsers ask nobody.
//!
//! The invariant: what carries no `Origin` is no foreign page; what carries one that is not allowed opens no socket, and is
//! told nothing that lets a browser send or read anything.

use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use futures_util::future::Either;
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, AllowOrigin, Cors, CorsLayer};
use url::{Host, Url};

use super::{
    accept::AnswerMedia,
    answer,
    occasional::Occasional,
    request_id::X_REQUEST_ID,
    settings::{HttpSettings, Origins, SessionTransport},
};

/// The longest origin that is logged, in bytes: no name of a host is longer (RFC 1035 §2.3.4).
const LONGEST_ORIGIN: usize = 272;

impl Origins {
    /// Whether a page of this origin may talk to the service.
    fn allow(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.own.iter().chain(&self.listed).any(|listed| listed == origin)
            || (self.any_on_loopback && is_on_loopback(origin))
    }

    /// Whether whoever sends these headers may: a program, or a page that is allowed. Browsers name the page with every POST
    /// and with every socket.
    pub(super) fn allow_sender(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| self.allow(origin))
    }

    /// Whether a page of the service itself sends these headers.
    pub(super) fn is_own_page(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
        let is_own = match &self.own {
            Some(own) => origin == own,
            None => headers.get(header::HOST).is_some_and(|host| is_of_host(origin, host)),
        };
        is_own && self.allow(origin)
    }
}

/// Whether an origin is where a request went to by plain http.
fn is_of_host(origin: &HeaderValue, host: &HeaderValue) -> bool {
    origin.as_bytes().strip_prefix(b"http://") == Some(host.as_bytes())
}

fn is_on_loopback(origin: &str) -> bool {
    match Url::parse(origin).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Refuses what a page sends that may not talk to this service.
pub(super) fn refuse(media: AnswerMedia, headers: &HeaderMap) -> Response {
    static WARNING: Occasional = Occasional::new();
    if let Some(origin) = origin_of(headers)
        && WARNING.is_due()
    {
        tracing::warn!(origin, "origin refused: PUBLIC_URL or ALLOWED_ORIGINS has to name it if it is yours");
    }
    let message = "Pages of this origin may not talk to this service.";
    answer::refuse(media, StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", message)
}

/// The origin that a browser names, written anew: nothing else that was sent gets into a log.
fn origin_of(headers: &HeaderMap) -> Option<String> {
    let origin = Url::parse(headers.get(header::ORIGIN)?.to_str().ok()?).ok()?.origin();
    let origin = origin.is_tuple().then(|| origin.ascii_serialization())?;
    (origin.len() <= LONGEST_ORIGIN).then_some(origin)
}

/// Answers a browser that asks whether a page may send or read something. Cookies are among it where they are what says who
/// is signed in; a page of the same site only has any (`SameSite`).
pub(super) fn cors(settings: &HttpSettings) -> ForPages {
    let origins = settings.origins.clone();
    ForPages(Arc::new(
        CorsLayer::new()
            .allow_credentials(settings.sessions == SessionTransport::Cookie)
            .allow_origin(AllowOrigin::predicate(move |origin, _: &Parts| origins.allow(origin)))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([X_REQUEST_ID, header::RETRY_AFTER])
            .max_age(std::time::Duration::from_hours(1)),
    ))
}

/// CORS for what a page sends, or asks before it sends. Programs name no origin, read nothing of it, and need not wait for it.
#[derive(Clone)]
pub(super) struct ForPages(Arc<CorsLayer>);

impl<Inner> Layer<Inner> for ForPages {
    type Service = PerhapsForPages<Inner>;

    fn layer(&self, inner: Inner) -> PerhapsForPages<Inner> {
        PerhapsForPages { cors: self.0.clone(), inner }
    }
}

#[derive(Clone)]
pub(super) struct PerhapsForPages<Inner> {
    cors: Arc<CorsLayer>,
    inner: Inner,
}

impl<Inner> Service<Request> for PerhapsForPages<Inner>
where
    Inner: Service<Request, Response = Response> + Clone,
{
    type Response = Response;
    type Error = Inner::Error;
    type Future = Either<Inner::Future, <Cors<Inner> as Service<Request>>::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Inner::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.method() == Method::OPTIONS || request.headers().contains_key(header::ORIGIN) {
            // What was waited for until it is ready is called, and not the clone of it.
            let clone = self.inner.clone();
            let ready = std::mem::replace(&mut self.inner, clone);
            Either::Right(self.cors.layer(ready).call(request))
        } else {
            Either::Left(self.inner.call(request))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::ORIGIN};

    use super::Origins;

    fn allows(origins: &Origins, origin: &'static str) -> bool {
        origins.allow_sender(&HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]))
    }

    #[test]
    fn an_origin_is_allowed_as_a_whole_or_not_at_all() {
        let origins = Origins { listed: vec!["https://app.example.com".to_owned()], ..Origins::default() };
        assert!(allows(&origins, "https://app.example.com"));
        for other in [
            "null",
            "",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.attacker.net",
            "https://attacker.net/https://app.example.com",
            "http://localhost:3000",
        ] {
            assert!(!allows(&origins, other), "{other}");
        }
    }

    #[test]
    fn a_program_names_no_origin_and_two_are_one_too_many() {
        let origins = Origins { listed: vec!["https://app.example.com".to_owned()], ..Origins::default() };
        let mut headers = HeaderMap::new();
        assert!(origins.allow_sender(&headers));
        headers.append(ORIGIN, HeaderValue::from_static("https://app.example.com"));
        headers.append(ORIGIN, HeaderValue::from_static("https://attacker.net"));
        assert!(!origins.allow_sender(&headers));
    }

    #[test]
    fn where_loopback_is_allowed_it_is_any_port_of_this_machine_alone() {
        let origins = Origins { any_on_loopback: true, ..Origins::default() };
        for own in ["http://localhost:5173", "http://127.0.0.1:3000", "https://[::1]:8443"] {
            assert!(allows(&origins, own), "{own}");
        }
        for other in ["http://localhost.attacker.net", "http://10.0.0.1", "null", "http://127.0.0.1.nip.io"] {
            assert!(!allows(&origins, other), "{other}");
        }
    }
}
