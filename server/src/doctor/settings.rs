//! The settings themselves: what is wrong with them, and what is allowed and probably not meant.

use std::num::NonZeroUsize;

use tracing::Level;

use super::{Finding, OpenFiles};
use crate::{
    config::{DoctorSettings, Examined, is_loopback},
    users::PasswordSettings,
};

const CHECK: &str = "settings";

/// What OWASP's cheat sheet of password storage asks of argon2id with one lane: so much memory in KiB for so many
/// passes.
const STRONG_ENOUGH: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

pub(super) fn check(settings: &DoctorSettings, open_files: Option<OpenFiles>) -> Vec<Finding> {
    let examined = &settings.examined;
    let (last, others) = match settings.problems.split_last() {
        Some((last, others)) => (Some(last), others),
        None => (None, &[][..]),
    };
    let mut findings: Vec<_> = others.iter().map(|problem| Finding::failure(CHECK, problem, "")).collect();
    let help = "`countersign serve --help` says what each takes";
    findings.extend(last.map(|problem| Finding::failure(CHECK, problem, help)));
    // Of what is wrong no more is said: the default in its place is nobody's oversight.
    if !settings.are_wrong(&["TRUSTED_PROXIES"]) {
        findings.extend(proxies(examined));
    }
    findings.extend(tools(examined));
    findings.extend(sandbox(examined));
    findings.extend(metrics(examined));
    findings.extend(logging(settings.level));
    if !settings.are_wrong(&["HASH_MEMORY_KIB", "HASH_PASSES"]) {
        findings.extend(strength(examined));
    }
    findings.extend(threads(examined));
    findings.extend(open_files.filter(|_| !settings.are_wrong(&["MAX_CONNECTIONS"])).map(files));
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "complete, and nothing in them looks like an oversight"));
    }
    findings
}

/// The service speaks no TLS: where browsers find it by https, somebody is in between.
fn proxies(examined: &Examined) -> Option<Finding> {
    let (url, http) = (examined.public_url.as_ref()?, examined.http.as_ref()?);
    (url.scheme() == "https" && http.trusted_proxies.0.is_empty()).then(|| {
        let message = "TRUSTED_PROXIES is empty, but some proxy must speak the https of PUBLIC_URL: all people \
                       share its address, and the limits of that";
        Finding::warning(CHECK, message, "set TRUSTED_PROXIES to the addresses from which the proxy connects")
    })
}

fn tools(examined: &Examined) -> Option<Finding> {
    let (url, http) = (examined.public_url.as_ref()?, examined.http.as_ref()?);
    let switched_on = match (http.graphql.graphiql, http.graphql.introspection) {
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
fn sandbox(examined: &Examined) -> Option<Finding> {
    let (public, api) = (examined.public_url.as_ref()?, examined.api_url.as_ref()?);
    (is_loopback(api) && !is_loopback(public)).then(|| {
        let message = "AUTHY_API_URL leads to this machine, and PUBLIC_URL does not: if a sandbox answers there, \
                       whoever reaches its page approves every login";
        Finding::warning(CHECK, message, "leave AUTHY_API_URL out: then it is Authy itself")
    })
}

fn metrics(examined: &Examined) -> Option<Finding> {
    let address = examined.metrics_listen?.ip().to_canonical();
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

fn threads(examined: &Examined) -> Option<Finding> {
    let threads = examined.passwords.threads;
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
        .any(|(memory, passes)| passwords.memory_kib >= *memory && passwords.passes >= *passes)
}

fn strength(examined: &Examined) -> Option<Finding> {
    let passwords = &examined.passwords;
    is_below_owasp_minimum(passwords).then(|| {
        let message = format!(
            "HASH_MEMORY_KIB {} with HASH_PASSES {} is weaker than OWASP asks for: stolen hashes are cheap to crack",
            passwords.memory_kib, passwords.passes
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
