//! The settings of all budgets. Why each default is what it is stands in `docs/BUDGETS.md`.

use clap::Args;

use super::{
    login_limits::LoginLimitArguments,
    values::{CallingCodes, rate},
};
use crate::{limits::LimitSettings, model::Rate};

/// The flags that say how often what may be done. `5/1h` is five at once, and as many again, evenly, in each hour.
#[derive(Args, Debug)]
pub(super) struct LimitArguments {
    /// Wrong passwords for one email from one network (IPv4 /24, IPv6 /64; a /56 four times, a /48 32 times as many); past that,
    /// growing pauses up to 60 s. A right one counts as long as it is being compared.
    #[arg(long, env = "WRONG_PASSWORDS_PER_EMAIL_AND_NETWORK", default_value = "10/30m", value_parser = rate)]
    wrong_passwords_per_email_and_network: Rate,
    /// Wrong passwords from one address (of IPv6 a /56; a /64 a quarter, a /48 eight times as many), for whatever emails; past
    /// that, growing pauses up to 60 s [default: 100/1h; in `dev` 10000/1h].
    #[arg(long, env = "WRONG_PASSWORDS_PER_ADDRESS", value_parser = rate)]
    wrong_passwords_per_address: Option<Rate>,
    /// Wrong passwords for one email, from all networks that have guessed for it twice within a day; past that, growing pauses
    /// up to 90 s.
    #[arg(long, env = "WRONG_PASSWORDS_PER_EMAIL", default_value = "20/1h", value_parser = rate)]
    wrong_passwords_per_email: Rate,
    /// Wrong passwords for one email, from all networks (IPv4 /24, IPv6 /48) that have not; past that, they share the limit of
    /// the others.
    #[arg(long, env = "WRONG_PASSWORDS_PER_EMAIL_FROM_NEW_NETWORKS", default_value = "640/2d", value_parser = rate)]
    wrong_passwords_per_email_from_new_networks: Rate,
    /// Wrong passwords from one known device, in place of the four above; past that, growing pauses up to 60 s.
    #[arg(long, env = "WRONG_PASSWORDS_PER_DEVICE", default_value = "10/30m", value_parser = rate)]
    wrong_passwords_per_device: Rate,
    /// Wrong codes for one phone over all its users' logins, and from each known device; past that, growing pauses up to 15
    /// minutes.
    #[arg(long, env = "WRONG_CODES_PER_PHONE", default_value = "10/5h", value_parser = rate)]
    wrong_codes_per_phone: Rate,
    /// Wrong codes for one phone over all signups that name it from one network (IPv4 /24, IPv6 /48), three times as many from
    /// all; past that, growing pauses up to 15 minutes.
    #[arg(long, env = "WRONG_CODES_PER_UNPROVEN_PHONE", default_value = "5/5h", value_parser = rate)]
    wrong_codes_per_unproven_phone: Rate,
    /// Codes sent for one login.
    #[arg(long, env = "CODES_PER_LOGIN", default_value = "5/1h", value_parser = rate)]
    codes_per_login: Rate,
    /// Codes sent to one phone for its users' logins, and for each known device.
    #[arg(long, env = "CODES_PER_PHONE", default_value = "10/1h", value_parser = rate)]
    codes_per_phone: Rate,
    /// The same, over a longer time.
    #[arg(long, env = "CODES_PER_PHONE_DAILY", default_value = "30/1d", value_parser = rate)]
    codes_per_phone_daily: Rate,
    /// Codes sent to one phone for all signups that name it from one network (IPv4 /24, IPv6 /48); three times as many for all
    /// networks.
    #[arg(long, env = "CODES_PER_UNPROVEN_PHONE", default_value = "5/1h", value_parser = rate)]
    codes_per_unproven_phone: Rate,
    /// The same, over a longer time.
    #[arg(long, env = "CODES_PER_UNPROVEN_PHONE_DAILY", default_value = "10/1d", value_parser = rate)]
    codes_per_unproven_phone_daily: Rate,
    /// Codes sent to all phones of one calling code [default: 500/1h; in `dev`, where they cost nothing, 100000/1h].
    #[arg(long, env = "CODES_PER_CALLING_CODE", value_parser = rate)]
    codes_per_calling_code: Option<Rate>,
    /// Codes sent to all phones [default: 2000/1h; in `dev` 100000/1h].
    #[arg(long, env = "CODES_FOR_ALL", value_parser = rate)]
    codes_for_all: Option<Rate>,
    /// How much of these two phones may have that nobody has proven, in percent; the rest is kept for the others.
    #[arg(long, env = "UNPROVEN_SHARE", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    unproven_share: u32,
    /// How much of that share one network (IPv4 /24, IPv6 /48) may have, in percent.
    #[arg(long, env = "UNVERIFIED_NETWORK_SHARE", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    unverified_network_share: u32,
    /// Well-formed attempts to sign up from one address (of IPv6 a /64; a /56 four times, a /48 32 times as many), whatever becomes
    /// of them [default: 60/1h; in `dev` 100000/1h].
    #[arg(long, env = "SIGNUP_ATTEMPTS_PER_ADDRESS", value_parser = rate)]
    signup_attempts_per_address: Option<Rate>,
    /// Signups from one address (of IPv6 a /64; a /56 four times, a /48 32 times as many) [default: 20/1h; in `dev` 10000/1h].
    #[arg(long, env = "SIGNUPS_PER_ADDRESS", value_parser = rate)]
    signups_per_address: Option<Rate>,
    /// Signups that name one phone, from one network (IPv4 /24, IPv6 /64; a /56 four times, a /48 32 times as many).
    #[arg(long, env = "SIGNUPS_PER_PHONE_AND_NETWORK", default_value = "10/1h", value_parser = rate)]
    signups_per_phone_and_network: Rate,
    /// Pushes to one phone for its users' logins, and for each known device; past that, logins ask for a code.
    #[arg(long, env = "PUSHES_PER_PHONE", default_value = "20/1h", value_parser = rate)]
    pushes_per_phone: Rate,
    /// Pushes to one phone for all signups that name it from one network (IPv4 /24, IPv6 /48), three times as many for all
    /// networks; past that, they ask for a code.
    #[arg(long, env = "PUSHES_PER_UNPROVEN_PHONE", default_value = "5/1h", value_parser = rate)]
    pushes_per_unproven_phone: Rate,
    /// Pushes that one phone may have open at once; a further login asks for a code. Of several, signups leave one to users.
    #[arg(long, env = "OPEN_PUSHES_PER_PHONE", default_value_t = 2, value_parser = clap::value_parser!(i32).range(2..=100))]
    open_pushes_per_phone: i32,
    /// How many more for known devices.
    #[arg(long, env = "OPEN_PUSHES_FOR_DEVICES", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    open_pushes_for_devices: i32,
    /// Pushes that one phone has denied to one network, and to each known device; past that, logins from there ask for a
    /// code, for a time that grows from 10 minutes to a day.
    #[arg(long, env = "DENIALS_PER_PHONE_AND_NETWORK", default_value = "3/1d", value_parser = rate)]
    denials_per_phone_and_network: Rate,
    /// Pushes that one phone has denied to all networks; past that, logins ask for a code but from known devices.
    #[arg(long, env = "DENIALS_PER_PHONE", default_value = "6/1d", value_parser = rate)]
    denials_per_phone: Rate,
    #[command(flatten)]
    logins: LoginLimitArguments,
    /// The calling codes of which people may sign up, with commas: `1,44` [default: all].
    #[arg(long, env = "ALLOWED_CALLING_CODES", default_value = "")]
    allowed_calling_codes: CallingCodes,
    /// The calling codes of which nobody may sign up, with commas. Those that are refused unless something is said are
    /// satellites' and premium rates, and no country's.
    #[arg(long, env = "REFUSED_CALLING_CODES", default_value = "870,878,881,882,883,888,979")]
    refused_calling_codes: CallingCodes,
    /// Of the codes sent within a day to unproven phones of a calling code, how many must come back, in percent; below that,
    /// such phones have a tenth of their share, except from networks whose own codes come back.
    #[arg(long, env = "RETURNED_CODES", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    returned_codes: u32,
    /// How many must have been sent before that is asked [default: 100; in `dev` 100000].
    #[arg(long, env = "RETURNED_CODES_SAMPLE", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    returned_codes_sample: Option<u32>,
}

