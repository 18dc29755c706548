//! A real browser: headless Chromium over its own protocol, with people in it who share nothing.
//!
//! It reaches this machine and nothing else. Waiting is done in the page, where things change: no story sleeps or asks again.

mod troubles;
mod window;

use std::{env, path::PathBuf};

use chromiumoxide::{
    BrowserConfig,
    cdp::browser_protocol::{
        browser::BrowserContextId,
        target::{CreateBrowserContextParams, CreateTargetParams},
    },
};
use futures_util::StreamExt;
use tempfile::TempDir;
use throwaway::require;
use tokio::task::JoinSet;

pub use window::Window;

/// Longer than anything takes where everything is well, on a machine that does much else.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS: [&str; 6] = [
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
];

/// A browser with an empty profile. It ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    browser: chromiumoxide::Browser,
    /// Drives the connection.
    _handler: JoinSet<()>,
    _profile: TempDir,
}

/// Somebody in front of the browser, with cookies of their own.
#[derive(Debug)]
pub struct Visitor<'a> {
    browser: &'a Browser,
    context: BrowserContextId,
    /// The origins that their windows may ask for anything.
    allowed: Vec<String>,
}

impl Browser {
    /// Starts one; none where there is no Chromium on this machine.
    pub async fn launch() -> Option<Self> {
        let program = require("chromium", program())?;
        let profile = TempDir::new().unwrap();
        let config = BrowserConfig::builder()
            .chrome_executable(program)
            .user_data_dir(profile.path())
            // What it leaves lying goes with the profile.
            .env("TMPDIR", profile.path().display().to_string())
            .launch_timeout(PATIENCE)
            .request_timeout(PATIENCE)
            .disable_default_args()
            .viewport(None)
            .args(FLAGS)
            .arg(("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"));
        // As root, Chromium's own sandbox does not start.
        let config = if rustix::process::geteuid().is_root() { config.no_sandbox() } else { config };
        let (browser, mut handler) = chromiumoxide::Browser::launch(config.build().unwrap()).await.unwrap();
        let mut driving = JoinSet::new();
        driving.spawn(async move { while handler.next().await.is_some() {} });
        Some(Self { browser, _handler: driving, _profile: profile })
    }

    /// Somebody who has nothing in common with the others. Their windows may load what these origins have: `http://…`.
    pub async fn visitor(&self, allowed: &[&str]) -> Visitor<'_> {
        let context =
            self.browser.create_browser_context(CreateBrowserContextParams::default()).await.unwrap();
        Visitor { browser: self, context, allowed: allowed.iter().map(|&origin| origin.to_owned()).collect() }
    }
}

impl Visitor<'_> {
    /// Opens a window at an address.
    pub async fn open(&self, url: &str) -> Window {
        let mut target = CreateTargetParams::new("about:blank");
        target.browser_context_id = Some(self.context.clone());
        let page = self.browser.browser.new_page(target).await.unwrap();
        let window = Window::over(page, self.allowed.clone()).await;
        window.goto(url).await;
        window
    }
}

/// Where Chromium is.
fn program() -> Result<PathBuf, String> {
    #[expect(clippy::disallowed_methods, reason = "it is where programs are, not a setting of the server")]
    let (named, path) = (env::var_os("CHROMIUM"), env::var_os("PATH").unwrap_or_default());
    let found = env::split_paths(&path)
        .flat_map(|folder| PROGRAMS.map(|program| folder.join(program)))
        .find(|program| program.is_file());
    named.map(PathBuf::from).or(found).ok_or_else(|| "there is no Chromium (Debian: chromium)".to_owned())
}
