//! The settings of all rate limits. `docs/BUDGETS.md` has the reasons for their defaults.

use std::{collections::HashSet, time::Duration};

use clap::{Args, value_parser};

use crate::model::{CountryCode, Growth, Rate};

/// Past what is free, each wrong password costs a little more time, and never more than a minute: that is as long as a
/// person can be kept waiting by others.
pub(super) const AFTER_WRONG_PASSWORDS: Growth =
    Growth { step: Duration::from_secs(5), longest: Duration::from_mins(1) };
/// The same where networks compete that have all guessed for one email: together with those that have not, at most 2,000 a day.
pub(super) const AFTER_WRONG_PASSWORDS_FOR_EMAIL: Growth =
    Growth { step: Duration::from_secs(5), longest: Duration::from_secs(90) };
/// How often a network may guess for one email before it counts as one that guesses: a person may mistype once. One of them
/// is back a day after the first.
pub(super) const FIRST_TRIES: Rate = Rate { count: 2, per: Duration::from_hours(48) };
/// A quarter of an hour between guesses leaves less than a hundred a day.
pub(super) const AFTER_WRONG_CODES: Growth =
    Growth { step: Duration::from_mins(1), longest: Duration::from_mins(15) };
/// Who keeps asking a phone that keeps saying no is not its owner: up to a day without another push.
pub(super) const AFTER_DENIALS: Growth =
    Growth { step: Duration::from_mins(10), longest: Duration::from_hours(24) };

/// Each code that the provider did not judge makes the pause before the next one longer, up to a minute.
pub(super) const AFTER_UNJUDGED_CODES: Growth =
    Growth { step: Duration::from_secs(5), longest: Duration::from_mins(1) };

