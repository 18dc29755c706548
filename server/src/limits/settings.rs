//! What all budgets are set to. The defaults stand with the settings, and their reasons in `docs/BUDGETS.md`.

use std::{collections::HashSet, time::Duration};

use super::LoginLimitSettings;
use crate::model::{Growth, Rate};

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

/// All budgets.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// Wrong passwords for one email from one network.
    pub wrong_passwords_per_email_and_network: Rate,
    /// Wrong passwords from one address, for whatever emails.
    pub wrong_passwords_per_address: Rate,
    /// Wrong passwords for one email, from all networks that have guessed for it within a day.
    pub wrong_passwords_per_email: Rate,
    /// Wrong passwords for one email, from all networks that have not.
    pub wrong_passwords_per_email_from_new_networks: Rate,
    /// Wrong passwords from one known device, in place of all the others.
    pub wrong_passwords_per_device: Rate,
    /// Wrong codes for one phone, over all its users' logins; as many from each known device.
    pub wrong_codes_per_phone: Rate,
    /// Wrong codes for one phone over all signups that name it from one network; three times as many from all networks.
    pub wrong_codes_per_unproven_phone: Rate,
    /// Codes sent for one login.
    pub codes_per_login: Rate,
    /// Codes sent to one phone, for its users' logins; as many for each known device.
    pub codes_per_phone: Rate,
    /// The same, over a longer time.
    pub codes_per_phone_daily: Rate,
    /// Codes sent to one phone, for all signups that name it from one network; three times as many for all networks.
    pub codes_per_unproven_phone: Rate,
    /// The same, over a longer time.
    pub codes_per_unproven_phone_daily: Rate,
    /// Codes sent to all phones of one calling code.
    pub codes_per_calling_code: Rate,
    /// Codes sent to all phones.
    pub codes_for_all: Rate,
    /// How much of these two unproven phones may have, in percent; the rest is kept for proven ones.
    pub unproven_share: u32,
    /// How much of that part one network may have, in percent.
    pub unverified_network_share: u32,
    /// Forms of a valid shape that one address sends to sign up, whatever becomes of them.
    pub signup_attempts_per_address: Rate,
    /// Signups from one address.
    pub signups_per_address: Rate,
    /// Signups that name one phone, from one network.
    pub signups_per_phone_and_network: Rate,
    /// Pushes to one phone, for its users' logins; as many for each known device.
    pub pushes_per_phone: Rate,
    /// Pushes to one phone, for all signups that name it from one network; three times as many for all networks.
    pub pushes_per_unproven_phone: Rate,
    /// Pushes that one phone may have open at once.
    pub open_pushes_per_phone: i32,
    /// How many more for known devices.
    pub open_pushes_for_devices: i32,
    /// Pushes that one phone has denied to one network; as many to each known device.
    pub denials_per_phone_and_network: Rate,
    /// Pushes that one phone has denied to all networks, known devices aside.
    pub denials_per_phone: Rate,
    /// Started logins and app hints.
    pub logins: LoginLimitSettings,
    /// The calling codes of which people may sign up; empty: all.
    pub allowed_calling_codes: HashSet<String>,
    /// The calling codes of which nobody may.
    pub refused_calling_codes: HashSet<String>,
    /// Of the codes sent to unproven phones of a calling code, how many must come back, in percent.
    pub returned_codes: u32,
    /// How many must have been sent within a day before that is asked.
    pub returned_codes_sample: u32,
}
