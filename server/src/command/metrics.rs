//! The listener on which the counts are read.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::{bind, print};
use crate::{
    http::{Health, HttpSettings, Listener, health_routes, metrics_router, own_hosts_only},
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

/// Serves the counts, and the service's health beside them, until the end. `hosts` are public names by which the counts are read.
pub(super) async fn serve(
    listening: Option<(Listener, Metrics)>,
    hosts: Vec<String>,
    health: Health,
    shutdown: CancellationToken,
) {
    if let Some((listener, metrics)) = listening {
        let counts = metrics.clone();
        // A balancer asks for health by whatever name it likes.
        let counts_router = own_hosts_only(metrics_router(move || counts.render()), hosts);
        let router = counts_router.merge(health_routes(health));
        let serving = listener.serve(router, shutdown);
        tokio::select! {
            () = serving => {}
            () = metrics.keep_adding_up() => {}
        }
    }
}
