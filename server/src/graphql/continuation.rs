//! How a subscription waits without being held: between two events nothing of an execution is needed.
//!
//! Its resolver tells one event, leaves here what wakes it for the next one, and ends. Whoever carries the subscription keeps
//! that and executes the operation again when it wakes; then the resolver finds here what it was woken with. A carrier that
//! does not know of this gives no [`Continuation`], and gets one stream from the first event to the last.

use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::{BoxFuture, FutureExt as _};

/// What a resolver is woken with; only it knows what that is.
pub type Awake = Box<dyn Any + Send>;
/// Completes when there is something to tell.
pub type Asleep = BoxFuture<'static, Awake>;

/// Where the resolver of a subscription and whoever carries it hand each other what it takes to go on.
#[derive(Clone, Default)]
pub struct Continuation(Arc<Mutex<Option<Pause>>>);

enum Pause {
    Asleep(Asleep),
    Awake(Awake),
}

impl Continuation {
    /// For an operation that is executed again because of this.
    #[must_use]
    pub fn woken_with(awake: Awake) -> Self {
        Self(Arc::new(Mutex::new(Some(Pause::Awake(awake)))))
    }

    /// Whether something was left that wakes the subscription: whether it goes on.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Some(Pause::Asleep(_)))
    }

    /// What wakes the subscription that has told an event and ended; none where it is over.
    #[must_use]
    pub fn into_asleep(self) -> Option<Asleep> {
        match self.take()? {
            Pause::Asleep(asleep) => Some(asleep),
            Pause::Awake(_) => None,
        }
    }

    /// What the resolver was woken with; none where it is asked for the first time.
    pub(crate) fn awake<State: Any>(&self) -> Option<State> {
        match self.take()? {
            Pause::Awake(awake) => awake.downcast().ok().map(|state| *state),
            Pause::Asleep(_) => None,
        }
    }

    /// Leaves what wakes the resolver again.
    pub(crate) fn sleep<State: Any + Send>(self, until: impl Future<Output = State> + Send + 'static) {
        let asleep = until.map(|state| Box::new(state) as Awake).boxed();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Pause::Asleep(asleep));
    }

    fn take(&self) -> Option<Pause> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
