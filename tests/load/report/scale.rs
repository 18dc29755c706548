//! An axis with its range and its ticks, as plotters wants it.
//!
//! A value has a *position*: itself, or its decimal logarithm. Everything is even in positions.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::plot::Axis;

/// What is below counts as zero, where zero has a place.
const TINY: f64 = 1e-100;

/// Where values lie between the ends of an axis, and where it has ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    is_logarithmic: bool,
    /// The positions of its ends.
    ends: Range<f64>,
    /// Values with a label.
    ticks: Vec<f64>,
    /// Values with a faint line only.
    faint_ticks: Vec<f64>,
}

/// How a scale is made from what has to fit on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// About how many ticks there is room for.
    pub(super) ticks: usize,
    /// Whether zero is shown however far the values are from it; bars, for one, would lie without it.
    pub(super) has_zero: bool,
    /// Which share of a logarithmic axis is left free at each end.
    pub(super) room: f64,
}

impl Scale {
    /// A scale on which all these values fit; each must be one that the axis can show.
    pub(super) fn new(axis: &Axis, values: &[f64], fit: Fit) -> Self {
        let low = values.iter().copied().reduce(f64::min).unwrap_or(1.0);
        let high = values.iter().copied().reduce(f64::max).unwrap_or(1.0);
        if axis.is_logarithmic { Self::logarithmic(low, high, fit) } else { Self::linear(low, high, fit) }
    }

    fn linear(low: f64, high: f64, fit: Fit) -> Self {
        let (mut low, mut high) = (low, high);
        // What begins near zero begins at zero.
        if fit.has_zero || (low > 0.0 && low < high / 4.0) {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        // All the same: from zero to it, or to one where it is zero.
        if high - low <= (high.abs().max(low.abs()) * 1e-9).max(TINY) {
            (low, high) = match (high > TINY, low < -TINY) {
                (true, _) => (0.0, high),
                (_, true) => (low, 0.0),
                _ => (0.0, 1.0),
            };
        }
        let step = round_step((high - low) / as_number(fit.ticks));
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let ticks: Vec<_> =
            std::iter::successors(Some(first), |tick| (tick + 0.5 < last).then_some(tick + 1.0))
                .map(|tick| tick * step)
                .collect();
        Self { is_logarithmic: false, ends: first * step..last * step, ticks, faint_ticks: Vec::new() }
    }

    fn logarithmic(low: f64, high: f64, fit: Fit) -> Self {
        let decades = floor(low.log10()) - 1..=floor(high.log10()) + 1;
        let of_each_decade = |digits: &[f64]| -> Vec<f64> {
            let values = decades.clone().flat_map(|decade| digits.iter().map(move |digit| (digit, decade)));
            values.map(|(digit, decade)| digit * ten_to(decade)).collect()
        };
        let steps = of_each_decade(&[1.0, 2.0, 5.0]);
        let mut first = steps.iter().rposition(|step| *step <= low * (1.0 + 1e-9)).unwrap_or(0);
        let mut last = steps.iter().position(|step| *step >= high * (1.0 - 1e-9)).unwrap_or(steps.len() - 1);
        // A bar that ends where the axis begins is none.
        if fit.has_zero {
            first = first.saturating_sub(1);
        }
        while last - first < 2 {
            (first, last) = (first.saturating_sub(1), (last + 1).min(steps.len() - 1));
        }
        let ends = steps[first]..steps[last];
        let inside = |value: &f64| (ends.start * 0.999..=ends.end * 1.001).contains(value);
        let whole: Vec<_> = of_each_decade(&[1.0]).into_iter().filter(inside).collect();
        let ticks = if whole.len() < 3 {
            steps[first..=last].to_vec()
        } else {
            let every = whole.len().div_ceil(fit.ticks.max(2));
            whole.iter().copied().step_by(every).collect()
        };
        let digits: &[f64] =
            if whole.len() > 9 { &[1.0] } else { &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0] };
        let mut faint_ticks = of_each_decade(digits);
        faint_ticks.retain(|value| inside(value) && !ticks.contains(value));
        // So that marks at the ends do not lie on the axes.
        let room = (ends.end.log10() - ends.start.log10()) * fit.room;
        let ends = ends.start.log10() - room..ends.end.log10() + room;
        Self { is_logarithmic: true, ends, ticks, faint_ticks }
    }

