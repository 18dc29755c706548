//! Several instances of the service on one database, behind one address.

use std::ops::Deref;

use client_example::phone::CallbackMethod;
use countersign_client::Client;
use tempfile::TempDir;
use throwaway::Nats;
use tokio::sync::Mutex;

use crate::{
    Database, Meter, Process, Scene, balancer::Balancer, scene::client, settings::Settings,
    world::free_address,
};

/// How a fleet is to be.
#[derive(Debug)]
pub struct FleetBuilder {
    database: Database,
    settings: Settings,
    instances: usize,
    callbacks_to: Option<usize>,
    has_metrics: bool,
}

/// Instances of `serve`, a balancer, a sandbox, and the [`Scene`] that they serve. The scene's own client comes through
/// the balancer, and so do callbacks unless they were directed elsewhere.
#[derive(Debug)]
pub struct Fleet {
    instances: Vec<Instance>,
    _balancer: Balancer,
    _sandbox: Process,
    scene: Scene,
}

#[derive(Debug)]
struct Instance {
    address: String,
    settings: Settings,
    /// Locked, so that instances come and go while others talk to the fleet.
    process: Mutex<Option<Process>>,
}

impl FleetBuilder {
    /// How many instances there are; two, if nothing is said.
    #[must_use]
    pub fn instances(mut self, instances: usize) -> Self {
        self.instances = instances;
        self
    }

    /// Changes a setting of all instances.
    #[must_use]
    pub fn set(mut self, variable: &str, value: &str) -> Self {
        self.settings.set(variable, value);
        self
    }

    /// Instances tell each other of events through this server.
    #[must_use]
    pub fn nats(self, nats: &Nats) -> Self {
        self.set("EVENTS_URL", &nats.url())
    }

    /// Directs all callbacks at one instance, past the balancer.
    #[must_use]
    pub fn callbacks_to(mut self, instance: usize) -> Self {
        self.callbacks_to = Some(instance);
        self
    }

    /// With a listener for what each instance has counted: [`Fleet::meter`] reads it.
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        self.has_metrics = true;
        self
    }

    /// Spawns it.
    pub async fn start(self) -> Fleet {
        // Whoever comes first; reqwest wants one even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Self { database, mut settings, instances, callbacks_to, has_metrics } = self;
        let folder = TempDir::new().unwrap();
        let sandbox = settings.start_sandbox(folder.path()).await;
        settings.keep_in(&database);
        settings.migrate(folder.path()).await;
        let addresses: Vec<String> = (0..instances).map(|_| free_address()).collect();
        let balancer = Balancer::start(addresses.clone()).await;
        let service = format!("http://{}", balancer.address());
        let mut scene = Scene::new(folder, database, service.clone(), sandbox.address("sandbox").to_owned());
        scene.know_key();
        if let Some(instance) = callbacks_to {
            scene.call_back_at(format!("http://{}/authy/callback", addresses[instance]));
        }
        settings.set("PUBLIC_URL", &service);
        settings.set("AUTHY_CALLBACK_URL", scene.callback_url());
        let mut instances: Vec<_> =
            addresses.into_iter().map(|address| Instance::new(address, &settings)).collect();
        if has_metrics {
            for instance in &mut instances {
                instance.settings.set("METRICS_LISTEN", &free_address());
            }
        }
        let fleet = Fleet { instances, _balancer: balancer, _sandbox: sandbox, scene };
        for instance in 0..fleet.instances.len() {
            fleet.start(instance).await;
        }
        fleet.phone.set_callback(Some(fleet.callback_url()), CallbackMethod::Post).await.unwrap();
        fleet
    }
}

impl Fleet {
    /// A fleet to be changed.
    #[must_use]
    pub fn builder(database: Database) -> FleetBuilder {
        FleetBuilder {
            database,
            settings: Settings::default(),
            instances: 2,
            callbacks_to: None,
            has_metrics: false,
        }
    }

    /// A client of one instance, past the balancer, with nobody signed in.
    #[must_use]
    pub fn client_of(&self, instance: usize) -> Client {
        client(&format!("http://{}", self.instances[instance].address))
    }

    /// Reads what an instance has counted.
    #[must_use]
    pub fn meter(&self, instance: usize) -> Meter {
        let address = self.instances[instance].settings.get("METRICS_LISTEN").unwrap();
        Meter::new(self.http.clone(), address)
    }

    /// Starts an instance again, where and as it was.
    pub async fn start(&self, instance: usize) {
        let folder = self.scene.folder();
        let log = folder.join(format!("instance-{instance}.log"));
        let Instance { settings, process, .. } = &self.instances[instance];
        *process.lock().await = Some(Process::spawn(&["serve"], settings.as_slice(), folder, &log, 1).await);
    }

    /// SIGKILL to an instance.
    pub async fn kill(&self, instance: usize) {
        self.instances[instance].process.lock().await.take().unwrap().kill().await;
    }

    /// SIGTERM to an instance. Returns its exit code.
    pub async fn terminate(&self, instance: usize) -> Option<i32> {
        self.instances[instance].process.lock().await.take().unwrap().terminate().await
    }
}

impl Instance {
    fn new(address: String, settings: &Settings) -> Self {
        let mut settings = settings.clone();
        settings.set("LISTEN", &address);
        Self { address, settings, process: Mutex::default() }
    }
}

impl Deref for Fleet {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}
