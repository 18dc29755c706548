//! Ids of our own: `UUIDv7`, made in `random`, stored as text. No secrets: what opens something is a token.

use std::fmt;

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a fresh id.
            #[must_use]
            pub fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// Reads an id as text; `None` where it is none.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    )*};
}

ids! {
    /// The id of an approval. The push carries it hidden, and logs show it.
    ApprovalId;
    /// The id of a user.
    UserId;
    /// The id of a session.
    SessionId;
    /// The id of a device: a browser in which somebody has signed in before.
    DeviceId;
    /// The id of an event of an account.
    EventId;
}
