//! The settings of the limits on started logins and app hints. Reasons for the defaults: `docs/BUDGETS.md`.

use clap::Args;

use super::values::rate;
use crate::{limits::LoginLimitSettings, model::Rate};

/// The flags that limit what a right password can start.
#[derive(Args, Debug)]
pub(super) struct LoginLimitArguments {
    /// Logins of one user that one network (IPv4 /24, IPv6 /64; a /56 four times, a /48 32 times as many) starts, known devices
    /// aside.
    #[arg(long, env = "STARTED_LOGINS_PER_USER_AND_NETWORK", default_value = "30/1h", value_parser = rate)]
    started_logins_per_user_and_network: Rate,
    /// Logins that one known device starts, instead of the limit above.
    #[arg(long, env = "STARTED_LOGINS_PER_DEVICE", default_value = "30/1h", value_parser = rate)]
    started_logins_per_device: Rate,
    /// Codes of one login that the provider did not judge, typed in one network; past that, growing pauses up to 60 s.
    #[arg(long, env = "UNJUDGED_CODES_PER_LOGIN_AND_NETWORK", default_value = "1/10m", value_parser = rate)]
    unjudged_codes_per_login_and_network: Rate,
    /// App hints ("open the app") for one login.
    #[arg(long, env = "APP_HINTS_PER_LOGIN", default_value = "5/1h", value_parser = rate)]
    app_hints_per_login: Rate,
    /// App hints to one phone for its users' logins, and for each known device.
    #[arg(long, env = "APP_HINTS_PER_PHONE", default_value = "20/1h", value_parser = rate)]
    app_hints_per_phone: Rate,
    /// App hints to one phone for all signups that name it from one network; three times as many for all networks.
    #[arg(long, env = "APP_HINTS_PER_UNVERIFIED_PHONE", default_value = "5/1h", value_parser = rate)]
    app_hints_per_unverified_phone: Rate,
}

impl LoginLimitArguments {
    pub(super) fn check(&self) -> LoginLimitSettings {
        LoginLimitSettings {
            started_logins_per_user_and_network: self.started_logins_per_user_and_network,
            started_logins_per_device: self.started_logins_per_device,
            unjudged_codes_per_login_and_network: self.unjudged_codes_per_login_and_network,
            app_hints_per_login: self.app_hints_per_login,
            app_hints_per_phone: self.app_hints_per_phone,
            app_hints_per_unverified_phone: self.app_hints_per_unverified_phone,
        }
    }
}
