//! What a page must not do: complain on its console, throw, break its policy, or ask for anything elsewhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chromiumoxide::{
    Page,
    cdp::{
        IntoEventKind,
        browser_protocol::{
            log::{self, EventEntryAdded, LogEntryLevel},
            network::{self, EventRequestWillBeSent, EventWebSocketCreated},
        },
        js_protocol::runtime::{self, ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown},
    },
};
use futures_util::StreamExt;
use tokio::task::JoinSet;
use url::Url;

/// What has gone wrong in a window so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Troubles(Arc<Mutex<Vec<String>>>);

impl Troubles {
    /// Listens from now on: nothing has been loaded yet.
    pub(super) async fn of(page: &Page, allowed: Vec<String>) -> (Self, JoinSet<()>) {
        let troubles = Self::default();
        let mut listening = JoinSet::new();
        troubles.note(page, &mut listening, console).await;
        troubles.note(page, &mut listening, |event| Some(thrown(event))).await;
        troubles.note(page, &mut listening, logged).await;
        let (of_requests, of_sockets) = (allowed.clone(), allowed);
        let request = move |event: &EventRequestWillBeSent| elsewhere(&event.request.url, &of_requests);
        troubles.note(page, &mut listening, request).await;
        let socket = move |event: &EventWebSocketCreated| elsewhere(&event.url, &of_sockets);
        troubles.note(page, &mut listening, socket).await;
        page.execute(runtime::EnableParams::default()).await.unwrap();
        page.execute(log::EnableParams::default()).await.unwrap();
        page.execute(network::EnableParams::default()).await.unwrap();
        (troubles, listening)
    }

    async fn note<Event: IntoEventKind + Send + Sync + Unpin + 'static>(
        &self,
        page: &Page,
        listening: &mut JoinSet<()>,
        trouble: impl Fn(&Event) -> Option<String> + Send + 'static,
    ) {
        let mut events = page.event_listener::<Event>().await.unwrap();
        let this = self.clone();
        listening.spawn(async move {
            while let Some(event) = events.next().await {
                this.lock().extend(trouble(&event));
            }
        });
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// Takes out those that hold this text, and says how many there were.
    pub(super) fn take(&self, part: &str) -> usize {
        let mut all = self.lock();
        let before = all.len();
        all.retain(|trouble| !trouble.contains(part));
        before - all.len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn console(event: &EventConsoleApiCalled) -> Option<String> {
    use ConsoleApiCalledType::{Assert, Error, Warning};
    let is_trouble = matches!(event.r#type, Assert | Error | Warning);
    is_trouble.then(|| format!("console: {}", serde_json::to_string(&event.args).unwrap()))
}

fn thrown(event: &EventExceptionThrown) -> String {
    let details = &event.exception_details;
    let description = details.exception.as_ref().and_then(|exception| exception.description.as_deref());
    format!("thrown: {} {}", details.text, description.unwrap_or_default())
}

fn logged(event: &EventEntryAdded) -> Option<String> {
    let entry = &event.entry;
    let is_trouble = matches!(entry.level, LogEntryLevel::Error | LogEntryLevel::Warning);
    is_trouble.then(|| format!("logged: {} {}", entry.text, entry.url.as_deref().unwrap_or_default()))
}

fn elsewhere(url: &str, allowed: &[String]) -> Option<String> {
    let asked = Url::parse(url).unwrap();
    let is_over_a_network = matches!(asked.scheme(), "http" | "https" | "ws" | "wss");
    let scheme = asked.scheme().replacen("ws", "http", 1);
    let origin = format!("{scheme}://{}:{}", asked.host_str()?, asked.port_or_known_default()?);
    (is_over_a_network && !allowed.contains(&origin)).then(|| format!("asked elsewhere: {url}"))
}
