//! What is not there just now, and will be again.

use std::error::Error;

/// Marks, among the causes of an error, that something the service needs does not answer just now: the same request may succeed in a
/// moment. Says and causes what is inside.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unavailable(Box<dyn Error + Send + Sync>);

impl Unavailable {
    /// Marks this error.
    #[must_use]
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }

    /// The error that is marked.
    #[must_use]
    pub fn marked(&self) -> &(dyn Error + 'static) {
        &*self.0
    }

    /// Whether this error, or one of its causes, is marked.
    #[must_use]
    pub fn is_cause_of(error: &(dyn Error + 'static)) -> bool {
        let mut link = Some(error);
        while let Some(error) = link {
            if error.is::<Self>() {
                return true;
            }
            link = error.source();
        }
        false
    }
}
