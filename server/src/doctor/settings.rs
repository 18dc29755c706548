//! The settings themselves: what is wrong with them, and what is allowed and probably not meant.

use std::num::NonZeroUsize;

use tracing::Level;

use super::{Finding, OpenFiles};
use crate::{
    config::{DoctorSettings, PartialSettings, SettingError, is_loopback},
    users::PasswordSettings,
};

const CHECK: &str = "settings";

/// What OWASP's cheat sheet of password storage asks of argon2id with one lane: so much memory in KiB for so many
/// passes.
const STRONG_ENOUGH: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

pub(super) fn check(settings: &DoctorSettings, open_files: Option<OpenFiles>) -> Vec<Finding> {
    let partial = &settings.settings;
    let mut findings = problems(partial.problems());
    // The default in the place of a wrong value is no oversight.
    if !partial.are_wrong(&["TRUSTED_PROXIES"]) {
        findings.extend(proxies(partial));
    }
    findings.extend(tools(partial));
    findings.extend(sandbox(partial));
    findings.extend(metrics(partial));
    findings.extend(logging(settings.level));
    if !partial.are_wrong(&["HASH_MEMORY_KIB", "HASH_PASSES"]) {
        findings.extend(strength(partial));
    }
    findings.extend(threads(partial));
    findings.extend(open_files.filter(|_| !partial.are_wrong(&["MAX_CONNECTIONS"])).map(files));
    findings.extend(unknown_names(&settings.unknown_names));
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "complete, and nothing in them looks like an oversight"));
    }
    findings
}

/// One failure for each error in the settings.
fn problems(problems: &[SettingError]) -> Vec<Finding> {
    let help =
        |index| if index + 1 == problems.len() { "docs/SETTINGS.md describes each setting" } else { "" };
    let failure =
        |(index, problem): (usize, &SettingError)| Finding::failure(CHECK, problem.to_string(), help(index));
    problems.iter().enumerate().map(failure).collect()
}

fn unknown_names(names: &[String]) -> Option<Finding> {
    (!names.is_empty()).then(|| {
        let message = format!(".env has names that no setting has: {}", names.join(", "));
        Finding::warning(CHECK, message, "correct or remove them")
    })
}

/// The service speaks no TLS: where browsers find it by https, somebody is in between.
fn proxies(settings: &PartialSettings) -> Option<Finding> {
    let url = settings.given.public_url.as_ref()?;
    (url.scheme() == "https" && settings.given.service.wire.trusted_proxies.is_empty()).then(|| {
        let message = "TRUSTED_PROXIES is empty, but some proxy must speak the https of PUBLIC_URL: all people \
                       share its address, and the limits of that";
        Finding::warning(CHECK, message, "set TRUSTED_PROXIES to the addresses from which the proxy connects")
    })
}

fn tools(settings: &PartialSettings) -> Option<Finding> {
    let url = settings.given.public_url.as_ref()?;
    let wire = &settings.given.service.wire;
    let switched_on = match (wire.graphiql, wire.introspection) {
        _ if is_loopback(url) => return None,
        (false, false) => return None,
        (true, false) => "GRAPHIQL is",
        (false, true) => "INTROSPECTION is",
        (true, true) => "GRAPHIQL and INTROSPECTION are",
    };
    let message = format!("{switched_on} on in public: tools of developers, which say much to strangers");
    Some(Finding::warning(CHECK, message, "leave them out, or set them to false"))
}

/// What stands in for Authy on this machine lets people approve who never had a phone.
fn sandbox(settings: &PartialSettings) -> Option<Finding> {
    let (public, api) = (settings.given.public_url.as_ref()?, settings.api_url()?);
    (is_loopback(&api) && !is_loopback(public)).then(|| {
        let message = "AUTHY_API_URL leads to this machine, and PUBLIC_URL does not: if a sandbox answers there, \
                       whoever reaches its page approves every login";
        Finding::warning(CHECK, message, "leave AUTHY_API_URL out: then it is Authy itself")
    })
}

fn metrics(settings: &PartialSettings) -> Option<Finding> {
    let address = settings.given.service.metrics_listen?.ip().to_canonical();
    let is_ours = match address {
        std::net::IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        std::net::IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    };
    (!is_ours).then(|| {
        let message =
            "METRICS_LISTEN is an address that others may reach: nobody is asked there who they are";
        Finding::warning(CHECK, message, "take an address that only the operator reaches: 127.0.0.1:9464")
    })
}

fn logging(level: Level) -> Option<Finding> {
    (level > Level::INFO).then(|| {
        let message =
            format!("LOG_LEVEL is {}: much is written for each request", level.as_str().to_lowercase());
        Finding::warning(CHECK, message, "take info where nobody is looking for a fault")
    })
}

fn threads(settings: &PartialSettings) -> Option<Finding> {
    let threads = settings.given.service.passwords.threads();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (threads > cores).then(|| {
        let message = format!("HASH_THREADS is {threads}, and there are {cores} cores");
        Finding::warning(CHECK, message, "leave it out, or take fewer than there are cores")
    })
}

/// Whether password hashes are weaker than OWASP asks for.
pub(crate) fn is_below_owasp_minimum(passwords: &PasswordSettings) -> bool {
    !STRONG_ENOUGH
        .iter()
        .any(|(memory, passes)| passwords.hash_memory_kib >= *memory && passwords.hash_passes >= *passes)
}

fn strength(settings: &PartialSettings) -> Option<Finding> {
    let passwords = &settings.given.service.passwords;
    is_below_owasp_minimum(passwords).then(|| {
        let message = format!(
            "HASH_MEMORY_KIB {} with HASH_PASSES {} is weaker than OWASP asks for: stolen hashes are cheap to crack",
            passwords.hash_memory_kib, passwords.hash_passes
        );
        Finding::warning(CHECK, message, "leave both out: 19456 KiB and 2 passes")
    })
}

fn files(OpenFiles { granted, needed }: OpenFiles) -> Finding {
    let message = format!("MAX_CONNECTIONS needs {needed} open files, and this process may have {granted}");
    Finding::warning(
        CHECK,
        message,
        "raise the limit (`ulimit -n`, or LimitNOFILE= of systemd), or lower MAX_CONNECTIONS",
    )
}
