//! Rate limits by network: what a home line, a carrier and thousands of strangers' networks get, and that the owner gets in.
//!
//! Told to the limits alone, with the clock moved: no password is hashed, and no message sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::Parser;
use countersign::{
    clock::Clock,
    config::{self, Arguments, Task},
    limits::{LimitError, LimitSettings, Limits, LoginClaims, PhoneUse, Standing, network},
};

use super::*;

/// Networks of strangers, and of owners who come from a new one each time.
const STRANGERS: u8 = 10;
const OWNERS: u8 = 11;
const DAY: Duration = Duration::from_hours(24);

/// Settings of `serve`: the defaults, and these arguments.
fn limits_with(more: &str) -> LimitSettings {
    let line = "countersign serve --database-url sqlite:x --public-url https://x.example --authy-api-key key-0123456789";
    let arguments = Arguments::try_parse_from(line.split(' ').chain(more.split_whitespace())).unwrap();
    match config::check(arguments).unwrap().task {
        Task::Serve(settings) => settings.limits,
        other => panic!("{other:?}"),
    }
}

struct Limited {
    limits: Limits,
    clock: Clock,
}

impl Limited {
    fn new(database: &Database, more: &str) -> Self {
        let clock = Clock::system();
        let limits = Limits::new(database.store.clone(), clock.clone(), limits_with(more));
        Self { limits, clock }
    }

    /// A wrong password; otherwise how long to wait.
    async fn guess(&self, email: &str, from: IpAddr) -> Result<(), Duration> {
        retry_after(self.limits.take_password_try(email, Some(from), None).await).map(drop)
    }

    /// A right password; otherwise how long to wait.
    async fn log_in(&self, email: &str, from: IpAddr, device: Option<DeviceId>) -> Result<(), Duration> {
        let grant = retry_after(self.limits.take_password_try(email, Some(from), device).await)?;
        self.limits.give_back(grant).await;
        Ok(())
    }

    /// How many of so many different emails can be guessed for from one address.
    async fn spray(&self, from: IpAddr, at_most: usize) -> usize {
        let mut judged = 0;
        while judged < at_most {
            let email = format!("{}@example.com", u64::from_le_bytes(random::bytes()));
            if self.guess(&email, from).await.is_err() {
                break;
            }
            judged += 1;
        }
        judged
    }

    /// Whether a code may be sent to a phone that nobody has verified, for a signup from this address.
    async fn sends(&self, phone: &Phone, from: IpAddr) -> bool {
        let network = network(from);
        let login = ApprovalId::new(random::id(self.clock.now()));
        retry_after(self.limits.take_code(login, unverified(phone, &network)).await).is_ok()
    }

    /// Codes to newcomers from this address that never come back.
    async fn pump(&self, from: IpAddr, times: usize) {
        let network = network(from);
        for _ in 0..times {
            self.limits.record_code_sent(unverified(&british(), &network), true).await.unwrap();
        }
    }

    /// Of ten newcomers, each from a network of their own, how many are sent a code.
    async fn newcomers(&self, first_network: u16) -> usize {
        let mut sent = 0;
        for number in 0..10 {
            sent += usize::from(self.sends(&british(), ipv4(OWNERS, first_network + number)).await);
        }
        sent
    }
}

fn retry_after<T>(taken: Result<T, LimitError>) -> Result<T, Duration> {
    taken.map_err(|error| match error {
        LimitError::UsedUp { retry_after } => retry_after,
        LimitError::Store(error) => panic!("{error}"),
    })
}

fn unverified<'a>(phone: &'a Phone, network: &'a str) -> PhoneUse<'a> {
    PhoneUse { phone, standing: Standing::Unproven, network: Some(network) }
}

fn british() -> Phone {
    let number = 400_000_000 + u64::from_le_bytes(random::bytes()) % 99_999_999;
    Phone::from_e164(&format!("+447{number}")).unwrap()
}

/// Prints what was measured.
#[expect(clippy::print_stdout, reason = "for whoever runs the tests with --nocapture")]
fn report(measured: &str) {
    println!("{measured}");
}

/// One address of each /24, the first 256 of which lie in a /16 each.
fn ipv4(kind: u8, network: u16) -> IpAddr {
    let [high, low] = network.to_be_bytes();
    Ipv4Addr::new(kind, low, high, 7).into()
}

/// One address of each /48 of one provider.
fn site(number: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 7).into()
}