    /// A scale for bars at these values: room for the outermost, and a tick at each where there is room for its label.
    /// Returns the distance from one bar to the next, in positions, too.
    pub(super) fn for_bars(axis: &Axis, values: &[f64], fit: Fit) -> (Self, f64) {
        let mut scale = Self::new(axis, values, Fit { has_zero: false, ..fit });
        let mut sorted: Vec<_> = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        let positions: Vec<_> = sorted.iter().map(|value| scale.position(*value)).collect();
        let distance = positions.windows(2).map(|pair| pair[1] - pair[0]).reduce(f64::min).unwrap_or(1.0);
        let (Some(first), Some(last)) = (positions.first(), positions.last()) else {
            return (scale, distance);
        };
        scale.ends = first - distance * 0.6..last + distance * 0.6;
        if distance * 14.0 >= scale.ends.end - scale.ends.start {
            (scale.ticks, scale.faint_ticks) = (sorted, Vec::new());
        }
        (scale, distance)
    }

    /// Where a value is.
    pub(super) fn position(&self, value: f64) -> f64 {
        if self.is_logarithmic { value.log10() } else { value }
    }

    /// Which value is there.
    pub(super) fn value(&self, position: f64) -> f64 {
        if self.is_logarithmic { 10_f64.powf(position) } else { position }
    }

    /// Where a bar begins: at zero, or at the foot of a logarithmic axis.
    pub(super) fn foot(&self) -> f64 {
        if self.is_logarithmic {
            self.value(self.ends.start)
        } else {
            0.0_f64.clamp(self.ends.start, self.ends.end)
        }
    }

    /// How long the longest label is, in characters.
    pub(super) fn longest_label(&self) -> usize {
        self.ticks.iter().map(|tick| self.label(*tick).chars().count()).max().unwrap_or(0)
    }

    fn label(&self, tick: f64) -> String {
        let largest = self.ticks.iter().fold(0.0, |largest: f64, tick| largest.max(tick.abs()));
        let magnitude = if self.is_logarithmic { tick } else { largest };
        let (divisor, letter) = match magnitude {
            1e9..1e12 => (1e9, " G"),
            1e6..1e9 => (1e6, " M"),
            magnitude if magnitude == 0.0 || (1e-6..1e6).contains(&magnitude) => (1.0, ""),
            _ => return format!("{tick:.1e}"),
        };
        if tick == 0.0 {
            return "0".to_owned();
        }
        // On a linear axis as many decimals as any tick needs, for they are read against each other.
        let own = [tick];
        let read_together = if self.is_logarithmic { &own[..] } else { &self.ticks };
        let decimals = read_together.iter().map(|tick| decimals(tick / divisor)).max().unwrap_or(0);
        format!("{}{letter}", with_commas(&format!("{:.decimals$}", tick / divisor)))
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let share = (self.position(*value) - self.ends.start) / (self.ends.end - self.ends.start);
        #[expect(clippy::cast_possible_truncation, reason = "a place in a picture of some thousand units")]
        let offset = (f64::from(end - start) * share).round() as i32;
        start + offset
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { self.faint_ticks.clone() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.value(self.ends.start)..self.value(self.ends.end)
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is no shorter.
fn round_step(step: f64) -> f64 {
    let power = ten_to(floor(step.log10()));
    [1.0, 2.0, 5.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|round| *round >= step * (1.0 - 1e-9))
        .unwrap_or(power * 10.0)
}

/// Exact where it can be: a division by a power of ten is, a multiplication with a tenth is not.
fn ten_to(exponent: i32) -> f64 {
    if exponent < 0 { 1.0 / 10_f64.powi(-exponent) } else { 10_f64.powi(exponent) }
}

/// How many decimals a number of few digits has; none of those that an error of rounding has made.
fn decimals(value: f64) -> usize {
    let text = format!("{value:.9}");
    text.trim_end_matches('0').split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

fn as_number(count: usize) -> f64 {
    u32::try_from(count.max(1)).map_or(f64::MAX, f64::from)
}

#[expect(clippy::cast_possible_truncation, reason = "decades between those of the plot's limit")]
fn floor(value: f64) -> i32 {
    // What should be a whole decade is not short of it by an error of rounding.
    (value + 1e-12).floor() as i32
}

fn with_commas(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("\u{2212}", digits));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, String::new()), |(w, f)| (w, format!(".{f}")));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: Fit = Fit { ticks: 6, has_zero: false, room: 0.0 };

    fn axis(is_logarithmic: bool) -> Axis {
        Axis { label: String::new(), is_logarithmic }
    }

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks.iter().map(|tick| scale.label(*tick)).collect()
    }

    fn linear(values: &[f64]) -> Scale {
        Scale::new(&axis(false), values, FIT)
    }

    fn logarithmic(values: &[f64]) -> Scale {
        Scale::new(&axis(true), values, FIT)
    }

    #[test]
    fn a_logarithmic_axis_labels_its_decades() {
        let scale = logarithmic(&[0.03, 4200.0]);
        assert_eq!(labels(&scale), ["0.1", "1", "10", "100", "1,000"]);
        let ends = (scale.label(scale.range().start), scale.label(scale.range().end));
        assert_eq!(ends, ("0.02".to_owned(), "5,000".to_owned()));
        assert!(scale.faint_ticks.contains(&0.02) && scale.faint_ticks.contains(&300.0), "{scale:?}");
        assert!(!scale.faint_ticks.contains(&10.0), "{scale:?}");
    }

