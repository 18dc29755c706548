//! The state behind its lock, and on disk where a file is named. One writer writes the newest state to a
//! temporary file and renames it, so that the file is always whole; changes that come meanwhile share the
//! next writing. Invariant: whoever waits for `Change::kept` and gets `Ok` has the change on disk. The lock
//! is never held across an await.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::SandboxError;
use super::state::State;

/// The state and the file that it is kept in.
pub(super) struct Ledger {
    entries: Mutex<Entries>,
    file: Option<PathBuf>,
    changed: Notify,
    written: watch::Sender<Written>,
    /// How often anything has changed that somebody may look at.
    changes: watch::Sender<u64>,
}

struct Entries {
    state: State,
    /// Grows with every change.
    revision: u64,
}

/// The newest revision that a writing was tried with.
#[derive(Clone, Copy)]
struct Written {
    revision: u64,
    succeeded: bool,
}

/// The state could not be written to its file.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's state could not be written")]
pub(super) struct NotKept;

impl Ledger {
    /// Loads the state. A file that is not there is an empty state; one that cannot be read is an error.
    pub(super) fn open(file: Option<PathBuf>) -> Result<Self, SandboxError> {
        let state = file.as_deref().map_or_else(|| Ok(State::default()), load)?;
        let (written, _) = watch::channel(Written { revision: 0, succeeded: true });
        let entries = Mutex::new(Entries { state, revision: 0 });
        Ok(Self { entries, file, changed: Notify::new(), written, changes: watch::Sender::new(0) })
    }

    /// Is told of changes: of each, or of several at once.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Tells whoever looks that it looks different now, though nothing was written: the time was moved.
    pub(super) fn tell_change(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Looks something up.
    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock().state)
    }

    /// Does something that may change the state, and then waits until it is on disk. `act` returns its result
    /// and whether it changed anything.
    pub(super) async fn change<T>(&self, act: impl FnOnce(&mut State) -> (T, bool)) -> Result<T, NotKept> {
        let (result, revision) = {
            let mut entries = self.lock();
            let (result, has_changed) = act(&mut entries.state);
            if has_changed {
                self.tell_change();
            }
            if !has_changed || self.file.is_none() {
                return Ok(result);
            }
            entries.revision += 1;
            (result, entries.revision)
        };
        let mut written = self.written.subscribe();
        self.changed.notify_one();
        let written = written.wait_for(|written| written.revision >= revision).await.map_err(|_| NotKept)?;
        if written.succeeded { Ok(result) } else { Err(NotKept) }
    }

    /// The writer: runs until told to stop, and writes what is left then.
    pub(super) async fn keep(&self, stop: CancellationToken) {
        let Some(file) = &self.file else { return };
        loop {
            let is_over = tokio::select! {
                () = self.changed.notified() => false,
                () = stop.cancelled() => true,
            };
            self.write(file).await;
            if is_over {
                return;
            }
        }
    }

    async fn write(&self, file: &Path) {
        let (revision, text) = {
            let entries = self.lock();
            if entries.revision == self.written.borrow().revision {
                return;
            }
            (entries.revision, serde_json::to_vec(&entries.state))
        };
        let result = match text {
            Ok(text) => replace(file, &text).await,
            Err(error) => Err(io::Error::other(error)),
        };
        if let Err(error) = &result {
            tracing::error!(%error, "the sandbox cannot write its state");
        }
        self.written.send_replace(Written { revision, succeeded: result.is_ok() });
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(file: &Path) -> Result<State, SandboxError> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Err(source) => {
            return Err(SandboxError::StateUnreadable { file: file.to_owned(), source });
        }
    };
    serde_json::from_slice(&text).map_err(|error| SandboxError::StateNonsense {
        file: file.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

/// Writes a file so that a reader, or a crash, sees the old text or the new one.
async fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut handle = options.open(&temporary).await?;
    handle.write_all(text).await?;
    handle.sync_all().await?;
    tokio::fs::rename(&temporary, file).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn open(file: &Path) -> Result<Ledger, SandboxError> {
        Ledger::open(Some(file.to_owned()))
    }

    #[tokio::test]
    async fn a_change_is_on_disk_when_it_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sandbox.json");
        let ledger = Arc::new(open(&file).unwrap());
        let stop = CancellationToken::new();
        let change = ledger.change(|state| {
            state.tally.sms = 7;
            ((), true)
        });
        let (kept, ()) = tokio::join!(
            async {
                let kept = change.await;
                assert_eq!(open(&file).unwrap().read(|state| state.tally.sms), 7);
                stop.cancel();
                kept
            },
            ledger.keep(stop.clone()),
        );
        assert!(kept.is_ok());
    }

    #[tokio::test]
    async fn a_state_that_cannot_be_written_is_not_answered_as_kept() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&folder.path().join("missing").join("sandbox.json")).unwrap();
        let stop = CancellationToken::new();
        let (kept, ()) = tokio::join!(
            async {
                let kept = ledger.change(|_| ((), true)).await;
                stop.cancel();
                kept
            },
            ledger.keep(stop.clone()),
        );
        assert!(kept.is_err());
    }

    #[test]
    fn a_state_file_that_makes_no_sense_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sandbox.json");
        std::fs::write(&file, "{\"devices\": [").unwrap();
        assert!(matches!(open(&file), Err(SandboxError::StateNonsense { .. })));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"devices\": [");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(open(&file), Err(SandboxError::StateNonsense { .. })));
    }

    #[test]
    fn a_state_file_that_cannot_be_opened_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(open(folder.path()), Err(SandboxError::StateUnreadable { .. })));
    }
}
