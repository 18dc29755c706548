//! The settings of approvals, and of the sessions that they open.

use std::time::Duration;

use clap::{Args, value_parser};

use crate::model::{AfterDenial, parse_duration, parse_short_duration};

/// The settings of approvals, and of the sessions that they open.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Logins and sessions")]
pub struct ApprovalSettings {
    /// How long a login waits for its second factor.
    #[arg(long, env = "LOGIN_TTL", default_value = "10m", value_parser = parse_duration)]
    pub login_ttl: Duration,
    /// How long a session lasts.
    #[arg(long, env = "SESSION_TTL", default_value = "12h", value_parser = parse_duration)]
    pub session_ttl: Duration,
    /// How long a session lasts that is not used. Requests and operations count as use; pings and open sockets do not.
    #[arg(long, env = "SESSION_IDLE_TTL", default_value = "1h", value_parser = parse_duration)]
    pub session_idle_ttl: Duration,
    /// How long a browser is known after a login in it.
    #[arg(long, env = "DEVICE_TTL", default_value = "180d", value_parser = parse_duration)]
    pub device_ttl: Duration,
    /// How long one call to the provider may take. A whole mutation takes at most twice that.
    #[arg(long, env = "PROVIDER_TIMEOUT", default_value = "3s", value_parser = parse_short_duration)]
    pub provider_timeout: Duration,
    /// The pause between two codes of one login.
    #[arg(long, env = "RESEND_PAUSE", default_value = "30s", value_parser = parse_duration)]
    pub resend_pause: Duration,
    /// Which logins a code may still approve after the phone denied them: those from a `known_device`, all of them (`code`), or
    /// none (`final`). The code must be requested after the denial. A denied signup is always over.
    #[arg(long, env = "AFTER_DENIAL", default_value = "known_device", value_parser = after_denial)]
    pub after_denial: AfterDenial,
    /// Wrong codes that end a login.
    #[arg(long, env = "WRONG_CODES_PER_LOGIN", default_value_t = 5, value_parser = value_parser!(i32).range(1..=100))]
    pub wrong_codes_per_login: i32,
}

fn after_denial(text: &str) -> Result<AfterDenial, &'static str> {
    AfterDenial::parse(text).ok_or("must be `known_device`, `code` or `final`")
}
