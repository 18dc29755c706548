//! What is inside the frame of a plot: the axes, the grid and the series.

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, ChartContext},
    coord::cartesian::Cartesian2d,
    element::{PathElement, Rectangle},
    style::{Color as _, FontStyle, RGBColor},
};

use super::{
    marker::{self, Canvas, Drawn},
    palette::Palette,
    plot::{Kind, Plot, Series},
    scale::{Fit, Scale},
    svg::{MARGIN, PIXEL, font},
    thin,
};

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;

struct Body<'a, 'b> {
    canvas: &'a Canvas<'b>,
    chart: Chart<'a, 'b>,
    plot: &'a Plot,
}

/// One series with its number and its colour.
#[derive(Clone, Copy)]
struct Numbered<'a> {
    number: usize,
    series: &'a Series,
    colour: RGBColor,
}

/// Where bars lie beside each other, in positions of the axis.
#[derive(Clone, Copy)]
struct Slot {
    offset: f64,
    width: f64,
}

/// Draws the axes and the series, and leaves so many pixels above and below.
pub(super) fn draw(canvas: &Canvas<'_>, plot: &Plot, palette: &Palette, (top, bottom): (i32, i32)) -> Drawn {
    let (x, y, distance) = scales(plot);
    let labels = 42 + i32::try_from(y.longest_label()).unwrap_or(0) * 8;
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(top * PIXEL)
        .margin_bottom(bottom * PIXEL)
        .margin_left((MARGIN - 6) * PIXEL)
        .margin_right((MARGIN + 12) * PIXEL)
        .x_label_area_size(48 * PIXEL)
        .y_label_area_size(labels * PIXEL)
        .build_cartesian_2d(x, y)?;
    mesh(&mut chart, plot, palette)?;
    let body = Body { canvas, chart, plot };
    let numbered = plot.series.iter().enumerate();
    let all: Vec<_> = numbered
        .map(|(number, series)| Numbered { number, series, colour: palette.series(number) })
        .collect();
    let bars: Vec<_> = all.iter().filter(|one| one.series.kind == Kind::Bars).collect();
    let width = distance * 0.8 / as_number(bars.len());
    for (place, one) in bars.into_iter().enumerate() {
        let offset = width * as_number(place) - distance * 0.4;
        body.bars(*one, Slot { offset, width })?;
    }
    // Above the bars, whatever their order.
    for one in all {
        if one.series.kind == Kind::Line {
            body.line(one)?;
        }
    }
    Ok(())
}

/// Both axes, and the distance from bar to bar.
fn scales(plot: &Plot) -> (Scale, Scale, f64) {
    let points: Vec<_> = plot.series.iter().flat_map(|series| plot.shown(series)).collect();
    let (xs, ys): (Vec<_>, Vec<_>) = points.into_iter().unzip();
    let has_bars = plot.series.iter().any(|series| series.kind == Kind::Bars);
    let across = Fit { ticks: 9, has_zero: false, room: 0.02 };
    let (x, distance) = if has_bars {
        Scale::for_bars(&plot.x, &xs, across)
    } else {
        (Scale::new(&plot.x, &xs, across), 0.0)
    };
    // A curve that does not begin at zero says more than was measured.
    let y =
        Scale::new(&plot.y, &ys, Fit { ticks: 6, has_zero: has_bars || !plot.y.is_logarithmic, room: 0.0 });
    (x, y, distance)
}

fn mesh(chart: &mut Chart<'_, '_>, plot: &Plot, palette: &Palette) -> Drawn {
    chart
        .configure_mesh()
        .bold_line_style(palette.line.stroke_width(8))
        .light_line_style(palette.faint_line.stroke_width(8))
        .axis_style(palette.soft_ink.stroke_width(10))
        .label_style(font(13, FontStyle::Normal, palette.soft_ink))
        .axis_desc_style(font(13, FontStyle::Normal, palette.ink))
        .x_desc(&plot.x.label)
        .y_desc(&plot.y.label)
        .set_all_tick_mark_size(5 * PIXEL)
        .draw()
}

impl Body<'_, '_> {
    fn place(&self, point: (f64, f64)) -> (i32, i32) {
        self.chart.backend_coord(&point)
    }

    fn line(&self, one: Numbered<'_>) -> Drawn {
        for run in one.series.points.split(|point| !self.plot.can_show(*point)) {
            let places: Vec<_> = run.iter().map(|point| self.place(*point)).collect();
            if places.len() > 1 {
                let style = one.colour.stroke_width(20);
                self.canvas.draw(&PathElement::new(thin::line(&places, PIXEL), style))?;
            }
            let most = if places.len() == 1 { 1 } else { 12 };
            for place in thin::marks_on_line(&places, most) {
                marker::draw(self.canvas, one.number, place, 40, one.colour.to_rgba())?;
            }
        }
        Ok(())
    }

    fn bars(&self, one: Numbered<'_>, slot: Slot) -> Drawn {
        let (across, up) = (self.chart.as_coord_spec().x_spec(), self.chart.as_coord_spec().y_spec());
        for (x, y) in self.plot.shown(one.series) {
            let left = across.position(x) + slot.offset;
            let corners = [
                self.place((across.value(left), y)),
                self.place((across.value(left + slot.width * 0.96), up.foot())),
            ];
            self.canvas.draw(&Rectangle::new(corners, one.colour.filled()))?;
        }
        Ok(())
    }
}

fn as_number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
