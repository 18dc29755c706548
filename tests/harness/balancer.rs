//! A load balancer before the instances of a fleet: each connection goes to the next instance that takes it.
//!
//! It knows nothing of HTTP. A connection whose instance dies is closed, as any balancer would.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A running balancer. Dropping it ends it, with all its connections.
#[derive(Debug)]
pub(crate) struct Balancer {
    address: String,
    _task: JoinSet<()>,
}

impl Balancer {
    /// Listens, and balances over these addresses. It does not matter whether anybody is there yet.
    pub(crate) async fn start(instances: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut task = JoinSet::new();
        task.spawn(balance(listener, instances.into()));
        Self { address, _task: task }
    }

    /// Where it listens: `127.0.0.1:…`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

async fn balance(listener: TcpListener, instances: Arc<[String]>) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = JoinSet::new();
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let (instances, next) = (Arc::clone(&instances), Arc::clone(&next));
        connections.spawn(async move {
            if let Some(mut instance) = connect(&instances, &next).await {
                // A side that breaks off is how a connection ends.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut instance).await;
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A connection to the next instance that takes one.
async fn connect(instances: &[String], next: &AtomicUsize) -> Option<TcpStream> {
    for _ in instances {
        let turn = next.fetch_add(1, Ordering::Relaxed) % instances.len();
        if let Ok(instance) = TcpStream::connect(&instances[turn]).await {
            return Some(instance);
        }
    }
    None
}