/// One address of each /64 of one /48.
fn ipv6(line: u8, lan: u8) -> IpAddr {
    let segment = u16::from_be_bytes([line, lan]);
    Ipv6Addr::new(0x2001, 0xdb8, 1, segment, 0, 0, 0, 7).into()
}

/// How many rows a database has that says what is used up. They are gone afterwards.
async fn remove_rows(database: &Database) -> usize {
    let later = Clock::system().now() + TimeDelta::days(3);
    database.store.remove_full_budgets(None, later, 1_000).await.unwrap().removed
}

async fn an_attempt_takes_few_rows(database: &Database) {
    let limited = Limited::new(database, "");
    let (ipv4, ipv6, device) = (ipv4(OWNERS, 1), ipv6(0, 1), DeviceId::new(random::id(database.now)));
    let mut rows = Vec::new();
    for (from, device) in [(ipv4, None), (ipv6, None), (ipv6, Some(device))] {
        let taken = limited.limits.take_password_try("ada@example.com", Some(from), device).await;
        drop(retry_after(taken).unwrap());
        rows.push(remove_rows(database).await);
    }
    for from in [ipv4, ipv6] {
        drop(retry_after(limited.limits.take_signup(&british(), Some(from)).await).unwrap());
        rows.push(remove_rows(database).await);
        assert!(limited.sends(&british(), from).await);
        rows.push(remove_rows(database).await);
    }
    report(&format!(
        "rows in one transaction: a password by IPv4 {}, IPv6 {}, known device {}; a signup and its code by IPv4 {} and {}, \
         by IPv6 {} and {}",
        rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
    ));
    assert_eq!(rows, [5, 9, 1, 2, 11, 6, 11]);
}

async fn a_home_line_guesses_as_often_as_one_address_does(database: &Database) {
    let limited = Limited::new(database, "");
    let begun_at = limited.clock.now();
    let address = limited.spray(ipv4(STRANGERS, 1), 500).await;
    let mut line = Vec::new();
    for lan in 0..=255 {
        line.push(limited.spray(ipv6(0, lan), 500).await);
    }
    let four: usize = line[..4].iter().sum();
    let all: usize = line.iter().sum();
    report(&format!("wrong passwords at once: an IPv4 address {address}, four /64 {four}, a /56 {all}"));
    // One more is there after five seconds.
    let more = usize::try_from((limited.clock.now() - begun_at).num_seconds() / 5).unwrap() + 1;
    assert!((100..=100 + more).contains(&address), "{address}");
    assert!((25..=25 + more).contains(&line[0]), "{line:?}");
    assert!((100..=100 + more).contains(&four), "{four}");
    assert!((100..=100 + more).contains(&all), "{all}");
    // On a known device, its owner gets in from that line all the same.
    let (email, device) = ("ada@example.com", DeviceId::new(random::id(database.now)));
    assert!(limited.log_in(email, ipv6(0, 3), None).await.is_err());
    assert_eq!(limited.log_in(email, ipv6(0, 3), Some(device)).await, Ok(()));
}

async fn a_site_guesses_thirty_two_times_as_often_as_one_lan(database: &Database) {
    let limited = Limited::new(database, "--wrong-passwords-per-address 8/1h");
    let begun_at = limited.clock.now();
    let mut all = 0;
    for line in 0..=255 {
        for lan in 0..4 {
            all += limited.spray(ipv6(line, lan), 500).await;
        }
    }
    // One LAN has two of eight.
    let more = usize::try_from((limited.clock.now() - begun_at).num_seconds() / 5).unwrap() + 1;
    assert!((64..=64 + more).contains(&all), "{all}");
    let elsewhere: IpAddr = "2001:db8:2::1".parse().unwrap();
    assert_eq!(limited.spray(elsewhere, 2).await, 2);
}

async fn one_home_line_does_not_lower_the_share_of_a_calling_code(database: &Database) {
    // Unverified phones have 20 of 40; at a low conversion two.
    let limited = Limited::new(database, "--codes-per-calling-code 40/1h");
    for lan in 0..6 {
        limited.pump(ipv6(0, lan), 25).await;
    }
    let counted = async || {
        let since = limited.clock.now() - TimeDelta::hours(24);
        let hours = database.store.code_returns_since("44", since).await.unwrap();
        hours.iter().map(|hour| hour.sent).sum::<i32>()
    };
    // Each /64 counts for 20, and the line for four times as many.
    assert!((80..=81).contains(&counted().await), "{}", counted().await);
    assert_eq!(limited.newcomers(0).await, 10);
    for line in 1..=9 {
        for lan in 0..4 {
            limited.pump(ipv6(line, lan), 20).await;
        }
    }
    // A site counts for 32 times as many, and then two of ten newcomers are sent a code, not none.
    assert!((640..=645).contains(&counted().await), "{}", counted().await);
    limited.clock.advance(Duration::from_hours(2));
    assert_eq!(limited.newcomers(100).await, 2);
    limited.clock.advance(DAY);
    assert_eq!(limited.newcomers(200).await, 10);
}

