//! What others see of the service: the URL where browsers find it, and the one that Authy calls back.
//!
//! Asked from this machine, which may see less than the world does: that nobody answers is a warning. A certificate is
//! the same from everywhere. Nothing is touched: of the two callbacks that are sent one has no signature and is rejected, and the
//! other asks for nothing.

use http::{StatusCode, header};
use reqwest::{Client, Response};
use url::Url;

use super::{Finding, Status, place, reason::Reason};
use crate::{
    config::{PartialSettings, is_loopback},
    provider::authy::signed_trial,
    random,
};

const PUBLIC: &str = "public url";
const CALLBACK: &str = "callback url";
/// The route of callbacks, below whatever a proxy puts before it.
const CALLBACK_PATHS: [&str; 2] = ["/authy/callback", "/callbacks/authy"];
/// What is spoken on the service's sockets.
const SUB_PROTOCOL: &str = "graphql-transport-ws";
/// Sixteen bytes, as every handshake has; nothing is said on this socket.
const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// More than this is not ours.
const LONGEST_BODY: usize = 64;
const FROM_ELSEWHERE: &str =
    "start the service; if it runs, ask from another network: some do not lead back into themselves";

/// `of_sockets`: the client to ask for a WebSocket with.
pub(super) async fn check_public(
    settings: &PartialSettings,
    client: &Client,
    of_sockets: &Client,
) -> Vec<Finding> {
    let Some(url) = &settings.given.public_url else {
        return vec![Finding::skipped(PUBLIC, "not looked at: see PUBLIC_URL")];
    };
    let mut findings = Vec::new();
    if url.scheme() != "https" && !is_loopback(url) {
        let message = "it is not https: passwords and sessions travel in the clear";
        findings.push(Finding::warning(
            PUBLIC,
            message,
            "let a proxy speak TLS, and set PUBLIC_URL to https://…",
        ));
    }
    let here = place(url);
    findings.push(match is_alive(client, url).await {
        Ok(true) => socket(of_sockets, url, &here).await,
        Ok(false) => Finding::warning(
            PUBLIC,
            format!("something else than the service answers at {here}/health/live"),
            "see where the name leads from here, and that the proxy passes on everything below PUBLIC_URL",
        ),
        Err(reason) => unreachable(PUBLIC, &here, &reason),
    });
    findings
}

/// Whether a socket can be opened: `loginStatus` is followed by one, and proxies let no upgrade pass unless they are told to.
async fn socket(client: &Client, url: &Url, here: &str) -> Finding {
    let advice = "let the proxy speak HTTP/1.1 to the service, and pass on Connection, Upgrade and Sec-WebSocket-* at \
                  /graphql and /graphql/ws; without, people learn of their phone's answer only where their page asks \
                  again and again";
    let place = format!("{}/graphql/ws", url.as_str().trim_end_matches('/'));
    let asked = client
        .get(place)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, WEBSOCKET_KEY)
        .header(header::SEC_WEBSOCKET_PROTOCOL, SUB_PROTOCOL);
    let message = match asked.send().await {
        Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
            match answer.headers().get(header::SEC_WEBSOCKET_PROTOCOL) {
                Some(protocol) if protocol == SUB_PROTOCOL => {
                    return Finding::ok(PUBLIC, format!("the service answers at {here}, by WebSocket too"));
                }
                _ => format!("{here}/graphql/ws opens a WebSocket without the sub-protocol {SUB_PROTOCOL}"),
            }
        }
        Ok(answer) => {
            let code = answer.status().as_u16();
            format!("{here}/graphql/ws answers {code} to who wants to open a WebSocket")
        }
        Err(error) => format!("{here}/graphql/ws opens no WebSocket: {}", Reason::of(&error)),
    };
    Finding::warning(PUBLIC, message, advice)
}

/// Whether it is a Countersign that answers below this URL.
pub(super) async fn is_alive(client: &Client, url: &Url) -> Result<bool, Reason> {
    let live = format!("{}/health/live", url.as_str().trim_end_matches('/'));
    let mut answer = client.get(live).send().await.map_err(|error| Reason::of(&error))?;
    Ok(answer.status() == StatusCode::OK && beginning(&mut answer, LONGEST_BODY).await == b"live\n")
}

pub(super) async fn check_callback(settings: &PartialSettings, client: &Client) -> Vec<Finding> {
    if settings.given.providers.are_none() {
        return vec![Finding::skipped(CALLBACK, "not checked: PROVIDERS is `none`")];
    }
    let url = settings.callback_url().and_then(|text| Url::parse(&text).ok());
    let Some(url) = url else {
        return vec![Finding::skipped(CALLBACK, "not looked at: see PUBLIC_URL and AUTHY_CALLBACK_URL")];
    };
    let mut findings = misdirected(settings, &url);
    let here = format!("{}{}", place(&url), url.path());
    // Whatever Authy itself would send, but for its signature.
    let sent =
        client.post(url.clone()).header(header::CONTENT_TYPE, "application/json").body("{}").send().await;
    findings.push(match sent {
        Ok(answer) => match answered(&url, &here, answer).await {
            finding if finding.status == Status::Ok => {
                signed(settings, client, &url, &here).await.unwrap_or(finding)
            }
            finding => finding,
        },
        Err(error) => unreachable(CALLBACK, &here, &Reason::of(&error)),
    });
    findings
}