/// The settings of all rate limits.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Rate limits")]
pub struct LimitSettings {
    /// Wrong passwords for one email from one network (IPv4 /24, IPv6 /64; a /56 four times, a /48 32 times as many). Past it,
    /// pauses grow up to 60 s. A right password counts while it is being compared.
    #[arg(long, env = "WRONG_PASSWORDS_PER_EMAIL_AND_NETWORK", default_value = "10/30m")]
    pub wrong_passwords_per_email_and_network: Rate,
    /// Wrong passwords from one address (of IPv6 a /56; a /64 a quarter, a /48 eight times as many), for all emails. Past it,
    /// pauses grow up to 60 s.
    #[arg(long, env = "WRONG_PASSWORDS_PER_ADDRESS", default_value = "100/1h")]
    pub wrong_passwords_per_address: Rate,
    /// Wrong passwords for one email, from all networks that have guessed for it twice within a day. Past it, pauses grow up to
    /// 90 s.
    #[arg(long, env = "WRONG_PASSWORDS_PER_EMAIL", default_value = "20/1h")]
    pub wrong_passwords_per_email: Rate,
    /// Wrong passwords for one email, from all other networks (IPv4 /24, IPv6 /48). Past it, they share the limit of those that
    /// have guessed.
    #[arg(long, env = "WRONG_PASSWORDS_PER_EMAIL_FROM_NEW_NETWORKS", default_value = "640/2d")]
    pub wrong_passwords_per_email_from_new_networks: Rate,
    /// Wrong passwords from one known device, instead of the four limits above. Past it, pauses grow up to 60 s.
    #[arg(long, env = "WRONG_PASSWORDS_PER_DEVICE", default_value = "10/30m")]
    pub wrong_passwords_per_device: Rate,
    /// Wrong passwords that one session may send to confirm operations. The last one ends the session.
    #[arg(long, env = "WRONG_PASSWORDS_PER_SESSION", default_value = "5/1d")]
    pub wrong_passwords_per_session: Rate,
    /// Wrong codes for one phone, over all logins of its users; as many from each known device. Past it, pauses grow up to 15
    /// minutes.
    #[arg(long, env = "WRONG_CODES_PER_PHONE", default_value = "10/5h")]
    pub wrong_codes_per_phone: Rate,
    /// Wrong codes for one phone, over all signups that name it from one network (IPv4 /24, IPv6 /48); three times as many from
    /// all networks. Past it, pauses grow up to 15 minutes.
    #[arg(long, env = "WRONG_CODES_PER_UNPROVEN_PHONE", default_value = "5/5h")]
    pub wrong_codes_per_unproven_phone: Rate,
    /// Codes sent for one login.
    #[arg(long, env = "CODES_PER_LOGIN", default_value = "5/1h")]
    pub codes_per_login: Rate,
    /// Codes sent to one phone for the logins of its users; as many for each known device.
    #[arg(long, env = "CODES_PER_PHONE", default_value = "10/1h")]
    pub codes_per_phone: Rate,
    /// The same as `CODES_PER_PHONE`, over a longer time.
    #[arg(long, env = "CODES_PER_PHONE_DAILY", default_value = "30/1d")]
    pub codes_per_phone_daily: Rate,
    /// Codes sent to one phone for all signups that name it from one network (IPv4 /24, IPv6 /48); three times as many for all
    /// networks.
    #[arg(long, env = "CODES_PER_UNPROVEN_PHONE", default_value = "5/1h")]
    pub codes_per_unproven_phone: Rate,
    /// The same as `CODES_PER_UNPROVEN_PHONE`, over a longer time.
    #[arg(long, env = "CODES_PER_UNPROVEN_PHONE_DAILY", default_value = "10/1d")]
    pub codes_per_unproven_phone_daily: Rate,
    /// Codes sent to all phones of one calling code.
    #[arg(long, env = "CODES_PER_CALLING_CODE", default_value = "500/1h")]
    pub codes_per_calling_code: Rate,
    /// Codes sent to all phones.
    #[arg(long, env = "CODES_FOR_ALL", default_value = "2000/1h")]
    pub codes_for_all: Rate,
    /// The share of the two limits above that unverified phones may use, in percent. The rest is reserved for verified phones.
    #[arg(long, env = "UNPROVEN_SHARE", default_value_t = 50, value_parser = value_parser!(u32).range(1..=100))]
    pub unproven_share: u32,
    /// The part of `UNPROVEN_SHARE` that one network (IPv4 /24, IPv6 /48) may use, in percent.
    #[arg(long, env = "UNVERIFIED_NETWORK_SHARE", default_value_t = 8, value_parser = value_parser!(u32).range(1..=100))]
    pub unverified_network_share: u32,
    /// Well-formed attempts to sign up from one address (of IPv6 a /64; a /56 four times, a /48 32 times as many), whatever
    /// their result. They are charged before a password is judged.
    #[arg(long, env = "SIGNUP_ATTEMPTS_PER_ADDRESS", default_value = "60/1h")]
    pub signup_attempts_per_address: Rate,
    /// Signups from one address (of IPv6 a /64; a /56 four times, a /48 32 times as many).
    #[arg(long, env = "SIGNUPS_PER_ADDRESS", default_value = "20/1h")]
    pub signups_per_address: Rate,
    /// Signups that name one phone, from one network (IPv4 /24, IPv6 /64; a /56 four times, a /48 32 times as many).
    #[arg(long, env = "SIGNUPS_PER_PHONE_AND_NETWORK", default_value = "10/1h")]
    pub signups_per_phone_and_network: Rate,
    /// Pushes to one phone for the logins of its users; as many for each known device. Past it, logins ask for a code.
    #[arg(long, env = "PUSHES_PER_PHONE", default_value = "20/1h")]
    pub pushes_per_phone: Rate,
    /// Pushes to one phone for all signups that name it from one network (IPv4 /24, IPv6 /48); three times as many for all
    /// networks. Past it, signups ask for a code.
    #[arg(long, env = "PUSHES_PER_UNPROVEN_PHONE", default_value = "5/1h")]
    pub pushes_per_unproven_phone: Rate,
    /// Pushes that one phone may have open at once. Past it, a login asks for a code. Signups leave one of several to users.
    #[arg(long, env = "OPEN_PUSHES_PER_PHONE", default_value_t = 2, value_parser = value_parser!(i32).range(2..=100))]
    pub open_pushes_per_phone: i32,
    /// Open pushes that known devices may have beside `OPEN_PUSHES_PER_PHONE`.
    #[arg(long, env = "OPEN_PUSHES_FOR_DEVICES", default_value_t = 1, value_parser = value_parser!(i32).range(1..=100))]
    pub open_pushes_for_devices: i32,
    /// Pushes that one phone has denied to one network, and to each known device. Past it, logins from there ask for a code, for
    /// a time that grows from 10 minutes to a day.
    #[arg(long, env = "DENIALS_PER_PHONE_AND_NETWORK", default_value = "3/1d")]
    pub denials_per_phone_and_network: Rate,
    /// Pushes that one phone has denied to all networks. Past it, logins ask for a code, except from known devices.
    #[arg(long, env = "DENIALS_PER_PHONE", default_value = "6/1d")]
    pub denials_per_phone: Rate,
    /// Limits on started logins and app hints.
    #[command(flatten)]
    pub logins: LoginLimitSettings,
    /// Calling codes whose phones may sign up, separated by commas: `1,44` [default: all].
    #[arg(long, env = "ALLOWED_CALLING_CODES", default_value = "", hide_default_value = true, value_parser = calling_codes)]
    pub allowed_calling_codes: HashSet<String>,
    /// Calling codes whose phones may not sign up, separated by commas. Default: satellite and premium-rate codes, which belong
    /// to no country.
    #[arg(long, env = "REFUSED_CALLING_CODES", default_value = "870,878,881,882,883,888,979", value_parser = calling_codes)]
    pub refused_calling_codes: HashSet<String>,
    /// The share of the codes sent to unverified phones of a calling code within a day that must be typed, in percent. Below it,
    /// such phones have a tenth of their share, except from networks whose own codes are typed.
    #[arg(long, env = "RETURNED_CODES", default_value_t = 20, value_parser = value_parser!(u32).range(1..=100))]
    pub returned_codes: u32,
    /// How many codes are sent to a calling code before `RETURNED_CODES` applies.
    #[arg(long, env = "RETURNED_CODES_SAMPLE", default_value_t = 100, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub returned_codes_sample: u32,
}

