//! A service and its sandbox in the process of the test: what `countersign dev` runs, on free ports, with no process to start.
//!
//! For stories that need no kill, no signal, no fleet, no metrics and no memory to be measured. Each runs on threads of its own, so
//! that a story which waits without pause holds up nobody.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    path::Path,
    sync::LazyLock,
    thread::{self, JoinHandle},
    time::Duration,
};

use clap::CommandFactory as _;
use countersign::{
    DevService,
    app::Ending,
    config::{Arguments, DevSettings, Task, read_line},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{captured::Captured, settings::Settings};

/// How long its last threads may take: they end at their next pause.
const LAST_THREADS: Duration = Duration::from_secs(10);
/// Cheaper hashes than a real service has. Stories about hashes say otherwise.
const CHEAP_HASHES: [(&str, &str); 2] = [("HASH_MEMORY_KIB", "64"), ("HASH_PASSES", "1")];

/// The flag of each setting of `dev`, by its variable.
static FLAGS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let command = Arguments::command();
    let arguments = command.find_subcommand("dev").unwrap().get_arguments();
    let flags = arguments.filter_map(|argument| {
        let variable = argument.get_env()?.to_str().unwrap().to_owned();
        Some((variable, argument.get_long()?.to_owned()))
    });
    flags.collect()
});

/// How a service in this process is to be.
#[derive(Debug)]
pub(crate) struct AppBuilder {
    settings: Settings,
}

/// A service and a sandbox that run. Dropping it ends them as a kill does: nothing that runs is finished.
#[derive(Debug)]
pub(crate) struct RunningApp {
    service: SocketAddr,
    sandbox: SocketAddr,
    kill: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl AppBuilder {
    /// With these settings, cheap hashes and free ports.
    pub(crate) fn for_test(settings: &Settings) -> Self {
        let mut settings = settings.clone();
        for (variable, value) in CHEAP_HASHES {
            settings.set_default(variable, value);
        }
        settings.set("LISTEN", "127.0.0.1:0");
        settings.set("SANDBOX_LISTEN", "127.0.0.1:0");
        Self { settings }
    }

    /// Runs it, and returns when it listens. It logs into this file.
    pub(crate) async fn start(self, log: &Path) -> RunningApp {
        let settings = self.check();
        let log = Captured::into_file(log);
        let kill = CancellationToken::new();
        let killed = kill.clone();
        let (listening, listens) = oneshot::channel();
        let thread = thread::Builder::new().name("app".to_owned()).spawn(move || {
            let own_log = log.clone();
            log.adopt_thread();
            let mut threads = tokio::runtime::Builder::new_multi_thread();
            threads.worker_threads(2).enable_all().on_thread_start(move || log.adopt_thread());
            let runtime = threads.build().unwrap();
            runtime.block_on(killed.run_until_cancelled(serve(settings, listening)));
            own_log.forgive_panics();
            runtime.shutdown_timeout(LAST_THREADS);
        });
        let (service, sandbox) = listens.await.unwrap();
        RunningApp { service, sandbox, kill, thread: Some(thread.unwrap()) }
    }

    fn check(&self) -> DevSettings {
        let mut line = vec![OsString::from("countersign"), "dev".into()];
        for (variable, flag) in FLAGS.iter() {
            line.extend(self.settings.get(variable).map(|value| format!("--{flag}={value}").into()));
        }
        match read_line(&line).unwrap().task {
            Task::Dev(settings) => *settings,
            other => panic!("{other:?}"),
        }
    }
}

/// Serves for ever, and tells where.
async fn serve(settings: DevSettings, listening: oneshot::Sender<(SocketAddr, SocketAddr)>) {
    let service = DevService::build(settings, None).await.unwrap();
    let addresses = (service.address().unwrap(), service.sandbox_address().unwrap());
    let _ = listening.send(addresses);
    service.serve(Ending::default()).await.unwrap();
}

impl RunningApp {
    /// Where the service listens: `http://127.0.0.1:…`.
    pub(crate) fn service(&self) -> String {
        format!("http://{}", self.service)
    }

    /// Where the sandbox listens: `http://127.0.0.1:…`.
    pub(crate) fn sandbox(&self) -> String {
        format!("http://{}", self.sandbox)
    }
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        self.kill.cancel();
        // What it logs is searched when it has ended.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
