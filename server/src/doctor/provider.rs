//! Authy: whether it can be reached and knows the key. Nothing is sent to anybody.

use std::time::Duration;

use super::{Finding, clock::Told, place, reason::Reason};
use crate::{
    clock::Clock,
    config::PartialSettings,
    provider::{
        ProviderError,
        authy::{Application, Authy, AuthyConfig},
    },
};

const CHECK: &str = "provider";
/// However long `PROVIDER_TIMEOUT` is.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);

pub(super) async fn check(settings: &PartialSettings, clock: &Clock) -> (Vec<Finding>, Option<Told>) {
    if settings.given.providers.are_none() {
        let advice = "remove PROVIDERS, or name a provider: nobody can countersign a login without one";
        return (vec![Finding::warning(CHECK, "PROVIDERS is `none`", advice)], None);
    }
    let given = &settings.given.providers.authy;
    let (Some(api_key), Some(api_url)) = (&given.shared.authy_api_key, settings.api_url()) else {
        return (vec![Finding::skipped(CHECK, "not checked: see AUTHY_API_KEY and AUTHY_API_URL")], None);
    };
    let authy = Authy::new(AuthyConfig {
        api_key: api_key.clone(),
        api_url: api_url.clone(),
        // This check causes no callback.
        callback_url: api_url.to_string(),
        timeout: settings.given.service.logins.provider_timeout.min(ANSWERS_WITHIN),
        proxy: settings.given.proxy.check(),
        logos: given.options.approval_logos.0.clone(),
        enroll_new: false,
        bind_codes: true,
    });
    let authy = match authy {
        Ok(authy) => authy,
        Err(error) => return (vec![Finding::failure(CHECK, error.to_string(), "see the settings")], None),
    };
    let asked = clock.now();
    let described = authy.describe_application().await;
    let here = (asked, clock.now());
    let place = place(&api_url);
    match described {
        Ok(described) => {
            let time = described.date.map(|date| {
                let there = (date, date + chrono::TimeDelta::seconds(1));
                Told { by: "the provider", there, here }
            });
            (described.application.map_or_else(|error| refused(&place, &error), |app| accepted(&app)), time)
        }
        Err(error) => (refused(&place, &error), None),
    }
}

fn accepted(application: &Application) -> Vec<Finding> {
    let name = &application.name;
    let mut findings = Vec::new();
    if application.has_pushes == Some(false) {
        let message =
            format!("knows the key as \"{name}\", which may send no pushes: people have to type codes");
        findings.push(Finding::warning(
            CHECK,
            message,
            "turn on push authentication (OneTouch) in its console",
        ));
    }
    if application.has_sms == Some(false) {
        let message = format!("knows the key as \"{name}\", which may send no text messages");
        findings.push(Finding::warning(
            CHECK,
            message,
            "turn them on in its console, for people without the app",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("Authy knows the key as \"{name}\"")));
    }
    findings
}

fn refused(place: &str, error: &ProviderError) -> Vec<Finding> {
    let network = "see that this machine may reach it: names, routes, firewalls";
    let finding = match error {
        ProviderError::Unauthorized { code } if code == "60001" => {
            let advice = "copy it from the application's settings in Authy's console; blanks and quotes are no part of it";
            Finding::failure(CHECK, format!("AUTHY_API_KEY is not known at {place}"), advice)
        }
        ProviderError::Unauthorized { code } => {
            let message = format!("{place} does not accept the key, or the account behind it (code {code})");
            Finding::failure(CHECK, message, "see the account and the application in Authy's console")
        }
        ProviderError::RateLimited { .. } => {
            Finding::warning(CHECK, format!("{place} asks for a pause"), "try again in a while")
        }
        ProviderError::Unreachable(error) => {
            Finding::failure(CHECK, format!("{place} cannot be reached: {}", Reason::of(error)), network)
        }
        ProviderError::TimedOut => {
            Finding::failure(CHECK, format!("{place} does not answer within PROVIDER_TIMEOUT"), network)
        }
        ProviderError::Nonsense { status: 500.., .. } => {
            let advice = "see the provider's status page; people get neither pushes nor codes meanwhile";
            Finding::failure(CHECK, format!("{place} has a failure of its own ({error})"), advice)
        }
        other => {
            let message = format!("what answers at {place} does not speak as Authy does: {other}");
            Finding::failure(CHECK, message, "correct AUTHY_API_URL; leave it out for Authy itself")
        }
    };
    vec![finding]
}
