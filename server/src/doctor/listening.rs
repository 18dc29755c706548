//! Whether the addresses can be listened on. They are taken for a moment, and nobody is let in.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::Client;
use tokio::net::TcpSocket;
use url::Url;

use super::{Finding, public::is_alive};

/// `variable`: the setting that the address comes from.
pub(super) async fn check(
    (check, variable): (&'static str, &'static str),
    address: SocketAddr,
    client: &Client,
) -> Finding {
    if address.port() == 0 {
        return Finding::ok(check, format!("{} with whichever port is free", address.ip()));
    }
    let taken = match take(address) {
        Ok(()) => return Finding::ok(check, format!("{address} is free")),
        Err(error) => error,
    };
    match taken.kind() {
        io::ErrorKind::AddrInUse if is_ours(address, client).await => {
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

async fn is_ours(address: SocketAddr, client: &Client) -> bool {
    let host = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let url = Url::parse(&format!("http://{}", SocketAddr::new(host, address.port())));
    match url {
        Ok(url) => is_alive(client, &url).await.unwrap_or(false),
        Err(_) => false,
    }
}