/// The settings of the limits on started logins and app hints.
#[derive(Args, Clone, Copy, Debug)]
pub struct LoginLimitSettings {
    /// Logins that one network (IPv4 /24, IPv6 /64; a /56 four times, a /48 32 times as many) starts for one user, known devices
    /// aside.
    #[arg(long, env = "STARTED_LOGINS_PER_USER_AND_NETWORK", default_value = "30/1h")]
    pub started_logins_per_user_and_network: Rate,
    /// Logins that one known device starts, instead of the limit above.
    #[arg(long, env = "STARTED_LOGINS_PER_DEVICE", default_value = "30/1h")]
    pub started_logins_per_device: Rate,
    /// Codes of one login from one network that the provider did not judge. Past it, pauses grow up to 60 s.
    #[arg(long, env = "UNJUDGED_CODES_PER_LOGIN_AND_NETWORK", default_value = "1/10m")]
    pub unjudged_codes_per_login_and_network: Rate,
    /// App hints ("open the app") for one login. They cost no message and still notify a person.
    #[arg(long, env = "APP_HINTS_PER_LOGIN", default_value = "5/1h")]
    pub app_hints_per_login: Rate,
    /// App hints to one phone for the logins of its users; as many for each known device.
    #[arg(long, env = "APP_HINTS_PER_PHONE", default_value = "20/1h")]
    pub app_hints_per_phone: Rate,
    /// App hints to one phone for all signups that name it from one network; three times as many for all networks.
    #[arg(long, env = "APP_HINTS_PER_UNVERIFIED_PHONE", default_value = "5/1h")]
    pub app_hints_per_unverified_phone: Rate,
}

/// Parses calling codes separated by commas, with or without a plus: `1,+44`. Empty text is no code.
fn calling_codes(text: &str) -> Result<HashSet<String>, String> {
    let codes = text.split(',').map(str::trim).filter(|code| !code.is_empty());
    let digits = |code| {
        CountryCode::parse(code)
            .map(|code| code.digits().to_owned())
            .map_err(|_| format!("holds {code}, which is no country's calling code"))
    };
    codes.map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calling_codes_are_those_that_some_country_has() {
        assert_eq!(calling_codes(" +44, 1,"), Ok(HashSet::from(["44".to_owned(), "1".to_owned()])));
        assert_eq!(calling_codes(""), Ok(HashSet::new()));
        assert!(calling_codes("999").is_err() && calling_codes("1,GB").is_err());
    }
}
