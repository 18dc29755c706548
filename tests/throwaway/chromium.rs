//! A headless Chromium of one's own, with an empty profile, that reaches this machine and nothing else.

use std::{env, fs, path::PathBuf};

use crate::{
    programs::folder_of,
    watchdog::{Plan, Watchdog, is_root},
};

const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS: [&str; 13] = [
    "--headless",
    // Pages are as wide in all windows.
    "--hide-scrollbars",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--user-data-dir=profile",
    "--remote-debugging-port=0",
    "--disable-breakpad",
    "about:blank",
];
/// Whatever it keeps elsewhere for itself, it keeps in the folder too.
const AT_HOME: &str = "TMPDIR=$PWD HOME=$PWD XDG_CONFIG_HOME=$PWD XDG_CACHE_HOME=$PWD exec \"$@\"";
const LISTENS: &str = "DevTools listening on ";

/// A running Chromium. Dropping it waits until all its processes have ended, and removes its profile.
#[derive(Debug)]
pub struct Chromium {
    watchdog: Watchdog,
}

impl Chromium {
    /// Starts one. Says what is missing where it cannot, for [`require`](crate::require) with the name `chromium`.
    pub async fn start() -> Result<Self, String> {
        let program = program()?.display().to_string();
        // As root, Chromium's own sandbox does not start.
        let sandbox = is_root().then_some("--no-sandbox");
        let arguments = FLAGS.into_iter().chain(sandbox).map(str::to_owned);
        let shell = ["sh", "-c", AT_HOME, "chromium"].map(str::to_owned);
        let plan = Plan {
            command: shell.into_iter().chain([program]).chain(arguments).collect(),
            prepare: String::new(),
            ready: LISTENS,
            stop: "KILL",
            instead_of_root: None,
        };
        Ok(Self { watchdog: Watchdog::start(plan).await? })
    }

    /// Where its protocol is spoken: `ws://127.0.0.1:…`.
    #[must_use]
    pub fn address(&self) -> String {
        let log = fs::read_to_string(self.watchdog.folder().join("log")).unwrap();
        log.lines().find_map(|line| line.split_once(LISTENS)).unwrap().1.trim().to_owned()
    }
}

/// Where Chromium is: `CHROMIUM` names one, or it is on the path.
fn program() -> Result<PathBuf, String> {
    #[expect(clippy::disallowed_methods, reason = "it is where a program is, not a setting of the server")]
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    let found = || PROGRAMS.iter().find_map(|&program| Some(folder_of(&[program])?.join(program)));
    named.or_else(found).ok_or_else(|| "there is no Chromium (Debian: chromium)".to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;
    use crate::require;

    #[tokio::test]
    async fn nobody_listens_and_no_profile_is_left_when_it_is_dropped() {
        let Some(chromium) = require("chromium", Chromium::start().await) else { return };
        let folder = chromium.watchdog.folder().to_owned();
        let address = url::Url::parse(&chromium.address()).unwrap();
        let (host, port) = (address.host_str().unwrap().to_owned(), address.port().unwrap());
        assert!(TcpStream::connect((host.as_str(), port)).await.is_ok());
        assert!(folder.join("profile").is_dir());
        drop(chromium);
        assert!(TcpStream::connect((host.as_str(), port)).await.is_err());
        assert!(!folder.exists());
    }
}