/// Sends a callback with the signature that these settings give it: the running service must have the same key and URL.
async fn signed(settings: &PartialSettings, client: &Client, url: &Url, here: &str) -> Option<Finding> {
    let key = settings.given.providers.authy.shared.authy_api_key.as_ref()?;
    let nonce = uuid::Uuid::from_bytes(random::name()).simple().to_string();
    let (headers, body) = signed_trial(key, &settings.callback_url()?, &nonce)?;
    let request = client.post(url.clone()).headers(headers).header(header::CONTENT_TYPE, "application/json");
    let response = match request.body(body).send().await {
        Ok(response) => response,
        Err(error) => return Some(unreachable(CALLBACK, here, &Reason::of(&error))),
    };
    Some(if response.status() == StatusCode::OK {
        Finding::ok(CALLBACK, format!("{here} accepts a signed callback and rejects an unsigned one"))
    } else {
        let code = response.status().as_u16();
        let message = format!("{here} rejects a callback signed with these settings ({code})");
        let advice = "see that the running service has the same AUTHY_API_KEY and AUTHY_CALLBACK_URL (character by \
                      character), and that the proxy leaves headers and body unchanged";
        Finding::failure(CALLBACK, message, advice)
    })
}

/// What can be seen without asking.
fn misdirected(settings: &PartialSettings, url: &Url) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |message: &str, advice| findings.push(Finding::warning(CALLBACK, message, advice));
    if url.scheme() != "https" && !is_loopback(url) {
        warn(
            "it is not https: others on the way can read who signs in",
            "set AUTHY_CALLBACK_URL to https://…",
        );
    }
    let provider_is_here = settings.api_url().as_ref().is_some_and(is_loopback);
    if is_loopback(url) && !provider_is_here {
        warn(
            "it leads to this machine alone: Authy cannot call back",
            "set PUBLIC_URL or AUTHY_CALLBACK_URL to a public one",
        );
    }
    if !CALLBACK_PATHS.iter().any(|path| url.path().ends_with(path)) {
        warn(
            "its path ends neither with /authy/callback nor with /callbacks/authy, where the service listens",
            "correct it, or let the proxy change it",
        );
    }
    if settings.given.public_url.as_ref().is_some_and(|public| public.host() != url.host()) {
        warn("its host is not the one of PUBLIC_URL", "see that both lead to this service");
    }
    findings
}

async fn answered(url: &Url, here: &str, mut answer: Response) -> Finding {
    let status = answer.status();
    let asks_who = answer.headers().contains_key(header::WWW_AUTHENTICATE);
    if status == StatusCode::UNAUTHORIZED
        && !asks_who
        && beginning(&mut answer, LONGEST_BODY).await.is_empty()
    {
        return Finding::ok(CALLBACK, format!("{here} is heard, and refuses what is not signed"));
    }
    let code = status.as_u16();
    if status.is_redirection() {
        let target = answer.headers().get(header::LOCATION).and_then(|target| target.to_str().ok());
        let target = target.and_then(|target| url.join(target).ok());
        let target = target
            .map_or_else(String::new, |to| format!(" to {}://{}{}", to.scheme(), place(&to), to.path()));
        let message =
            format!("{here} leads on{target} ({code}): Authy does not follow, and its callbacks are lost");
        let advice = "set AUTHY_CALLBACK_URL to where it leads, and enter the same in Authy's console";
        return Finding::failure(CALLBACK, message, advice);
    }
    match code {
        500.. => Finding::warning(
            CALLBACK,
            format!("{here} answers {code}: the proxy is there, and the service behind it is not"),
            "start the service, and see that the proxy passes on to LISTEN",
        ),
        404 | 405 | 410 => Finding::failure(
            CALLBACK,
            format!("{here} answers {code}: callbacks do not get to the service"),
            "see that the proxy passes on POST and GET of this path, unchanged, to the service",
        ),
        _ if asks_who => Finding::failure(
            CALLBACK,
            format!(
                "{here} answers {code}: something before the service asks for a password, which Authy has not"
            ),
            "let the proxy leave this path open: the service checks the signature of each callback",
        ),
        _ => Finding::failure(
            CALLBACK,
            format!(
                "{here} answers {code}, which is not the service's answer to a callback without signature"
            ),
            "see where the name leads, and that the proxy passes this path on",
        ),
    }
}

fn unreachable(check: &'static str, here: &str, reason: &Reason) -> Finding {
    let message = format!("{here} cannot be reached from here: {reason}");
    if reason.is_certificate() {
        let advice =
            "let the proxy present a certificate for this name that is valid now, with those in between";
        return Finding::failure(check, message, advice);
    }
    let advice = match reason {
        Reason::NoSuchName => "see its records at whoever keeps the domain",
        Reason::Tls(_) => "see that what listens there speaks TLS",
        _ => FROM_ELSEWHERE,
    };
    Finding::warning(check, message, advice)
}

/// The beginning of a body, up to somewhat more than this; nothing more where it breaks off.
pub(super) async fn beginning(answer: &mut Response, longest: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > longest {
            break;
        }
    }
    body
}