async fn a_network_whose_own_codes_come_back_keeps_its_share(database: &Database) {
    let limited = Limited::new(database, "--codes-per-calling-code 400/1h --returned-codes-sample 10");
    let honest = ipv4(OWNERS, 1_000);
    for _ in 0..3 {
        limited.pump(honest, 1).await;
        let network = network(honest);
        limited.limits.record_code_returned(unverified(&british(), &network)).await.unwrap();
    }
    for number in 0..30 {
        limited.pump(ipv4(STRANGERS, number), 2).await;
    }
    // Twenty of unverified phones' 200 are left.
    let mut newcomers = 0;
    while limited.sends(&british(), ipv4(OWNERS, newcomers)).await {
        newcomers += 1;
        assert!(newcomers <= 21, "the share did not fall");
    }
    assert!(newcomers >= 20, "{newcomers}");
    for _ in 0..5 {
        assert!(limited.sends(&british(), honest).await);
    }
}

async fn ten_networks_leave_codes_to_newcomers_from_others(database: &Database) {
    let limited = Limited::new(database, "");
    let mut taken = 0;
    for number in 0..10 {
        for _ in 0..30 {
            taken += usize::from(limited.sends(&british(), ipv4(STRANGERS, number)).await);
        }
    }
    report(&format!(
        "codes that ten networks got of the 250 of unverified phones of a calling code: {taken}"
    ));
    assert!(taken <= 210, "{taken}");
    assert_eq!(limited.newcomers(0).await, 10);
    // One site of IPv6 gets no more than one of IPv4 does.
    let mut site = 0;
    for line in 0..40 {
        site += usize::from(limited.sends(&british(), ipv6(line, 0)).await);
    }
    assert!(site <= 21, "{site}");
}

async fn strangers_who_name_a_phone_leave_codes_and_tries_to_its_owner(database: &Database) {
    let limited = Limited::new(database, "");
    let (phone, stranger, owner) = (british(), ipv4(STRANGERS, 1), ipv4(OWNERS, 1));
    let sign_up = async |from| retry_after(limited.limits.take_signup(&phone, Some(from)).await).is_ok();
    let mut signups = 0;
    while sign_up(stranger).await {
        signups += 1;
        limited.sends(&phone, stranger).await;
    }
    assert_eq!(signups, 10);
    let of_stranger = network(stranger);
    let guess = async |network: &str| {
        retry_after(limited.limits.take_code_try(unverified(&phone, network)).await).map(drop)
    };
    while guess(&of_stranger).await.is_ok() {}
    assert!(sign_up(owner).await && limited.sends(&phone, owner).await);
    assert_eq!(guess(&network(owner)).await, Ok(()));
    // From three networks, the phone has had enough messages: the signup starts all the same.
    for number in 2..4 {
        while limited.sends(&phone, ipv4(STRANGERS, number)).await {}
    }
    assert!(!limited.sends(&phone, ipv4(OWNERS, 2)).await);
    assert!(sign_up(ipv4(OWNERS, 2)).await);
}

async fn a_new_browser_gets_in_while_hundreds_of_networks_guess(database: &Database) {
    let limited = Limited::new(database, "");
    for networks in [3, 30, 300] {
        let email = format!("owner.{networks}@example.com");
        let guess_all = async |of: u16| {
            for number in 0..of {
                let from = ipv4(STRANGERS, number);
                while limited.guess(&email, from).await.is_ok() {}
            }
        };
        let mut tries = Vec::new();
        for hours in 0..=72 {
            // All of them at once when the first of theirs counts as new again, and a few without a pause.
            guess_all(if hours % 24 == 0 { networks } else { networks.min(3) }).await;
            if hours % 6 == 0 {
                let from = ipv4(OWNERS, networks + hours);
                let mut count = 1;
                while let Err(wait) = limited.log_in(&email, from, None).await {
                    limited.clock.advance(wait);
                    guess_all(networks.min(3)).await;
                    count += 1;
                    assert!(count <= 2, "{networks} networks keep the owner out after {hours} h");
                }
                tries.push(count);
            }
            limited.clock.advance(Duration::from_hours(1));
        }
        report(&format!("{networks} networks guess for three days: the owner needs {tries:?} tries"));
    }
}