/// What is another in `dev`, where everybody comes from one address and messages cost nothing.
struct Defaults {
    per_address: u32,
    signup_attempts: u32,
    signups: u32,
    per_calling_code: u32,
    for_all: u32,
    sample: u32,
}

impl LimitArguments {
    /// For a service that the world reaches.
    pub(super) fn check_public(self) -> LimitSettings {
        self.check(&Defaults {
            per_address: 100,
            signup_attempts: 60,
            signups: 20,
            per_calling_code: 500,
            for_all: 2_000,
            sample: 100,
        })
    }

    /// For a service that only this machine reaches.
    #[cfg(feature = "sandbox")]
    pub(super) fn check_local(self) -> LimitSettings {
        self.check(&Defaults {
            per_address: 10_000,
            signup_attempts: 100_000,
            signups: 10_000,
            per_calling_code: 100_000,
            for_all: 100_000,
            sample: 100_000,
        })
    }

    fn check(self, defaults: &Defaults) -> LimitSettings {
        let hourly = |count| Rate { count, per: std::time::Duration::from_hours(1) };
        LimitSettings {
            wrong_passwords_per_email_and_network: self.wrong_passwords_per_email_and_network,
            wrong_passwords_per_address: self
                .wrong_passwords_per_address
                .unwrap_or_else(|| hourly(defaults.per_address)),
            wrong_passwords_per_email: self.wrong_passwords_per_email,
            wrong_passwords_per_email_from_new_networks: self.wrong_passwords_per_email_from_new_networks,
            wrong_passwords_per_device: self.wrong_passwords_per_device,
            wrong_codes_per_phone: self.wrong_codes_per_phone,
            wrong_codes_per_unproven_phone: self.wrong_codes_per_unproven_phone,
            codes_per_login: self.codes_per_login,
            codes_per_phone: self.codes_per_phone,
            codes_per_phone_daily: self.codes_per_phone_daily,
            codes_per_unproven_phone: self.codes_per_unproven_phone,
            codes_per_unproven_phone_daily: self.codes_per_unproven_phone_daily,
            codes_per_calling_code: self
                .codes_per_calling_code
                .unwrap_or_else(|| hourly(defaults.per_calling_code)),
            codes_for_all: self.codes_for_all.unwrap_or_else(|| hourly(defaults.for_all)),
            unproven_share: self.unproven_share,
            unverified_network_share: self.unverified_network_share,
            signup_attempts_per_address: self
                .signup_attempts_per_address
                .unwrap_or_else(|| hourly(defaults.signup_attempts)),
            signups_per_address: self.signups_per_address.unwrap_or_else(|| hourly(defaults.signups)),
            signups_per_phone_and_network: self.signups_per_phone_and_network,
            pushes_per_phone: self.pushes_per_phone,
            pushes_per_unproven_phone: self.pushes_per_unproven_phone,
            open_pushes_per_phone: self.open_pushes_per_phone,
            open_pushes_for_devices: self.open_pushes_for_devices,
            denials_per_phone_and_network: self.denials_per_phone_and_network,
            denials_per_phone: self.denials_per_phone,
            logins: self.logins.check(),
            allowed_calling_codes: self.allowed_calling_codes.0,
            refused_calling_codes: self.refused_calling_codes.0,
            returned_codes: self.returned_codes,
            returned_codes_sample: self.returned_codes_sample.unwrap_or(defaults.sample),
        }
    }
}
