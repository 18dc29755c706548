//! Whether the addresses can be listened on. They are taken for a moment, and nobody is let in.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use http::StatusCode;
use reqwest::Client;
use tokio::net::TcpSocket;
use url::Url;

use super::{
    Finding,
    health::reachable,
    public::{beginning, is_alive},
};
use crate::{background::TaskStatus, config::PartialSettings};

/// What every Countersign tells that is asked what it has counted.
const COUNTED_BY_US: &str = "countersign_build_info";
/// More than an instance has to tell.
const LONGEST_COUNTS: usize = 4 * 1024 * 1024;

/// What listens at an address.
#[derive(Clone, Copy)]
enum Listener {
    Service,
    Metrics,
}

impl Listener {
    fn check(self) -> &'static str {
        match self {
            Self::Service => "listen",
            Self::Metrics => "metrics",
        }
    }

    /// The setting that the address comes from.
    fn variable(self) -> &'static str {
        match self {
            Self::Service => "LISTEN",
            Self::Metrics => "METRICS_LISTEN",
        }
    }

    /// Whether it is this that answers below the URL.
    async fn answers(self, client: &Client, url: &Url) -> bool {
        match self {
            Self::Service => is_alive(client, url).await.unwrap_or(false),
            Self::Metrics => tells_counts(client, url).await,
        }
    }
}

/// What was found.
pub(super) struct Found {
    pub(super) listening: Vec<Finding>,
    /// Whether the service runs here.
    pub(super) is_serving: bool,
    /// The background tasks of the instance that listens at `METRICS_LISTEN`.
    pub(super) tasks: Option<Vec<TaskStatus>>,
}

pub(super) async fn check(settings: &PartialSettings, client: &Client) -> Found {
    let metrics = settings.given.service.metrics_listen;
    let (is_serving, tasks) = tokio::join!(
        async {
            match settings.listen() {
                Some(address) => is_ours(Listener::Service, address, client).await,
                None => false,
            }
        },
        async { read_tasks(client, metrics?).await }
    );
    Found { listening: addresses(settings, client).await, is_serving, tasks }
}

async fn addresses(settings: &PartialSettings, client: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    match settings.listen() {
        Some(address) => findings.push(look(Listener::Service, address, client).await),
        None => findings.push(Finding::skipped("listen", "not looked at: see LISTEN")),
    }
    match (settings.listen(), settings.given.service.metrics_listen) {
        (_, None) => {}
        (Some(service), Some(metrics)) if collide(service, metrics) => {
            let message = format!("METRICS_LISTEN {metrics} and LISTEN {service} take the same port");
            let advice = "take another port in METRICS_LISTEN: 127.0.0.1:9464";
            findings.push(Finding::failure(Listener::Metrics.check(), message, advice));
        }
        (_, Some(metrics)) => findings.push(look(Listener::Metrics, metrics, client).await),
    }
    findings
}

/// Whether only one of two can be listened on at a time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    // All addresses of IPv6 are usually those of IPv4 as well.
    let holds = |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    let (ip, other_ip) = (one.ip(), other.ip());
    one.port() == other.port()
        && one.port() != 0
        && (ip == other_ip || holds(ip, other_ip) || holds(other_ip, ip))
}

async fn look(listener: Listener, address: SocketAddr, client: &Client) -> Finding {
    let (check, variable) = (listener.check(), listener.variable());
    if address.port() == 0 {
        return Finding::ok(check, format!("{} with whichever port is free", address.ip()));
    }
    let taken = match take(address) {
        Ok(()) => return Finding::ok(check, format!("{address} is free")),
        Err(error) => error,
    };
    match taken.kind() {
        io::ErrorKind::AddrInUse if is_ours(listener, address, client).await => {
            Finding::ok(check, format!("the service listens on {address} already"))
        }
        io::ErrorKind::AddrInUse => Finding::warning(
            check,
            format!("something listens on {address} already"),
            &format!("fine if it is this service; else end it (`ss -ltnp`), or change {variable}"),
        ),
        io::ErrorKind::PermissionDenied => Finding::failure(
            check,
            format!("this user may not listen on {address}"),
            &format!("take a port above 1023 in {variable}, or grant CAP_NET_BIND_SERVICE"),
        ),
        io::ErrorKind::AddrNotAvailable => Finding::failure(
            check,
            format!("{address} is no address of this machine"),
            &format!("take one of `ip address` in {variable}"),
        ),
        _ => Finding::failure(
            check,
            format!("{address} cannot be listened on: {taken}"),
            &format!("see {variable}"),
        ),
    }
}

/// Without `listen`, so that nobody connects to us who means the service.
fn take(address: SocketAddr) -> io::Result<()> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)
}

async fn is_ours(listener: Listener, address: SocketAddr, client: &Client) -> bool {
    let url = Url::parse(&format!("http://{}", reachable(address)));
    match url {
        Ok(url) => listener.answers(client, &url).await,
        Err(_) => false,
    }
}

async fn tells_counts(client: &Client, url: &Url) -> bool {
    let Ok(url) = url.join("/metrics") else { return false };
    let Ok(mut answer) = client.get(url).send().await else { return false };
    let counts = beginning(&mut answer, LONGEST_COUNTS).await;
    answer.status() == StatusCode::OK && String::from_utf8_lossy(&counts).contains(COUNTED_BY_US)
}

async fn read_tasks(client: &Client, address: SocketAddr) -> Option<Vec<TaskStatus>> {
    let url = format!("http://{}/background", reachable(address));
    let mut answer = client.get(url).send().await.ok()?;
    let statuses = beginning(&mut answer, LONGEST_COUNTS).await;
    serde_json::from_slice(&statuses).ok()
}

#[cfg(test)]
mod tests {
    use super::collide;

    #[test]
    fn two_listeners_collide_where_one_holds_the_address_of_the_other() {
        for (one, other, expected) in [
            ("127.0.0.1:3000", "127.0.0.1:3000", true),
            ("127.0.0.1:3000", "127.0.0.1:9464", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("127.0.0.1:3000", "127.0.0.2:3000", false),
            ("0.0.0.0:3000", "127.0.0.1:3000", true),
            ("[::]:3000", "127.0.0.1:3000", true),
            ("[::]:3000", "[::1]:3000", true),
            ("0.0.0.0:3000", "[::1]:3000", false),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(collide(one, other), expected, "{one} {other}");
            assert_eq!(collide(other, one), expected, "{other} {one}");
        }
    }
}
