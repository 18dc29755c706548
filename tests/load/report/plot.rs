//! What a plot shows, whatever draws it.

/// A picture of some series.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// The stem of its file: small letters, digits and dashes.
    pub name: String,
    /// Its heading.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// One direction of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What is counted, and in which unit.
    pub label: String,
    /// Whether each decade is as long as the next.
    pub is_logarithmic: bool,
}

/// What belongs together, in one colour.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub kind: Kind,
    /// Where it is; a line goes through them in this order.
    pub points: Vec<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One line, with a gap where a point cannot be drawn.
    Line,
    /// A bar a point, beside those of other series.
    Bars,
}

/// Past these, decades are no numbers that anybody has measured, and arithmetic on them loses its sense.
const LIMIT: f64 = 1e100;

impl Axis {
    /// Whether a value has a place on it.
    pub(super) fn can_show(&self, value: f64) -> bool {
        let is_sane = value.is_finite() && value.abs() < LIMIT;
        is_sane && (!self.is_logarithmic || value > 1.0 / LIMIT)
    }
}

impl Plot {
    /// Whether a point has a place in it.
    pub(super) fn can_show(&self, (x, y): (f64, f64)) -> bool {
        self.x.can_show(x) && self.y.can_show(y)
    }

    /// The points of a series that have a place in it.
    pub(super) fn shown<'a>(&'a self, series: &'a Series) -> impl Iterator<Item = (f64, f64)> + 'a {
        series.points.iter().copied().filter(|point| self.can_show(*point))
    }

    /// How many points have none.
    pub(super) fn left_out(&self) -> usize {
        self.series.iter().flat_map(|series| &series.points).filter(|point| !self.can_show(**point)).count()
    }

    /// What it shows, in words, for those who do not see it.
    pub(super) fn description(&self) -> String {
        let series: Vec<_> = self.series.iter().map(|series| self.described(series)).collect();
        let logarithmic = |axis: &Axis| if axis.is_logarithmic { " (logarithmic)" } else { "" };
        format!(
            "{}{} over {}{}. {}",
            self.y.label,
            logarithmic(&self.y),
            self.x.label,
            logarithmic(&self.x),
            if series.is_empty() { "No data.".to_owned() } else { series.join(" ") }
        )
    }

    fn described(&self, series: &Series) -> String {
        let Some(first) = self.shown(series).next() else { return format!("{}: no data.", series.name) };
        let (low, high) = self.shown(series).fold((first, first), |((x0, y0), (x1, y1)), (x, y)| {
            ((x0.min(x), y0.min(y)), (x1.max(x), y1.max(y)))
        });
        let count = self.shown(series).count();
        format!(
            "{}: {count} points, {} to {} over {} to {}.",
            series.name,
            short(low.1),
            short(high.1),
            short(low.0),
            short(high.0)
        )
    }
}

/// A number with four digits, without zeros that say nothing.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e15).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let decimals = if magnitude >= 1000.0 {
        0
    } else if magnitude >= 10.0 {
        1
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
