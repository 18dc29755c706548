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
