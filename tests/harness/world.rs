//! One service and one sandbox.

use std::ops::Deref;

use client_example::phone::CallbackMethod;
use tempfile::TempDir;

use crate::{
    Database, Finished, Meter, Process, Scene,
    app::{AppBuilder, RunningApp},
    captured, run,
    settings::Settings,
};

/// What the service logs, in the world's folder.
const LOG: &str = "service.log";

/// How a world is to be.
#[derive(Debug)]
pub struct WorldBuilder {
    database: Database,
    settings: Settings,
    place: Place,
}

/// Where service and sandbox run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the process of the test.
    Here,
    /// In one process of their own: `dev`.
    Spawned,
    /// In a process each: `serve` and `sandbox`.
    Split,
}

/// A service that runs.
#[derive(Debug)]
enum Service {
    App(#[expect(dead_code, reason = "it is held")] RunningApp),
    Process(Box<Process>),
}

/// A service and a sandbox of one's own, and the [`Scene`] that they serve.
#[derive(Debug)]
pub struct World {
    service: Option<Service>,
    /// In a process of its own, where the world is split.
    sandbox: Option<Process>,
    settings: Settings,
    scene: Scene,
}

impl WorldBuilder {
    /// Changes a setting.
    #[must_use]
    pub fn set(mut self, variable: &str, value: &str) -> Self {
        self.settings.set(variable, value);
        self
    }

    /// With the budgets of people who have set none, in place of those that are raised for stories which are not about them.
    #[must_use]
    pub fn usual_budgets(mut self) -> Self {
        self.settings.leave_budgets();
        self
    }

    /// With a listener for what is counted: [`World::meter`] reads it. A process counts for itself, so this one is spawned.
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        self.settings.set("METRICS_LISTEN", &free_address());
        self.spawned()
    }

    /// Service and sandbox in one process of their own: for stories that end or start it, or that read from its log what its
    /// hashing threads do.
    #[must_use]
    pub fn spawned(mut self) -> Self {
        if self.place == Place::Here {
            self.place = Place::Spawned;
        }
        self
    }

    /// Service and sandbox in processes of their own, so that the service alone can be killed: `serve` and `sandbox`.
    /// Their clock does not move.
    #[must_use]
    pub fn split(mut self) -> Self {
        self.place = Place::Split;
        self
    }

    /// Starts it.
    pub async fn start(self) -> World {
        // Whoever comes first; reqwest wants one even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let mut world = match self.place {
            Place::Here => return self.here_in(folder).await,
            Place::Spawned => self.joined_in(folder),
            Place::Split => self.split_in(folder).await,
        };
        world.start_service().await;
        if world.is_split() {
            world.phone.set_callback(Some(world.callback_url()), CallbackMethod::Post).await.unwrap();
        }
        world
    }

    async fn here_in(self, folder: TempDir) -> World {
        let Self { database, mut settings, .. } = self;
        if matches!(database, Database::Sqlite) {
            // The process works in another folder.
            let file = folder.path().join("countersign.db");
            settings.set_default("DATABASE_URL", &format!("sqlite:{}", file.display()));
        }
        settings.keep_in(&database);
        let before = captured::Place::now();
        let app = AppBuilder::for_test(&settings).start(&folder.path().join(LOG)).await;
        let mut scene = Scene::new(folder, database, app.service(), app.sandbox());
        scene.search_from(before);
        World { service: Some(Service::App(app)), sandbox: None, settings, scene }
    }

    fn joined_in(self, folder: TempDir) -> World {
        let Self { database, mut settings, .. } = self;
        let (service, sandbox) = (free_address(), free_address());
        settings.keep_in(&database);
        settings.set("LISTEN", &service);
        settings.set("SANDBOX_LISTEN", &sandbox);
        let scene = Scene::new(folder, database, format!("http://{service}"), format!("http://{sandbox}"));
        World { service: None, sandbox: None, settings, scene }
    }

    async fn split_in(self, folder: TempDir) -> World {
        let Self { database, mut settings, .. } = self;
        let sandbox = settings.start_sandbox(folder.path()).await;
        settings.keep_in(&database);
        settings.migrate(folder.path()).await;
        // The port must be known before it starts: the callback's address is a setting.
        let listen = free_address();
        let service = format!("http://{listen}");
        settings.set("LISTEN", &listen);
        settings.set("PUBLIC_URL", &service);
        let mut scene = Scene::new(folder, database, service, sandbox.address("sandbox").to_owned());
        scene.know_key();
        World { service: None, sandbox: Some(sandbox), settings, scene }
    }
}

