//! `countersign health`: one question to a running service, for containers without an HTTP client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::client;
use crate::config::HealthSettings;

/// Whether the service answers that it is ready, or alive. The error is one from the connection.
pub(crate) async fn is_healthy(settings: HealthSettings) -> Result<bool, reqwest::Error> {
    let question = if settings.is_liveness { "live" } else { "ready" };
    let url = format!("http://{}/health/{question}", reachable(settings.listen));
    Ok(client().build()?.get(url).send().await?.status().is_success())
}

/// The address under which this machine reaches a listener: one on all addresses is also on loopback.
pub(super) fn reachable(listener: SocketAddr) -> SocketAddr {
    let host = match listener.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(host, listener.port())
}
