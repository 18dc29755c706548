//! Which providers are used, and in which order.

use std::{str::FromStr, time::Duration};

use clap::Args;
use url::Url;

use super::{authy::AuthyArguments, problems::Problems};
use crate::{outgoing::OutgoingProxy, provider::ProviderSettings};

/// The settings of the providers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Provider")]
pub(crate) struct ProviderArguments {
    /// The providers to use, in the order in which codes are sent by them: `authy`, or `none`. If one cannot send a code for a reason that
    /// is not about the person, the next one sends it [default: every provider with credentials].
    #[arg(long, env = "PROVIDERS")]
    pub(crate) providers: Option<ProviderOrder>,
    #[command(flatten)]
    pub(crate) authy: AuthyArguments,
}

/// The providers to use, in order. Empty: none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderOrder(Vec<ProviderName>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProviderName {
    Authy,
}

impl ProviderName {
    const ALL: [Self; 1] = [Self::Authy];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Authy => "authy",
        }
    }
}

impl FromStr for ProviderOrder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "none" {
            return Ok(Self(Vec::new()));
        }
        let mut names = Vec::new();
        for name in text.split(',').map(str::trim) {
            let known = ProviderName::ALL.into_iter().find(|known| known.as_str() == name);
            let name = known.ok_or("must be `authy` or `none`")?;
            if names.contains(&name) {
                return Err("names a provider twice");
            }
            names.push(name);
        }
        Ok(Self(names))
    }
}

impl ProviderArguments {
    /// Whether the service works without a provider.
    pub(crate) fn are_none(&self) -> bool {
        self.providers.as_ref().is_some_and(|order| order.0.is_empty())
    }

    /// Returns the names of the providers that would be used.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.order().0.iter().map(|name| name.as_str()).collect()
    }

    /// Authy is the only one yet: without its key, the error says which setting is missing.
    fn order(&self) -> ProviderOrder {
        self.providers.clone().unwrap_or(ProviderOrder(vec![ProviderName::Authy]))
    }

    /// Returns the settings of each provider, in order. Without `PROVIDERS`, at least one must have credentials.
    pub(super) fn check(
        &self,
        public_url: Option<&Url>,
        timeout: Duration,
        proxy: &OutgoingProxy,
        problems: &mut Problems,
    ) -> Option<Vec<ProviderSettings>> {
        let order = self.order();
        let settings = order.0.iter().map(|name| match name {
            ProviderName::Authy => {
                let config = self.authy.check(public_url, (timeout, proxy.clone()), problems);
                config.map(ProviderSettings::Authy)
            }
        });
        // All of them are checked, so that every error is reported.
        settings.collect::<Vec<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_each_provider_once() {
        let read = |text: &str| text.parse::<ProviderOrder>().map(|order| order.0);
        assert_eq!(read("authy"), Ok(vec![ProviderName::Authy]));
        assert_eq!(read(" authy "), Ok(vec![ProviderName::Authy]));
        assert_eq!(read("none"), Ok(Vec::new()));
        for wrong in ["", "Authy", "authy,", "authy,authy", "none,authy", "twilio"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
