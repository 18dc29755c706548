//! The clock, moved, suspended and misled.

use super::*;

const HOUR: TimeDelta = TimeDelta::hours(1);
const NOTHING: TimeDelta = TimeDelta::zero();

fn timeline() -> Timeline {
    let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    Timeline { since: Instant::now(), at, error: NOTHING, system: at }
}

/// The timeline that was measured so, `elapsed` later: the other clock has gained `there`, the system's clock `system`.
fn measured(timeline: &Timeline, elapsed: TimeDelta, there: TimeDelta, system: TimeDelta) -> Timeline {
    let now = timeline.since + elapsed.to_std().unwrap();
    timeline.follow(now, timeline.system + elapsed + system, timeline.at + elapsed + there, NOTHING)
}

fn after(timeline: &Timeline, elapsed: TimeDelta) -> TimeDelta {
    timeline.time(timeline.since + elapsed.to_std().unwrap()) - timeline.at
}

#[test]
fn times_have_microseconds_at_most() {
    assert_eq!(Clock::system().now().timestamp_subsec_nanos() % 1_000, 0);
}

#[test]
fn the_first_measurement_is_taken_over_at_once_whatever_the_system_says() {
    for error in [TimeDelta::seconds(-125), HOUR * 2] {
        let clock = Clock::with_system_error(error);
        let truth = Clock::system().now();
        assert_eq!(clock.follow(&measurement(truth)), Followed::AtOnce);
        assert!((clock.now() - Clock::system().now()).abs() < AGREES_WITHIN, "{error}");
        assert!((clock.system_time() - clock.now() - error).abs() < AGREES_WITHIN, "{error}");
    }
}

#[test]
fn a_database_whose_clock_jumps_is_followed_without_a_step() {
    for jump in [HOUR, -HOUR] {
        let clock = Clock::system();
        let truth = clock.now();
        assert_eq!(clock.follow(&measurement(truth)), Followed::AtOnce);
        let Followed::Slowly(error) = clock.follow(&measurement(truth + jump)) else { panic!("{jump}") };
        assert!((error - jump).abs() < AGREES_WITHIN, "{error}");
        assert!((clock.now() - truth).abs() < AGREES_WITHIN, "{jump}");
    }
}

fn measurement(at: DateTime<Utc>) -> Measurement {
    Measurement { at, read_at: Instant::now(), uncertainty: Duration::ZERO }
}

#[test]
fn an_error_is_made_good_by_half_of_the_time_that_passes() {
    let minute = TimeDelta::minutes(1);
    let behind = measured(&timeline(), minute, HOUR, NOTHING);
    assert_eq!(after(&behind, minute), minute * 3 / 2);
    assert_eq!(after(&behind, HOUR * 2), HOUR * 3);
    assert_eq!(after(&behind, HOUR * 5), HOUR * 6);
    let ahead = measured(&timeline(), minute, -HOUR, NOTHING);
    assert_eq!(after(&ahead, minute), minute / 2);
    assert_eq!(after(&ahead, HOUR * 2), HOUR);
    assert_eq!(after(&ahead, HOUR * 5), HOUR * 4);
}

#[test]
fn a_machine_that_was_suspended_has_the_right_time_at_once() {
    let minute = TimeDelta::minutes(1);
    let resumed = measured(&timeline(), minute, HOUR, HOUR);
    assert_eq!((resumed.at - timeline().at, resumed.error), (HOUR + minute, NOTHING));
    // What the system's clock does alone is nobody's time.
    let stepped = measured(&timeline(), minute, NOTHING, HOUR);
    assert_eq!((stepped.at - timeline().at, stepped.error), (minute, NOTHING));
}

#[test]
fn what_a_slow_answer_explains_is_no_error() {
    let (timeline, second) = (timeline(), TimeDelta::seconds(1));
    let (now, target) = (timeline.since, timeline.at + second);
    assert_eq!(timeline.follow(now, timeline.system, target, second).error, NOTHING);
    assert_eq!(timeline.follow(now, timeline.system, target, second / 2).error, second);
}

#[tokio::test]
async fn a_sleeper_wakes_when_the_clock_is_moved_past_its_deadline() {
    let clock = Clock::system();
    let deadline = clock.now() + TimeDelta::hours(1);
    let sleeper = clock.sleep_until(deadline);
    let ((), ()) = tokio::join!(sleeper, async { clock.advance(Duration::from_secs(3_601)) });
    assert!(clock.now() >= deadline);
}

#[tokio::test]
async fn a_sleeper_wakes_when_the_first_measurement_is_past_its_deadline() {
    let clock = Clock::with_system_error(-HOUR);
    let deadline = clock.now() + TimeDelta::minutes(30);
    let truth = Clock::system().now();
    let ((), followed) =
        tokio::join!(clock.sleep_until(deadline), async { clock.follow(&measurement(truth)) });
    assert_eq!(followed, Followed::AtOnce);
    assert!(clock.now() >= deadline);
}
