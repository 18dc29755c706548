//! What services in this process log, each into the file of its own world.
//!
//! One subscriber serves the whole process. A thread of a service's runtime belongs to that service, and so does what it logs. The
//! threads that hash passwords are started by the server and belong to no runtime: what they log goes to one shared log, which
//! every world searches from where it stood at the world's start.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Write},
    panic,
    path::Path,
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// What threads log that belong to no world.
static SHARED: Mutex<String> = Mutex::new(String::new());

thread_local! {
    /// The log of the world that this thread belongs to.
    static OWN: RefCell<Option<Captured>> = const { RefCell::new(None) };
}

/// The log of one world.
#[derive(Clone, Debug)]
pub(crate) struct Captured(Arc<World>);

#[derive(Debug)]
struct World {
    file: File,
    is_over: AtomicBool,
}

/// A place in the shared log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(usize);

impl Captured {
    /// Captures into this file.
    pub(crate) fn into_file(path: &Path) -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(subscribe);
        let file = File::options().create(true).append(true).open(path).unwrap();
        Self(Arc::new(World { file, is_over: AtomicBool::new(false) }))
    }

    /// Has the calling thread log into the file from now on.
    pub(crate) fn adopt_thread(&self) {
        OWN.with_borrow_mut(|own| *own = Some(self.clone()));
    }

    /// Forgives panics from now on: a runtime that shuts down panics where a task still sets a timer.
    pub(crate) fn forgive_panics(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl Place {
    /// The end of the shared log.
    pub(crate) fn now() -> Self {
        Self(shared(|log| log.len()))
    }

    /// What was logged after this place.
    pub(crate) fn read_on(self) -> String {
        shared(|log| log[self.0..].to_owned())
    }
}

/// Logs as the server does at TRACE: our own modules all, others from INFO on.
fn subscribe() {
    let levels = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("countersign", Level::TRACE)
        .with_target("rustls_platform_verifier", LevelFilter::OFF)
        // The driver of the browser warns of each event that it does not know.
        .with_target("chromiumoxide", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(OwnLog);
    tracing_subscriber::registry().with(levels).with(lines).init();
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let is_over = |own: &Option<Captured>| Some(own.as_ref()?.0.is_over.load(Ordering::Relaxed));
        match OWN.with_borrow(is_over) {
            Some(true) => return,
            Some(false) => log_panic(),
            None if thread::current().name().is_some_and(|name| name.starts_with("hash-")) => log_panic(),
            // A test that fails, on a thread of its own.
            None => {}
        }
        usual(panic);
    }));
}

fn log_panic() {
    let _ = OwnLog.write_all(b"panic\n");
}

fn shared<T>(read: impl FnOnce(&mut String) -> T) -> T {
    read(&mut SHARED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The log of the calling thread's world.
struct OwnLog;

impl MakeWriter<'_> for OwnLog {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

impl Write for OwnLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        OWN.with_borrow(|own| {
            if let Some(own) = own {
                (&own.0.file).write(line)
            } else {
                shared(|log| log.push_str(&String::from_utf8_lossy(line)));
                Ok(line.len())
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_logs_into_its_world_and_any_other_into_the_shared_log() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("world.log");
        let (world, before) = (Captured::into_file(&path), Place::now());
        let log_secret = |secret: &str| tracing::trace!(target: "countersign::model", secret);
        thread::scope(|scope| {
            scope.spawn(|| {
                world.adopt_thread();
                log_secret("of the world");
            });
            scope.spawn(|| log_secret("of nobody"));
        });
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "TRACE secret=\"of the world\"\n");
        let shared = before.read_on();
        assert!(
            shared.contains("TRACE secret=\"of nobody\"") && !shared.contains("of the world"),
            "{shared}"
        );
    }
}
