//! What the phone's page lives by: an event at once, and then whenever anything that a phone shows may have changed. It says
//! that there is news, not which: the page reads again. Changes that come close together are one event, so that a page which
//! does not listen holds up nobody.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State as Given;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};

use crate::emulator::Emulator;

/// The stream of events. It ends with the sandbox.
pub(super) async fn follow(
    Given(emulator): Given<Arc<Emulator>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = emulator.ledger.changes();
    changes.mark_changed();
    let news = stream::unfold(changes, async |mut changes| {
        changes.changed().await.ok()?;
        let event = Event::default().event("changed").data(changes.borrow_and_update().to_string());
        Some((Ok(event), changes))
    });
    let until_the_end = news.take_until(emulator.shutdown.clone().cancelled_owned());
    Sse::new(until_the_end).keep_alive(KeepAlive::default())
}
