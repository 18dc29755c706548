//! The plots of the page: lines over the number of waiting logins, as SVG, in colours for light and for dark pages.
//!
//! Axes, grid and legend are the plotting library's. The ticks are the crowds that were measured, so that no scale is computed.

use anyhow::Context as _;
use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, SeriesLabelPosition},
    coord::combinators::{BindKeyPoints as _, IntoLogRange as _},
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _},
    element::{Circle, DynElement, IntoDynElement as _, TriangleMarker},
    series::LineSeries,
    style::{Color as _, RGBColor, ShapeStyle},
};

/// Values over the number of waiting logins, which is on a logarithmic axis.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// The stem of its file.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// The unit of its values, which start at zero.
    pub unit: &'static str,
    /// At most two lines.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Its name in the legend.
    pub name: &'static str,
    /// How many wait, and the value.
    pub points: Vec<(f64, f64)>,
}

/// The colours of a page: those of the login pages.
pub(super) struct Scheme {
    /// Follows the plot's name in the name of its file.
    pub(super) suffix: &'static str,
    background: RGBColor,
    grid: RGBColor,
    text: RGBColor,
    series: [RGBColor; 2],
}

pub(super) const SCHEMES: [Scheme; 2] = [
    Scheme {
        suffix: "",
        background: RGBColor(0xff, 0xff, 0xff),
        grid: RGBColor(0xdc, 0xde, 0xe3),
        text: RGBColor(0x16, 0x18, 0x1d),
        series: [RGBColor(0x33, 0x48, 0xc9), RGBColor(0xe0, 0x6c, 0x00)],
    },
    Scheme {
        suffix: "-dark",
        background: RGBColor(0x18, 0x1b, 0x21),
        grid: RGBColor(0x33, 0x39, 0x44),
        text: RGBColor(0xec, 0xee, 0xf2),
        series: [RGBColor(0x9a, 0xa7, 0xff), RGBColor(0xff, 0x9d, 0x4d)],
    },
];

const SIZE: (u32, u32) = (860, 430);
const FONT: &str = "system-ui, sans-serif";

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

impl Plot {
    /// Returns the picture in one scheme.
    pub(super) fn svg(&self, scheme: &Scheme) -> anyhow::Result<String> {
        let mut text = String::new();
        let canvas = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        self.draw(&canvas, scheme).with_context(|| format!("cannot draw {}", self.name))?;
        drop(canvas);
        Ok(text)
    }

    fn draw(&self, canvas: &Canvas<'_>, scheme: &Scheme) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let mut crowds: Vec<_> = points().map(|point| point.0).collect();
        crowds.sort_by(f64::total_cmp);
        crowds.dedup();
        let [fewest, most] = [crowds.first(), crowds.last()].map(|crowd| crowd.copied().unwrap_or(1.0));
        let highest = points().map(|point| point.1).fold(0.001, f64::max);
        let font = |size: f64| (FONT, size, &scheme.text);
        let label = |value: &f64| ((value * 1e3).round() / 1e3).to_string();
        canvas.fill(&scheme.background)?;
        // The room above the highest value is the legend's.
        let mut chart = ChartBuilder::on(canvas)
            .caption(self.title, font(21.0))
            .margin(16)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d(
                (fewest / 1.3..most * 1.3).log_scale().with_key_points(crowds),
                0.0..highest * 1.3,
            )?;
        chart
            .configure_mesh()
            .bold_line_style(scheme.grid)
            .max_light_lines(0)
            .axis_style(scheme.text)
            .label_style(font(16.0))
            .axis_desc_style(font(16.0))
            .x_desc("waiting logins")
            .y_desc(self.unit)
            .y_labels(6)
            .x_label_formatter(&label)
            .y_label_formatter(&label)
            .draw()?;
        for (number, (series, colour)) in self.series.iter().zip(scheme.series).enumerate() {
            chart.draw_series(LineSeries::new(series.points.iter().copied(), colour.stroke_width(2)))?;
            chart
                .draw_series(series.points.iter().map(|point| mark(number, *point, colour.filled())))?
                .label(series.name)
                .legend(move |(x, y)| mark(number, (x + 12, y), colour.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(scheme.background)
            .label_font(font(16.0))
            .draw()?;
        canvas.present()
    }
}

/// A mark of the line's own shape, so that readers need not tell the colours apart.
fn mark<'a, Point: Clone + 'static>(
    number: usize,
    at: Point,
    style: ShapeStyle,
) -> DynElement<'static, SVGBackend<'a>, Point> {
    match number {
        0 => Circle::new(at, 4, style).into_dyn(),
        _ => TriangleMarker::new(at, 6, style).into_dyn(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::examples, *};

    #[test]
    fn each_line_has_its_name_and_its_own_marks() {
        let mut plot = examples::plot();
        plot.series.push(Series { name: "p99", points: vec![(1.0, 4.0), (100.0, 5.0), (1000.0, 6.0)] });
        let picture = plot.svg(&SCHEMES[0]).unwrap();
        // One more of each: the legend's.
        assert_eq!(
            (picture.matches("<circle").count(), picture.matches("<polygon").count()),
            (3, 4),
            "{picture}"
        );
        for text in ["About memory", "p50", "p99", "waiting logins", "MiB", "1000"] {
            assert!(picture.contains(&format!("\n{text}\n</text>")), "{text}: {picture}");
        }
    }

    #[test]
    fn a_plot_without_values_can_be_drawn() {
        for points in [vec![], vec![(1.0, 0.0)]] {
            let mut plot = examples::plot();
            plot.series[0].points = points;
            let picture = plot.svg(&SCHEMES[0]).unwrap();
            assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        }
    }
}
