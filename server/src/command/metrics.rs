//! The listener on which the counts are read.

use std::net::SocketAddr;

use super::{Ending, bind, print};
use crate::{
    app::App,
    http::{HttpSettings, Listener, background_router, health_routes, metrics_router, own_hosts_only},
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

/// Serves the counts, the statuses of background tasks and the service's health, until the end. `hosts` are public names by which they are
/// read.
pub(super) fn serve(
    listening: Option<(Listener, Metrics)>,
    hosts: Vec<String>,
    app: &App,
    ending: &Ending,
) -> impl Future<Output = ()> + use<> {
    let (health, statuses, shutdown) = (app.health(ending), app.background(), ending.begun.clone());
    async move {
        let Some((listener, metrics)) = listening else { return };
        let counts = metrics.clone();
        let background =
            background_router(move || serde_json::to_string(&statuses.read()).unwrap_or_default());
        // A balancer asks for health by whatever name it likes.
        let for_operators = own_hosts_only(metrics_router(move || counts.render()).merge(background), hosts);
        let serving = listener.serve(for_operators.merge(health_routes(health)), shutdown);
        tokio::select! {
            () = serving => {}
            () = metrics.keep_adding_up() => {}
        }
    }
}
