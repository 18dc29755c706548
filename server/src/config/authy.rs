//! The settings of the provider Authy.

use std::{str::FromStr, time::Duration};

use clap::{ArgAction, Args};
use url::Url;

use super::{
    problems::{Problems, SettingError},
    values::{http_url, is_loopback},
};
use crate::{
    outgoing::OutgoingProxy,
    provider::authy::{ApiKey, AuthyConfig, Logo},
};

/// Authy accepts no longer URL of a logo, in bytes.
const LONGEST_LOGO_URL: usize = 500;

/// The settings that Authy and its client must have in common: `sandbox` takes them as well.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Provider")]
pub(crate) struct SharedAuthyArguments {
    /// The key of the Authy application, from its console. `serve` and `sandbox` require it. It also signs callbacks: whoever
    /// has it can approve any login.
    #[arg(long, env = "AUTHY_API_KEY", hide_env_values = true, value_parser = ApiKey::parse)]
    pub(crate) authy_api_key: Option<ApiKey>,
    /// The URL that Authy calls back, exactly as entered in its console: Authy signs that text [default: `PUBLIC_URL` +
    /// `/authy/callback`].
    #[arg(long, env = "AUTHY_CALLBACK_URL")]
    authy_callback_url: Option<String>,
}

/// The settings of Authy.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Provider")]
pub(crate) struct AuthyArguments {
    #[command(flatten)]
    pub(crate) shared: SharedAuthyArguments,
    /// The URL of Authy's API. It must be https, except on loopback.
    #[arg(long, env = "AUTHY_API_URL", default_value = "https://api.authy.com", value_parser = http_url)]
    authy_api_url: Url,
    #[command(flatten)]
    pub(crate) options: AuthyOptions,
}

/// The settings of Authy that `dev` takes too.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Provider")]
pub(crate) struct AuthyOptions {
    /// Whether people whom Authy does not know are enrolled there.
    #[arg(long, env = "AUTHY_ENROLL_NEW", default_value_t = true, action = ArgAction::Set)]
    pub(super) authy_enroll_new: bool,
    /// Whether a code that Authy sends approves only the login that it was sent for. Codes of its app approve any login of their
    /// person, once.
    #[arg(long, env = "AUTHY_BIND_CODES", default_value_t = true, action = ArgAction::Set)]
    pub(super) authy_bind_codes: bool,
    /// The logos that a push shows, by resolution (`default`, `low`, `med`, `high`): `default=https://…,low=https://…`. `default`
    /// is required beside the others [default: none].
    #[arg(long, env = "APPROVAL_LOGOS", default_value = "", hide_default_value = true)]
    pub(crate) approval_logos: Logos,
}

impl SharedAuthyArguments {
    /// Returns the callback URL as it was given, if it was.
    pub(super) fn callback_url(&self) -> Result<Option<String>, SettingError> {
        let Some(url) = &self.authy_callback_url else { return Ok(None) };
        http_url(url).map_err(|problem| SettingError::new("AUTHY_CALLBACK_URL", problem))?;
        Ok(Some(url.clone()))
    }
}

impl AuthyArguments {
    pub(super) fn check(
        &self,
        public_url: Option<&Url>,
        (timeout, proxy): (Duration, OutgoingProxy),
        problems: &mut Problems,
    ) -> Option<AuthyConfig> {
        let callback_url = problems.keep(self.callback_url(public_url));
        let api_url = problems.keep(self.api_url());
        let api_key = problems.require("AUTHY_API_KEY", self.shared.authy_api_key.clone());
        Some(AuthyConfig {
            api_key: api_key?,
            api_url: api_url?,
            callback_url: callback_url??,
            timeout,
            proxy,
            logos: self.options.approval_logos.0.clone(),
            enroll_new: self.options.authy_enroll_new,
            bind_codes: self.options.authy_bind_codes,
        })
    }

    /// Returns the callback URL as it was given, or below the public one. Returns `None` if neither is known.
    pub(super) fn callback_url(&self, public_url: Option<&Url>) -> Result<Option<String>, SettingError> {
        let below = || public_url.map(|url| format!("{}/authy/callback", url.as_str().trim_end_matches('/')));
        Ok(self.shared.callback_url()?.or_else(below))
    }

    /// Returns the URL of the API if the key is safe there.
    pub(super) fn api_url(&self) -> Result<Url, SettingError> {
        let url = &self.authy_api_url;
        if url.scheme() != "https" && !is_loopback(url) {
            let problem = "must be https: the key and the codes travel there in the clear otherwise";
            return Err(SettingError::new("AUTHY_API_URL", problem));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let problem = "must be without a user: AUTHY_API_KEY authenticates the service";
            return Err(SettingError::new("AUTHY_API_URL", problem));
        }
        Ok(url.clone())
    }
}

/// The logos of a push: `default=https://…,low=https://…`.
#[derive(Clone, Debug, Default)]
pub struct Logos(pub Vec<Logo>);

impl FromStr for Logos {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut logos: Vec<Logo> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (resolution, url) =
                part.split_once('=').ok_or("must be like `default=https://…,low=https://…`")?;
            if !["default", "low", "med", "high"].contains(&resolution) {
                return Err("knows the resolutions `default`, `low`, `med` and `high`");
            }
            Url::parse(url).map_err(|_| "holds something that is no URL")?;
            if url.len() > LONGEST_LOGO_URL {
                return Err("holds a URL of more than 500 bytes");
            }
            if logos.iter().any(|logo| logo.res == resolution) {
                return Err("names a resolution twice");
            }
            logos.push(Logo { res: resolution.to_owned(), url: url.to_owned() });
        }
        if !logos.is_empty() && !logos.iter().any(|logo| logo.res == "default") {
            return Err("needs a `default` logo beside the others");
        }
        Ok(Self(logos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logos_need_a_default() {
        assert_eq!("default=https://a/d.png, low=https://a/l.png".parse::<Logos>().unwrap().0.len(), 2);
        assert!("".parse::<Logos>().unwrap().0.is_empty());
        for wrong in ["low=https://a/l.png", "https://a/l.png", "huge=https://a/l.png", "default=nowhere"] {
            assert!(wrong.parse::<Logos>().is_err(), "{wrong}");
        }
        assert!("default=https://a/d.png,default=https://a/e.png".parse::<Logos>().is_err());
        assert!(format!("default=https://a/{}", "x".repeat(500)).parse::<Logos>().is_err());
    }
}
