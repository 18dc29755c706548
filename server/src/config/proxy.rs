//! The settings of the proxy for outgoing requests.

use std::str::FromStr;

use clap::Args;

use crate::outgoing::{OutgoingProxy, ProxyUrl};

/// The flags that send outgoing requests through a proxy.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Outgoing proxy")]
pub(crate) struct ProxyArguments {
    /// The proxy for outgoing https requests (to the provider, to the collector and of `doctor`):
    /// `http://[USER:PASSWORD@]HOST:PORT` [default: none].
    #[arg(long, env = "HTTPS_PROXY", default_value = "", hide_default_value = true, hide_env_values = true)]
    https_proxy: ProxyArgument,
    /// Hosts, domains and networks that are reached without the proxy, separated by commas: `.example.com,10.0.0.0/8`. Loopback
    /// always is [default: none].
    #[arg(long, env = "NO_PROXY", default_value = "", hide_default_value = true)]
    no_proxy: String,
}

/// A proxy, or nothing: many environments set the variable to nothing.
#[derive(Clone, Debug)]
struct ProxyArgument(Option<ProxyUrl>);

impl FromStr for ProxyArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|proxy| Self(Some(proxy))) }
    }
}

impl ProxyArguments {
    pub(crate) fn check(&self) -> OutgoingProxy {
        OutgoingProxy::new(self.https_proxy.0.clone(), self.no_proxy.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_no_proxy() {
        for text in ["", "  ", "\n"] {
            assert_eq!(text.parse::<ProxyArgument>().unwrap().0, None);
        }
        assert!(" http://proxy:3128\n".parse::<ProxyArgument>().unwrap().0.is_some());
    }
}
