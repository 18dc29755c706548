//! One HTTP connection pool to Authy: sends a call once and brings back its answer.
//!
//! Not what the answer means. The invariant: every call ends within the timeout, the key travels in a header only, and
//! no error holds a URL or a body.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, redirect, retry};
use serde::Serialize;
use tracing::{Instrument as _, Span, field};
use url::Url;

use super::{
    config::{AuthyConfig, AuthyConfigError},
    reply::{Call, Reply},
};
use crate::{
    provider::{ProviderError, RateLimitScope},
    telemetry,
};

/// Authy's answers have one or two.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// A longer pause than a login lasts is as good as none.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// The way to one Authy API with one key.
pub(super) struct Connection {
    client: Client,
    api_url: Url,
}

impl Connection {
    /// Builds the client. No proxy is taken from the environment, and redirects are answers like any other.
    pub(super) fn new(config: &AuthyConfig) -> Result<Self, AuthyConfigError> {
        let timeout = config.timeout;
        #[expect(clippy::expect_used, reason = "an ApiKey is visible ASCII, which every header takes")]
        let mut key = HeaderValue::from_str(config.api_key.expose()).expect("a header");
        key.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("x-authy-api-key", key);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let client = Client::builder()
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(timeout)
            // Shorter than the whole: a call that fails while connecting is known not to have arrived.
            .connect_timeout(timeout.mul_f32(0.7))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false);
        let client = config.proxy.apply(client).and_then(ClientBuilder::build);
        Ok(Self { client: client.map_err(AuthyConfigError::Client)?, api_url: config.api_url.clone() })
    }

    /// Asks, with a path of segments below the API's URL.
    pub(super) async fn get(
        &self,
        call: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Reply, ProviderError> {
        self.send(call, self.client.get(self.url(path)).query(query)).await
    }

    /// Tells.
    pub(super) async fn post(
        &self,
        call: &'static str,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Reply, ProviderError> {
        self.send(call, self.client.post(self.url(path)).json(body)).await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.api_url.clone();
        // Only a URL that cannot be a base has no segments, and the configuration refuses those.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Sends a call within a span of its name. A path may hold a code, so the span does not show it.
    async fn send(&self, call: &'static str, request: RequestBuilder) -> Result<Reply, ProviderError> {
        let span = tracing::debug_span!(
            "provider",
            otel.name = call,
            otel.kind = "client",
            provider.call = call,
            server.address = self.api_url.host_str(),
            server.port = self.api_url.port_or_known_default(),
            http.response.status_code = field::Empty,
            error.r#type = field::Empty,
            otel.status_code = field::Empty,
        );
        let sent = self.exchange(request, &span).instrument(span.clone()).await;
        if let Err(error) = &sent {
            span.record("error.type", error.kind());
            span.record("otel.status_code", "ERROR");
        }
        sent
    }

    async fn exchange(&self, request: RequestBuilder, span: &Span) -> Result<Reply, ProviderError> {
        let mut headers = HeaderMap::new();
        telemetry::pass_on(&mut headers);
        let response = request.headers(headers).send().await.map_err(unsent)?;
        let status = response.status().as_u16();
        span.record("http.response.status_code", status);
        if status == 429 {
            let retry_after = retry_after(response.headers());
            let scope = rate_limit_scope(response, status).await;
            return Err(ProviderError::RateLimited { retry_after, scope });
        }
        let date = date(response.headers());
        let body = read(response, status).await?;
        match serde_json::from_slice(&body) {
            Ok(body) => Ok(Reply { status, body, date }),
            Err(_) => Err(ProviderError::Nonsense { status, reason: "not a JSON object" }),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("api_url", &self.api_url.as_str()).finish_non_exhaustive()
    }
}

/// What it means that no answer began. The error loses its URL, for that may contain a code.
fn unsent(error: reqwest::Error) -> ProviderError {
    if error.is_connect() || error.is_builder() {
        ProviderError::Unreachable(error.without_url())
    } else if error.is_timeout() {
        ProviderError::TimedOut
    } else {
        ProviderError::Nonsense { status: 0, reason: "the connection broke before an answer" }
    }
}

/// Whose requests there are too many of: Authy's code says it, a balancer before Authy says nothing.
async fn rate_limit_scope(response: Response, status: u16) -> RateLimitScope {
    let body = read(response, status).await.ok().and_then(|body| serde_json::from_slice(&body).ok());
    let error = body.map(|body| Reply { status, body, date: None }.into_error(Call::Other));
    match error {
        Some(ProviderError::RateLimited { scope, .. }) => scope,
        _ => RateLimitScope::Unknown,
    }
}

async fn read(mut response: Response, status: u16) -> Result<Vec<u8>, ProviderError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_BODY_BYTES => {
                return Err(ProviderError::Nonsense { status, reason: "the body is too long" });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) if error.is_timeout() => return Err(ProviderError::TimedOut),
            Err(_) => {
                return Err(ProviderError::Nonsense { status, reason: "the body is cut off" });
            }
        }
    }
}

/// When the answer was made, by the clock over there and to the second (RFC 9110 §6.6.1).
fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(date).ok().map(|date| date.to_utc())
}

/// The pause asked for, where it is given in seconds; as a date it would need a clock that agrees with theirs.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}
