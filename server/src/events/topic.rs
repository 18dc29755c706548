//! What can be watched, and how it is named between instances.

use std::fmt;

use crate::model::{ApprovalId, SessionId};

/// What can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A login: any change of its status.
    Approval(ApprovalId),
    /// A session: its end.
    Session(SessionId),
}

/// `login.ID` or `session.ID`.
impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approval(id) => write!(formatter, "login.{id}"),
            Self::Session(id) => write!(formatter, "session.{id}"),
        }
    }
}

impl Topic {
    /// Reads what [`Topic`]'s `Display` writes; `None` where it is nothing of the kind.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name.split_once('.')? {
            ("login", id) => ApprovalId::parse(id).map(Self::Approval),
            ("session", id) => SessionId::parse(id).map(Self::Session),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn a_topic_is_read_as_it_was_written() {
        let id = random::id(chrono::DateTime::UNIX_EPOCH);
        for topic in [Topic::Approval(ApprovalId::new(id)), Topic::Session(SessionId::new(id))] {
            assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
        }
        for nothing in ["", "login", "login.", "login.1", &format!("user.{id}")] {
            assert_eq!(Topic::parse(nothing), None, "{nothing}");
        }
    }
}