impl World {
    /// A world with the default settings, as `countersign dev` has them, in this process; its clock moves.
    pub async fn new(database: Database) -> Self {
        Self::builder(database).start().await
    }

    /// A world to be changed.
    #[must_use]
    pub fn builder(database: Database) -> WorldBuilder {
        WorldBuilder { database, settings: Settings::default(), place: Place::Here }
    }

    fn is_split(&self) -> bool {
        self.sandbox.is_some()
    }

    fn process(&self) -> &Process {
        match &self.service {
            Some(Service::Process(process)) => process,
            Some(Service::App(_)) => {
                panic!("the service runs in this process; build the world with `spawned`")
            }
            None => panic!("the service does not run"),
        }
    }

    fn take_process(&mut self) -> Process {
        self.process();
        let Some(Service::Process(process)) = self.service.take() else { unreachable!() };
        *process
    }

    /// SIGKILL to the service (in a world that is not split: to the sandbox as well).
    pub async fn kill_service(&mut self) {
        self.take_process().kill().await;
    }

    /// Changes a setting, from the next start on.
    pub fn change(&mut self, variable: &str, value: &str) {
        self.settings.set(variable, value);
    }

    /// What `countersign doctor` finds with the world's settings and these others. None of the world's secrets is in it.
    pub async fn doctor(&self, arguments: &[&str], changes: &[(&str, &str)]) -> Finished {
        let settings: Vec<_> = self
            .settings
            .as_slice()
            .iter()
            .map(|(variable, value)| (variable.as_str(), value.as_str()))
            .chain(changes.iter().copied())
            .collect();
        let command = [&["doctor"], arguments].concat();
        let finished = run("server-under-test", &command, &settings, self.folder()).await;
        let said = format!("{}{}", finished.output, finished.log);
        assert_eq!(self.planted.search(&said), Vec::<String>::new(), "{said}");
        finished
    }

    /// Starts the service again, where it was and, unless a setting was changed, as it was.
    pub async fn start_service(&mut self) {
        let (command, listeners) = if self.is_split() { ("serve", 1) } else { ("dev", 2) };
        let folder = self.scene.folder();
        let log = folder.join(LOG);
        let process = Process::spawn(&[command], self.settings.as_slice(), folder, &log, listeners).await;
        self.service = Some(Service::Process(Box::new(process)));
    }

    /// How much memory the service holds, in kB (Linux tells).
    #[must_use]
    pub fn service_memory_kb(&self) -> u64 {
        self.process().memory_kb()
    }

    /// Reads what the service has counted.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter::new(self.http.clone(), self.settings.get("METRICS_LISTEN").unwrap())
    }

    /// What the service has counted, as Prometheus reads it.
    pub async fn metrics(&self) -> String {
        self.meter().text().await
    }

    /// SIGTERM to the service, and no waiting.
    pub async fn signal_service(&self) {
        self.process().signal().await;
    }

    /// Waits for the end of the service. Returns its exit code.
    pub async fn end_of_service(&mut self) -> Option<i32> {
        self.take_process().end().await
    }

    /// SIGTERM to the service. Returns its exit code.
    pub async fn terminate_service(&mut self) -> Option<i32> {
        self.take_process().terminate().await
    }
}

impl Deref for World {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

/// An address that is free now and stays so over a restart.
pub(crate) fn free_address() -> String {
    format!("127.0.0.1:{}", throwaway::free_port())
}
