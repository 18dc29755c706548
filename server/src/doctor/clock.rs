//! What time it is here, and what others say that it is.
//!
//! With PostgreSQL, the service goes by the time of the database, so it is that which has to be right; the clock of this
//! machine is nobody's time then, and worth a warning at the most.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Finding, Status};

const CHECK: &str = "clock";
/// What a clock that is kept by nobody loses in a week.
const WORTH_A_LOOK: TimeDelta = TimeDelta::seconds(5);
/// Logins and codes are of another time.
const TOO_FAR: TimeDelta = TimeDelta::seconds(60);
/// Whose time is the service's.
pub(super) const DATABASE: &str = "the database";
const ADVICE: &str = "turn on NTP, here and there: `timedatectl set-ntp true`";

/// What time somebody else said that it was.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) by: &'static str,
    /// From when to when it may have been there.
    pub(super) there: (DateTime<Utc>, DateTime<Utc>),
    /// From when to when it was here: before asking and after the answer.
    pub(super) here: (DateTime<Utc>, DateTime<Utc>),
}

impl Told {
    /// By how much the clock here is ahead at least; behind where it is negative.
    fn ahead(&self) -> TimeDelta {
        let ahead = self.here.0 - self.there.1;
        let behind = self.there.0 - self.here.1;
        if ahead > TimeDelta::zero() {
            ahead
        } else if behind > TimeDelta::zero() {
            -behind
        } else {
            TimeDelta::zero()
        }
    }

    /// The same, as the clock of `other` would have seen it: by how much that one differs from the clock here is only known
    /// from when to when.
    fn seen_from(&self, other: &Self) -> Self {
        let least = other.there.0 - other.here.1;
        let most = other.there.1 - other.here.0;
        Self { by: self.by, there: self.there, here: (self.here.0 + least, self.here.1 + most) }
    }

    /// `whose` clock is compared, and how bad it is where that is too far off.
    fn judge(&self, whose: &str, too_far: Status) -> Option<Finding> {
        let ahead = self.ahead();
        let distance = ahead.abs();
        if distance <= WORTH_A_LOOK {
            return None;
        }
        let apart = humantime::format_duration(std::time::Duration::from_secs(
            distance.num_seconds().try_into().unwrap_or_default(),
        ));
        let direction = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
        let message = format!("{whose} is {apart} {direction} that of {}", self.by);
        Some(if distance > TOO_FAR && too_far == Status::Failure {
            Finding::failure(CHECK, message, ADVICE)
        } else {
            Finding::warning(CHECK, message, ADVICE)
        })
    }
}

pub(super) fn judge(told: &[Told]) -> Vec<Finding> {
    if told.is_empty() {
        return vec![Finding::skipped(CHECK, "nobody has said what time it is elsewhere")];
    }
    let database = told.iter().find(|told| told.by == DATABASE);
    let findings: Vec<_> = told
        .iter()
        .filter_map(|told| match database {
            Some(_) if told.by == DATABASE => told.judge("this machine's", Status::Warning),
            Some(database) => told.seen_from(database).judge("the database's", Status::Failure),
            None => told.judge("this machine's", Status::Failure),
        })
        .collect();
    debug_assert!(findings.iter().all(|finding| finding.status != Status::Ok), "only what is wrong");
    if findings.is_empty() {
        let all: Vec<_> = told.iter().map(|told| told.by).collect();
        return vec![Finding::ok(CHECK, format!("agrees with that of {}", all.join(" and that of ")))];
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(there: i64) -> Told {
        let at = |seconds| DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap();
        Told { by: "Authy", there: (at(there), at(there + 1)), here: (at(0), at(2)) }
    }

    fn status(there: i64) -> Status {
        judge(&[told(there)])[0].status
    }

    #[test]
    fn only_what_the_waiting_does_not_explain_is_a_difference() {
        // Told in whole seconds, and in answer to a question that took two.
        for (there, expected) in [
            (0, Status::Ok),
            (7, Status::Ok),
            (8, Status::Warning),
            (62, Status::Warning),
            (63, Status::Failure),
            (-6, Status::Ok),
            (-7, Status::Warning),
            (-61, Status::Warning),
            (-62, Status::Failure),
            (-1_000_000, Status::Failure),
        ] {
            assert_eq!(status(there), expected, "{there}");
        }
    }

    #[test]
    fn with_postgresql_it_is_the_clock_of_the_database_that_has_to_be_right() {
        let at = |seconds: i64| DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap();
        let of_database = |there| Told { by: DATABASE, there: (at(there), at(there)), here: (at(0), at(0)) };
        // This machine is a day behind, and the others agree.
        let findings = judge(&[told(86_400), of_database(86_400)]);
        assert_eq!(findings.iter().map(|finding| finding.status).collect::<Vec<_>>(), [Status::Warning]);
        // This machine and the provider agree, and the database is a day behind.
        let findings = judge(&[told(0), of_database(-86_400)]);
        let statuses: Vec<_> = findings.iter().map(|finding| finding.status).collect();
        assert_eq!(statuses, [Status::Failure, Status::Warning]);
    }

    #[test]
    fn with_nobody_to_ask_nothing_is_said_to_be_well() {
        assert_eq!(judge(&[])[0].status, Status::Skipped);
        assert_eq!(judge(&[told(0), told(100)]).len(), 1);
    }
}
