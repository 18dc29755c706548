//! What Authy says of the application that a key belongs to. Asking sends nothing to anybody.

use chrono::{DateTime, Utc};

use super::{
    Authy, nonsense,
    reply::{Call, is_true},
};
use crate::provider::ProviderError;

/// A name that is longer than this is cut.
const LONGEST_NAME: usize = 60;

/// An answer to the question whose key this is.
#[derive(Debug)]
pub struct Described {
    /// What time it is at Authy, to the second, where it said so. Also where it refused.
    pub date: Option<DateTime<Utc>>,
    /// The application.
    pub application: Result<Application, ProviderError>,
}

/// An application, as it is set up in Authy's console. What it did not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its name, which people read on their phone.
    pub name: String,
    /// Whether it may send pushes.
    pub has_pushes: Option<bool>,
    /// Whether it may send text messages.
    pub has_sms: Option<bool>,
}

impl Authy {
    /// Asks what the application is called and may do. Proves that Authy can be reached and knows the key.
    pub async fn describe_application(&self) -> Result<Described, ProviderError> {
        let reply = self
            .connection
            .get("describe_application", &["protected", "json", "app", "details"], &[])
            .await?;
        let date = reply.date;
        let application = reply.success(Call::Other).and_then(|success| {
            let name =
                success.find_text(&["app", "name"]).ok_or(nonsense("an application without a name"))?;
            let told = |member| {
                let value = success.find(&["app", member]);
                value.is_some().then(|| is_true(value))
            };
            Ok(Application {
                name: printable(name),
                has_pushes: told("onetouch_enabled"),
                has_sms: told("sms_enabled"),
            })
        });
        Ok(Described { date, application })
    }
}

/// It ends up on somebody's terminal.
fn printable(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_command_a_terminal() {
        assert_eq!(printable("Example\u{1b}[2J\nApp"), "Example[2JApp");
        assert_eq!(printable(&"x".repeat(500)).len(), LONGEST_NAME);
    }
}
