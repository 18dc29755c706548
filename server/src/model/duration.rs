//! Durations as settings write them: `10m`, `12h`.

use std::time::Duration;

/// Parses a duration such as `10m` or `12h`, between a millisecond and a year.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| "must be a duration such as `10m` or `12h`".to_owned())?;
    if duration < Duration::from_millis(1) || duration > Duration::from_hours(24 * 366) {
        return Err("must be between a millisecond and a year".to_owned());
    }
    Ok(duration)
}

/// [`parse_duration`], of an hour at most: for timeouts, which other programs count in milliseconds.
pub fn parse_short_duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).and_then(|duration| {
        let is_short = duration <= Duration::from_hours(1);
        if is_short { Ok(duration) } else { Err("must be an hour at most".to_owned()) }
    })
}

/// [`parse_duration`], or no time at all: `0s`.
pub fn parse_duration_or_none(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Ok(Duration::ZERO),
        _ => parse_duration(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_with_units() {
        assert_eq!(parse_duration("10m"), Ok(Duration::from_mins(10)));
        for wrong in ["", "10", "0s", "-1s", "900years"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_timeout_is_an_hour_at_most() {
        assert!(parse_short_duration("1h").is_ok());
        assert!(parse_short_duration("61m").is_err() && parse_short_duration("0s").is_err());
    }

    #[test]
    fn some_durations_may_be_zero() {
        assert_eq!(parse_duration_or_none("0s"), Ok(Duration::ZERO));
        assert!(parse_duration_or_none("0").is_ok() && parse_duration_or_none("soon").is_err());
    }
}
