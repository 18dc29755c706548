//! What is measured: the release server, in one instance or several, with a sandbox and people who have signed up.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use client_example::phone::{CallbackMethod, Phone};
use countersign_client::Client;
use harness::{Database, Process, raised_budgets};
use tempfile::TempDir;
use throwaway::free_port;
use tokio::process::Command;

use crate::{cores::Cores, programs, usage};

/// The key that the sandbox signs with.
const API_KEY: &str = "key-of-the-sandbox-0123456789abcdef";

/// Where a file of SQLite may be that no disk slows down.
const MEMORY: &str = "/dev/shm";

/// How the server is to be.
pub(crate) struct StageBuilder {
    cores: Cores,
    settings: Vec<(String, String)>,
    instances: usize,
    folder: TempDir,
}

/// A running server.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) phone: Phone,
    pub(crate) database_url: String,
    callback_url: String,
    instances: Vec<Process>,
    _sandbox: Process,
    /// They end after the processes.
    _database: Database,
    _folder: TempDir,
}

impl Stage {
    /// A server with the defaults of `serve`, but for budgets and caps that one machine alone would use up.
    pub(crate) fn builder(cores: &Cores) -> anyhow::Result<StageBuilder> {
        let mut builder = StageBuilder {
            cores: cores.clone(),
            settings: Vec::new(),
            instances: 1,
            folder: TempDir::new()?,
        };
        for (budget, raised) in raised_budgets() {
            builder = builder.set(budget, raised);
        }
        let threads = cores.server.len().to_string();
        Ok(builder
            .set("HASH_THREADS", &threads)
            .set("LOG_LEVEL", "warn")
            .set("LOGIN_TTL", "1h")
            .set("MAX_CONNECTIONS", "19000")
            .set("CONNECTIONS_PER_ADDRESS", "19000")
            .set("SOCKETS_PER_ADDRESS", "19000")
            .set("SHUTDOWN_DELAY", "0s"))
    }

    /// Where an instance is: `http://127.0.0.1:…`.
    pub(crate) fn address(&self, instance: usize) -> &str {
        self.instances[instance].address("service")
    }

    /// The key and the URL that callbacks are signed with.
    pub(crate) fn signed_with(&self) -> (&str, &str) {
        (API_KEY, &self.callback_url)
    }

    /// The number of an instance among the processes of this machine.
    pub(crate) fn process(&self, instance: usize) -> u32 {
        self.instances[instance].id()
    }

    /// The memory that an instance holds, in bytes.
    pub(crate) fn memory_bytes(&self, instance: usize) -> anyhow::Result<u64> {
        usage::memory_bytes(self.process(instance))
    }

    /// The processor time that all instances have had.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        self.instances.iter().map(|instance| usage::processor_time(instance.id())).sum()
    }

    /// The share of one core that the instances take while nothing happens.
    pub(crate) async fn at_rest(&self, length: Duration) -> anyhow::Result<f64> {
        let before = self.processor_time()?;
        tokio::time::sleep(length).await;
        Ok(self.processor_time()?.saturating_sub(before).as_secs_f64() / length.as_secs_f64())
    }
}

impl StageBuilder {
    /// Changes a setting.
    pub(crate) fn set(mut self, variable: &str, value: &str) -> Self {
        self.settings.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// With so cheap a password hash that it does not count, for phases that are about something else.
    pub(crate) fn with_cheap_hashes(self) -> Self {
        self.set("HASH_MEMORY_KIB", "8").set("HASH_PASSES", "1").set("HASH_QUEUE", "1000")
    }

    /// With an SQLite file in memory where there is such a folder: for phases that are not about commits.
    pub(crate) fn without_disk(mut self) -> anyhow::Result<Self> {
        if std::path::Path::new(MEMORY).is_dir() {
            self.folder = TempDir::new_in(MEMORY)?;
        }
        Ok(self)
    }

    /// How many instances there are.
    pub(crate) fn instances(mut self, instances: usize) -> Self {
        self.instances = instances;
        self
    }

    /// Spawns everything.
    pub(crate) async fn start(mut self, database: Database) -> anyhow::Result<Stage> {
        let database_url = match &database {
            Database::Sqlite => format!("sqlite:{}", self.file("countersign.db").display()),
            Database::Postgres(database) => database.url().to_owned(),
        };
        let mut command = programs::server(&self.cores.others, "sandbox")?;
        command.env("AUTHY_API_KEY", API_KEY).env("SANDBOX_LISTEN", "127.0.0.1:0");
        command.env("LOG_LEVEL", "warn");
        let sandbox = Process::listening(command, &self.file("sandbox.log"), 1).await;
        let ports: Vec<_> = (0..self.instances).map(|_| free_port()).collect();
        let service = format!("http://127.0.0.1:{}", ports[0]);
        let callback_url = format!("{service}/authy/callback");
        self = self
            .set("DATABASE_URL", &database_url)
            .set("AUTHY_API_KEY", API_KEY)
            .set("AUTHY_API_URL", sandbox.address("sandbox"))
            .set("PUBLIC_URL", &service);
        let migrated = self.server("migrate")?.output().await?;
        anyhow::ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let mut instances = Vec::new();
        for (number, port) in ports.iter().enumerate() {
            let mut command = self.server("serve")?;
            command.env("LISTEN", format!("127.0.0.1:{port}")).env("AUTHY_CALLBACK_URL", &callback_url);
            instances.push(Process::listening(command, &self.file(&format!("{number}.log")), 1).await);
        }
        let phone = Phone::new(sandbox.address("sandbox"))?;
        phone.set_callback(Some(&callback_url), CallbackMethod::Post).await?;
        Ok(Stage {
            client: Client::builder(&service).timeout(Duration::from_mins(1)).build()?,
            phone,
            database_url,
            callback_url,
            instances,
            _sandbox: sandbox,
            _database: database,
            _folder: self.folder,
        })
    }

    fn server(&self, command: &str) -> anyhow::Result<Command> {
        let mut command = programs::server(&self.cores.server, command).context("no server")?;
        command.envs(self.settings.iter().map(|(variable, value)| (variable, value)));
        command.current_dir(self.folder.path());
        Ok(command)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