    #[test]
    fn a_short_logarithmic_axis_labels_more_than_decades() {
        assert_eq!(labels(&logarithmic(&[3.0, 40.0])), ["2", "5", "10", "20", "50"]);
        assert_eq!(labels(&logarithmic(&[10.0])), ["5", "10", "20"]);
    }

    #[test]
    fn a_long_logarithmic_axis_leaves_decades_out() {
        let scale = logarithmic(&[1e-6, 1e9]);
        assert!((4..=6).contains(&scale.ticks.len()), "{scale:?}");
        assert!(scale.faint_ticks.iter().all(|tick| is_decade(*tick)), "{scale:?}");
    }

    fn is_decade(value: f64) -> bool {
        (value.log10() - value.log10().round()).abs() < 1e-9
    }

    #[test]
    fn decades_are_evenly_spaced() {
        let scale = logarithmic(&[1.0, 1000.0]);
        assert_eq!([1.0, 10.0, 100.0, 1000.0].map(|value| scale.map(&value, (0, 300))), [0, 100, 200, 300]);
    }

    #[test]
    fn a_linear_axis_has_round_steps_around_its_values() {
        assert_eq!(labels(&linear(&[0.0, 1.1])), ["0", "0.2", "0.4", "0.6", "0.8", "1.0", "1.2"]);
        assert_eq!(labels(&linear(&[-3.0, 7.0])), ["\u{2212}4", "\u{2212}2", "0", "2", "4", "6", "8"]);
        assert_eq!(labels(&linear(&[990.0, 1000.0])), ["990", "992", "994", "996", "998", "1,000"]);
        assert_eq!(labels(&linear(&[0.0, 1_900_000.0]))[1..3], ["0.5 M", "1.0 M"]);
    }

    #[test]
    fn zero_is_shown_where_it_is_wanted_or_near() {
        assert_eq!(labels(&linear(&[90.0, 100.0]))[0], "90");
        assert_eq!(labels(&linear(&[20.0, 100.0]))[0], "0");
        let wanted = Scale::new(&axis(false), &[90.0, 100.0], Fit { has_zero: true, ..FIT });
        assert_eq!(labels(&wanted)[0], "0");
    }

    #[test]
    fn values_that_are_as_good_as_the_same_have_an_axis() {
        for [value, other] in [[0.0; 2], [7.0; 2], [-7.0; 2], [0.0, 1e-320], [1e99; 2], [-1e99; 2]] {
            let scale = linear(&[value, other]);
            assert!(scale.range().start < scale.range().end, "{value}: {scale:?}");
            assert!((2..20).contains(&scale.ticks.len()), "{value}: {scale:?}");
            assert!((0..=100).contains(&scale.map(&value, (0, 100))), "{value}: {scale:?}");
        }
    }

    #[test]
    fn any_values_that_an_axis_can_show_lie_on_it() {
        let values: [f64; 12] = [1e-99, 3e-7, 0.1, 0.3, 0.999, 1.0, 7.0, 10.0, 4999.9, 1e6, 2e12, 9e99];
        for (low, high) in values.iter().flat_map(|one| values.map(|other| (one.min(other), one.max(other))))
        {
            for scale in [linear(&[low, high]), logarithmic(&[low, high])] {
                let (first, last) = (scale.map(&low, (0, 1000)), scale.map(&high, (0, 1000)));
                assert!(
                    (0..=1000).contains(&first) && (first..=1000).contains(&last),
                    "{low} to {high}: {scale:?}"
                );
                assert!((2..=10).contains(&scale.ticks.len()), "{low} to {high}: {scale:?}");
            }
        }
    }

    #[test]
    fn bars_have_room_and_their_own_ticks() {
        let (scale, distance) = Scale::for_bars(&axis(true), &[1000.0, 10.0, 1.0, 10.0], FIT);
        assert_eq!((labels(&scale).join(" "), distance), ("1 10 1,000".to_owned(), 1.0));
        assert!(
            scale.position(scale.range().start) <= -0.5 && scale.position(scale.range().end) >= 3.5,
            "{scale:?}"
        );
        let (scale, _) = Scale::for_bars(&axis(false), &(0..100).map(f64::from).collect::<Vec<_>>(), FIT);
        assert_eq!(labels(&scale), ["0", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn bars_stand_on_something() {
        let scale = Scale::new(&axis(true), &[10.0, 1000.0], Fit { has_zero: true, ..FIT });
        assert!(scale.foot() < 10.0, "{scale:?}");
        let scale = linear(&[-5.0, 5.0]);
        assert_eq!(scale.label(scale.foot()), "0");
    }
}
