//! Outgoing https requests go through the proxy that is set, and no others do.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use countersign_client::SignupErrorCode;
use harness::{Database, Person, World, in_time};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    task::JoinSet,
};

/// A proxy that takes note of what it is asked for, and hangs up.
struct ProxyOfNothing {
    url: String,
    asked: Arc<Mutex<BTreeSet<String>>>,
    _task: JoinSet<()>,
}

impl ProxyOfNothing {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<BTreeSet<String>>>::default();
        let (mut task, noted) = (JoinSet::new(), Arc::clone(&asked));
        task.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let mut line = String::new();
                BufReader::new(socket).read_line(&mut line).await.unwrap();
                noted.lock().unwrap().insert(line.trim().to_owned());
            }
        });
        Self { url, asked, _task: task }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap()).into_iter().collect()
    }
}

/// A service whose provider and collector are at names that only a proxy may know.
async fn world(proxy: &ProxyOfNothing, direct: &str) -> World {
    World::builder(Database::Sqlite)
        .split()
        .set("AUTHY_API_URL", "https://authy.invalid")
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.invalid")
        .set("HTTPS_PROXY", &proxy.url)
        .set("NO_PROXY", direct)
        .start()
        .await
}

async fn sign_up(world: &World) {
    let person = Person::new();
    world.plant(&person);
    let reply = in_time(world.client.signup(person.signup())).await.unwrap();
    assert_eq!(reply.errors[0].code, SignupErrorCode::ProviderUnavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_collector_and_doctor_are_reached_through_the_proxy() {
    let proxy = ProxyOfNothing::start().await;
    let world = world(&proxy, "").await;
    sign_up(&world).await;
    let (provider, collector) =
        ("CONNECT authy.invalid:443 HTTP/1.1", "CONNECT collector.invalid:443 HTTP/1.1");
    let is_asked = |line: &str| proxy.asked.lock().unwrap().contains(line);
    in_time(async {
        while !(is_asked(provider) && is_asked(collector)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The service asks the provider nothing by itself: what comes now is the doctor's.
    proxy.asked();
    let finished = world.doctor(&[], &[]).await;
    assert!(finished.output.contains("authy.invalid cannot be reached"), "{}", finished.output);
    assert!(is_asked(provider));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_proxy_names_is_reached_directly() {
    let proxy = ProxyOfNothing::start().await;
    let world = world(&proxy, ".invalid").await;
    sign_up(&world).await;
    world.doctor(&[], &[]).await;
    assert_eq!(proxy.asked(), Vec::<String>::new());
}
