use super::*;

const PROBE: TimeDelta = TimeDelta::seconds(3);
const ASKED: Outcome = Outcome::TooMany(None);

/// A breaker and a clock that only the test moves.
struct Bench {
    breaker: Breaker,
    now: DateTime<Utc>,
}

impl Bench {
    fn new() -> Self {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Self { breaker: Breaker::new(None, PROBE), now }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    fn admit(&mut self, phone: &str, network: &str) -> Result<Permit, Refusal> {
        self.breaker.admit(Caller { phone, network }, self.now)
    }

    fn record(&mut self, permit: Permit, phone: &str, network: &str, outcome: Outcome) -> Option<Transition> {
        self.breaker.record(permit, Caller { phone, network }, outcome, self.now)
    }

    /// Makes a call with this outcome, if it is admitted.
    fn call(
        &mut self,
        phone: &str,
        network: &str,
        outcome: Outcome,
    ) -> Result<Option<Transition>, PauseScope> {
        let permit = self.admit(phone, network).map_err(|refusal| refusal.scope)?;
        Ok(self.record(permit, phone, network, outcome))
    }

    /// Opens the gate of all, with these failures of five phones in three networks.
    fn open(&mut self, outcome: Outcome) -> Option<Transition> {
        let mut last = None;
        for (phone, network) in [("1", "a"), ("2", "a"), ("3", "b"), ("4", "b"), ("5", "c")] {
            assert_eq!(last, None);
            last = self.call(phone, network, outcome).unwrap();
        }
        last
    }
}

#[test]
fn five_phones_in_three_networks_pause_all_calls() {
    for outcome in [ASKED, Outcome::Failed] {
        let mut bench = Bench::new();
        let until = bench.now + TimeDelta::seconds(5);
        assert_eq!(bench.open(outcome), Some(Transition::Opened { until, is_requested: false }));
        let refusal = bench.admit("other", "other").unwrap_err();
        assert_eq!(refusal, Refusal { retry_after: TimeDelta::seconds(5), scope: PauseScope::All });
    }
}

#[test]
fn fewer_phones_or_networks_pause_nobody_else() {
    let mut bench = Bench::new();
    for (phone, network) in [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")] {
        assert_eq!(bench.call(phone, network, ASKED), Ok(None));
    }
    assert!(bench.call("other", "other", Outcome::Answered).is_ok());
    let mut bench = Bench::new();
    for (phone, network) in [("1", "a"), ("2", "a"), ("3", "a"), ("4", "b"), ("5", "b"), ("6", "b")] {
        assert_eq!(bench.call(phone, network, Outcome::Failed), Ok(None));
    }
    assert!(bench.call("other", "other", Outcome::Answered).is_ok());
    let mut bench = Bench::new();
    for network in 0..50 {
        assert_eq!(bench.call("stranger", &network.to_string(), Outcome::Failed), Ok(None));
    }
    assert!(bench.call("other", "other", Outcome::Answered).is_ok());
}

#[test]
fn one_phone_at_429_for_an_hour_delays_no_other_phone() {
    for outcome in [
        Outcome::TooManyForPerson(None),
        Outcome::TooMany(None),
        Outcome::TooMany(Some(TimeDelta::hours(1))),
        Outcome::Failed,
    ] {
        let mut bench = Bench::new();
        let mut made = 0;
        for second in 0..3_600 {
            // From every network there is, and once a second.
            let network = format!("network {second}");
            made += usize::from(bench.call("stranger", &network, outcome).is_ok());
            assert_eq!(bench.call("owner", &network, Outcome::Answered), Ok(None), "{outcome:?}");
            bench.wait(1);
        }
        // Pauses of 5, 10, 20 … 300 seconds.
        assert!(outcome == Outcome::Failed || made < 20, "{made} calls, {outcome:?}");
    }
}

#[test]
fn answers_about_one_person_pause_no_other_however_many_there_are() {
    let mut bench = Bench::new();
    for number in 0..100 {
        let (phone, network) = (format!("phone {number}"), format!("network {number}"));
        assert_eq!(bench.call(&phone, &network, Outcome::TooManyForPerson(None)), Ok(None));
        assert_eq!(bench.call(&phone, &network, Outcome::Answered), Err(PauseScope::Phone));
    }
    assert!(bench.call("other", "network 1", Outcome::Answered).is_ok());
}

#[test]
fn a_success_between_failures_shows_that_they_are_not_about_all() {
    let mut bench = Bench::new();
    for round in 0..20 {
        for number in 0..4 {
            let (phone, network) = (format!("{round}-{number}"), format!("{number}"));
            assert_eq!(bench.call(&phone, &network, ASKED), Ok(None));
        }
        assert_eq!(bench.call("owner", "home", Outcome::Answered), Ok(None));
        for network in 0..4 {
            let _ = bench.call("owner", &network.to_string(), Outcome::Answered);
        }
    }
}

#[test]
fn failures_of_more_than_a_minute_ago_do_not_count() {
    let mut bench = Bench::new();
    for number in 0..50 {
        let (phone, network) = (number.to_string(), format!("{}", number % 7));
        assert_eq!(bench.call(&phone, &network, Outcome::Failed), Ok(None));
        bench.wait(16);
    }
}

#[test]
fn one_probe_is_made_and_its_success_ends_the_pause() {
    let mut bench = Bench::new();
    bench.open(ASKED);
    bench.wait(5);
    let probe = bench.admit("6", "d").unwrap();
    assert!(probe.is_probe());
    for number in 7..20 {
        let refusal = bench.admit(&number.to_string(), "e").unwrap_err();
        assert_eq!(refusal, Refusal { retry_after: PROBE, scope: PauseScope::All });
    }
    assert_eq!(bench.record(probe, "6", "d", Outcome::Answered), Some(Transition::Closed));
    assert!(!bench.admit("7", "e").unwrap().is_probe());
}

#[test]
fn each_failed_probe_doubles_the_pause_up_to_a_minute() {
    let mut bench = Bench::new();
    bench.open(Outcome::Failed);
    for (number, (paused, next)) in [(5, 10), (10, 20), (20, 40), (40, 60), (60, 60)].into_iter().enumerate()
    {
        bench.wait(paused - 1);
        assert_eq!(bench.call("probe", "p", Outcome::Failed), Err(PauseScope::All), "{number}");
        bench.wait(1);
        let phone = format!("probe {number}");
        let until = bench.now + TimeDelta::seconds(next);
        let opened = Some(Transition::Opened { until, is_requested: false });
        assert_eq!(bench.call(&phone, &phone, Outcome::Failed), Ok(opened));
    }
}

#[test]
fn a_probe_that_never_ends_is_replaced() {
    let mut bench = Bench::new();
    bench.open(Outcome::Failed);
    bench.wait(5);
    assert!(bench.admit("6", "d").unwrap().is_probe());
    bench.wait(3);
    assert!(bench.admit("7", "e").unwrap().is_probe());
}

#[test]
fn a_paused_phone_cannot_take_the_probe() {
    let mut bench = Bench::new();
    bench.call("stranger", "s", Outcome::TooManyForPerson(Some(TimeDelta::hours(1)))).unwrap();
    bench.open(Outcome::Failed);
    bench.wait(5);
    assert_eq!(bench.call("stranger", "s", ASKED), Err(PauseScope::Phone));
    assert!(bench.admit("owner", "home").unwrap().is_probe());
}

#[test]
fn five_phones_of_one_network_pause_that_network_alone() {
    let mut bench = Bench::new();
    let mut made = 0;
    for number in 0..60 {
        made += usize::from(bench.call(&format!("phone {number}"), "a", Outcome::Failed).is_ok());
    }
    assert_eq!(made, 5);
    let refusal = bench.admit("phone 60", "a").unwrap_err();
    assert_eq!(refusal, Refusal { retry_after: TimeDelta::seconds(5), scope: PauseScope::Network });
    assert!(bench.call("owner", "home", Outcome::Answered).is_ok());
    bench.wait(5);
    // One probe, and all is as before.
    let probe = bench.admit("phone 61", "a").unwrap();
    assert_eq!(bench.call("phone 62", "a", Outcome::Answered), Err(PauseScope::Network));
    bench.record(probe, "phone 61", "a", Outcome::Answered);
    assert!(bench.call("phone 62", "a", Outcome::Answered).is_ok());
}

#[test]
fn a_requested_pause_is_kept_to_the_second_and_for_an_hour_at_most() {
    for (requested, kept) in [(30, 30), (3_600, 3_600), (90_000, 3_600), (1, 5)] {
        let mut bench = Bench::new();
        let until = bench.now + TimeDelta::seconds(kept);
        let requested = Outcome::TooMany(Some(TimeDelta::seconds(requested)));
        assert_eq!(bench.open(requested), Some(Transition::Opened { until, is_requested: true }));
        let of_last = bench.admit("5", "c").unwrap_err();
        assert_eq!(of_last.retry_after, TimeDelta::seconds(kept));
        bench.wait(kept);
        assert!(bench.admit("owner", "home").unwrap().is_probe());
    }
}

#[test]
fn a_pause_that_another_instance_was_asked_for_is_kept_here_too() {
    let mut bench = Bench::new();
    let until = bench.now + TimeDelta::seconds(40);
    assert!(bench.breaker.pause_until(until, bench.now));
    assert!(!bench.breaker.pause_until(until, bench.now), "no news");
    let refusal = bench.admit("owner", "home").unwrap_err();
    assert_eq!((refusal.retry_after, refusal.scope), (TimeDelta::seconds(40), PauseScope::All));
    bench.wait(40);
    assert!(!bench.breaker.pause_until(until, bench.now), "it is over");
    let probe = bench.admit("owner", "home").unwrap();
    assert_eq!(bench.record(probe, "owner", "home", Outcome::Answered), Some(Transition::Closed));
    // A clock that is wrong cannot pause it for longer than an hour.
    bench.breaker.pause_until(bench.now + TimeDelta::days(400), bench.now);
    bench.wait(3_600);
    assert!(bench.admit("owner", "home").is_ok());
}

#[test]
fn a_probe_that_is_about_a_person_shows_that_the_provider_answers() {
    let mut bench = Bench::new();
    bench.open(Outcome::Failed);
    bench.wait(5);
    let closed = Ok(Some(Transition::Closed));
    assert_eq!(bench.call("stranger", "d", Outcome::TooManyForPerson(None)), closed);
}

#[test]
fn a_phones_probe_that_fails_for_all_says_nothing_about_the_phone() {
    let mut bench = Bench::new();
    bench.call("1", "a", ASKED).unwrap();
    bench.wait(5);
    bench.call("1", "a", Outcome::Failed).unwrap();
    assert!(bench.call("1", "a", Outcome::Answered).is_ok());
}

#[test]
fn no_pause_is_longer_than_the_cap() {
    let mut bench = Bench::new();
    bench.breaker = Breaker::new(Some(TimeDelta::seconds(20)), PROBE);
    bench.open(Outcome::TooMany(Some(TimeDelta::hours(1))));
    bench.wait(20);
    assert!(bench.admit("1", "a").unwrap().is_probe());
}

#[test]
fn millions_of_phones_take_bounded_memory() {
    let mut bench = Bench::new();
    for number in 0..30_000 {
        let phone = number.to_string();
        let _ = bench.call(&phone, &phone, Outcome::TooManyForPerson(None));
        bench.wait(i64::from(number % 10 == 0));
    }
    assert!(bench.breaker.phones.len() <= MOST_GATES && bench.breaker.networks.len() <= MOST_GATES);
}
