//! The listener on which the counts are read.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::{bind, print};
use crate::{
    http::{HttpSettings, Listener, metrics_router, own_hosts_only},
    telemetry::Metrics,
};

/// Begins to count and to listen, and says where, if it was asked for.
pub(super) async fn listen(address: Option<SocketAddr>) -> anyhow::Result<Option<(Listener, Metrics)>> {
    let Some(address) = address else { return Ok(None) };
    let metrics = Metrics::start()?;
    let listener = Listener::over(bind(address).await?, &HttpSettings::default())?;
    Ok(Some((listener, metrics)))
}

/// Says where the counts are read.
pub(super) fn announce(listening: Option<&(Listener, Metrics)>) -> anyhow::Result<()> {
    match listening {
        Some((listener, _)) => print(&format!("metrics http://{}/metrics\n", listener.local_address())),
        None => Ok(()),
    }
}

/// Serves the counts until the end. `hosts` are public names by which they are read.
pub(super) async fn serve(
    listening: Option<(Listener, Metrics)>,
    hosts: Vec<String>,
    shutdown: CancellationToken,
) {
    if let Some((listener, metrics)) = listening {
        let counts = metrics.clone();
        let router = own_hosts_only(metrics_router(move || counts.render()), hosts);
        let serving = listener.serve(router, shutdown);
        tokio::select! {
            () = serving => {}
            () = metrics.keep_adding_up() => {}
        }
    }
}