async fn all_networks_of_one_provider_keep_no_new_browser_out(database: &Database) {
    let (limited, email) = (Limited::new(database, ""), "ada@example.com");
    let mut tries = Vec::new();
    for round in 0..4 {
        for number in 0..1_000 {
            while limited.guess(email, site(1_000 * round + number)).await.is_ok() {}
        }
        let owner = ipv4(OWNERS, round);
        tries.push(limited.log_in(email, owner, None).await.is_ok());
        limited.clock.advance(Duration::from_hours(24));
    }
    assert_eq!(tries, [true; 4]);
}

async fn a_person_who_mistypes_once_does_not_compete_with_strangers(database: &Database) {
    let (limited, email) = (Limited::new(database, ""), "ada@example.com");
    let exhaust = async || {
        let mut longest = Duration::ZERO;
        for number in 0..60 {
            // Two first tries, and one that competes with all who guess.
            for _ in 0..3 {
                let guessed = limited.guess(email, ipv4(STRANGERS, number)).await;
                if let Err(wait) = guessed
                    && longest < Duration::from_mins(1)
                {
                    limited.clock.advance(wait);
                    longest = longest.max(wait);
                }
            }
        }
    };
    exhaust().await;
    let owner = ipv4(OWNERS, 1);
    assert_eq!(limited.guess(email, owner).await, Ok(()));
    assert_eq!(limited.log_in(email, owner, None).await, Ok(()));
    assert_eq!(limited.guess(email, owner).await, Ok(()));
    // Now the network has guessed, and it has not once a day has passed.
    assert!(limited.guess(email, owner).await.is_err_and(|wait| wait <= Duration::from_secs(90)));
    limited.clock.advance(DAY);
    exhaust().await;
    assert_eq!(limited.log_in(email, owner, None).await, Ok(()));
}

async fn ten_thousand_networks_guess_for_one_email_at_most_2000_times_a_day(database: &Database) {
    let limited = Limited::new(database, "");
    let until = limited.clock.now() + TimeDelta::hours(24);
    let (mut network, mut judged) = (0, 0);
    while limited.clock.now() < until {
        let from = ipv4(STRANGERS, network % 10_000);
        network += 1;
        match limited.guess("ada@example.com", from).await {
            Ok(()) => judged += 1,
            // Exactly when told, and no later.
            Err(wait) => limited.clock.advance(wait),
        }
    }
    report(&format!("10,000 networks in a day: {judged} wrong passwords judged for one email"));
    assert!((1_500..=2_000).contains(&judged), "{judged}");
}

async fn a_login_tries_first_the_place_on_the_phone_that_is_free_as_far_as_is_known(database: &Database) {
    let limited = Limited::new(database, "");
    let (limits, now, phone) = (&limited.limits, limited.clock.now(), british());
    let to = PhoneUse { phone: &phone, standing: Standing::Proven, network: None };
    let claims = || limits.login_claims(None, to, true, now..now + TimeDelta::minutes(10));
    let (first, place) = (claims(), |claims: &LoginClaims| claims.place().unwrap().clone());
    let reserved = database.store.take_budgets(&first.takings().0, now).await.unwrap().unwrap();
    assert_eq!(limits.push_slot(&first, reserved, now).unwrap().key, place(&first));
    assert_ne!(place(&claims()), place(&first));
    limits.forget_place(&place(&first));
    assert_eq!(place(&claims()), place(&first));
}

on_both_databases! {
    afterwards every_query_used_an_index:
    a_login_tries_first_the_place_on_the_phone_that_is_free_as_far_as_is_known,
    an_attempt_takes_few_rows,
    a_home_line_guesses_as_often_as_one_address_does,
    a_site_guesses_thirty_two_times_as_often_as_one_lan,
    one_home_line_does_not_lower_the_share_of_a_calling_code,
    a_network_whose_own_codes_come_back_keeps_its_share,
    ten_networks_leave_codes_to_newcomers_from_others,
    strangers_who_name_a_phone_leave_codes_and_tries_to_its_owner,
    a_new_browser_gets_in_while_hundreds_of_networks_guess,
    all_networks_of_one_provider_keep_no_new_browser_out,
    a_person_who_mistypes_once_does_not_compete_with_strangers,
    ten_thousand_networks_guess_for_one_email_at_most_2000_times_a_day,
}
