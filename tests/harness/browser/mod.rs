//! A real browser: headless Chromium over its own protocol, with people in it who share nothing.
//!
//! It reaches this machine and nothing else. Waiting is done in the page, where things change: no story sleeps or asks again.

mod troubles;
mod window;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chromiumoxide::{
    cdp::browser_protocol::{
        browser::BrowserContextId,
        target::{CreateBrowserContextParams, CreateTargetParams},
    },
    handler::HandlerConfig,
};
use futures_util::StreamExt;
use throwaway::{Chromium, require};
use tokio::task::JoinSet;

pub use window::Window;

/// Longer than anything takes where everything is well, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

/// Chromiums that no story has just now: starting one costs more than most stories do in it.
static IDLE: Mutex<Vec<Chromium>> = Mutex::new(Vec::new());

/// A browser that no other story uses. Its visitors, and all that they have, end when it is dropped; the next story takes it over.
#[derive(Debug)]
pub struct Browser {
    browser: chromiumoxide::Browser,
    /// Drives the connection.
    _handler: JoinSet<()>,
    chromium: Option<Chromium>,
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
    /// Takes over an idle one, or starts one; none where there is no Chromium on this machine.
    pub async fn launch() -> Option<Self> {
        let idle = idle(Vec::pop);
        let chromium = match idle {
            Some(chromium) => chromium,
            None => require("chromium", Chromium::start().await)?,
        };
        // What is asked of a page has a limit of its own, which says what was seen.
        let config =
            HandlerConfig { request_timeout: 2 * PATIENCE, viewport: None, ..HandlerConfig::default() };
        let (browser, mut handler) =
            chromiumoxide::Browser::connect_with_config(chromium.address(), config).await.unwrap();
        let mut driving = JoinSet::new();
        driving.spawn(async move { while handler.next().await.is_some() {} });
        Some(Self { browser, _handler: driving, chromium: Some(chromium) })
    }

    /// Somebody who has nothing in common with the others. Their windows may load what these origins have: `http://…`.
    pub async fn visitor(&self, allowed: &[&str]) -> Visitor<'_> {
        let ends_with_the_connection = CreateBrowserContextParams {
            dispose_on_detach: Some(true),
            ..CreateBrowserContextParams::default()
        };
        let context = self.browser.create_browser_context(ends_with_the_connection).await.unwrap();
        Visitor { browser: self, context, allowed: allowed.iter().map(|&origin| origin.to_owned()).collect() }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A story that failed may have left it in any state.
        if !std::thread::panicking() {
            idle(|idle| idle.extend(self.chromium.take()));
        }
    }
}

fn idle<T>(change: impl FnOnce(&mut Vec<Chromium>) -> T) -> T {
    change(&mut IDLE.lock().unwrap_or_else(PoisonError::into_inner))
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
