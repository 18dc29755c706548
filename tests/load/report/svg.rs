//! A plot as a picture: the frame, the legend and the series.
//!
//! The same plot gives the same text, byte for byte. Drawn in tenths of a pixel, for plotters counts in whole units.

use anyhow::{Context as _, anyhow};
use plotters::{
    backend::SVGBackend,
    drawing::IntoDrawingArea as _,
    element::{PathElement, Rectangle, Text},
    style::{
        Color as _, FontDesc, FontFamily, FontStyle, RGBColor, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    body,
    marker::{self, Canvas, DrawingError, Drawn},
    palette::Palette,
    plot::{Kind, Plot},
};

/// A pixel, in the picture's units.
pub(super) const PIXEL: i32 = 10;
const WIDTH: i32 = 860;
const HEIGHT: i32 = 430;
pub(super) const MARGIN: i32 = 24;
const LEGEND_LINE: i32 = 22;
/// In characters, of the widest of the fonts.
const TITLE_LENGTH: usize = 78;
const FONT: &str = "FONT";
const FONTS: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";

/// The picture of a plot in one scheme.
pub(super) fn of(plot: &Plot, palette: &Palette) -> anyhow::Result<String> {
    let mut text = String::new();
    let size = [WIDTH, HEIGHT].map(|pixels| (pixels * PIXEL).unsigned_abs());
    let canvas = SVGBackend::with_string(&mut text, size.into()).into_drawing_area();
    let draw = || -> Drawn {
        let top = heading(&canvas, plot, palette)?;
        let bottom = footnote(&canvas, plot, palette)?;
        let has_data = plot.series.iter().any(|series| plot.shown(series).next().is_some());
        if has_data { body::draw(&canvas, plot, palette, (top, bottom)) } else { nothing(&canvas, palette) }?;
        canvas.present()
    };
    draw().map_err(|error| anyhow!("cannot draw {:?}: {error}", plot.name))?;
    drop(canvas);
    let (_, body) = text.split_once('\n').context("plotters has drawn nothing")?;
    Ok(header(plot, palette) + &compact(body))
}

/// What plotters does not write: a name and a description for who does not see the picture, a card, and what all share.
fn header(plot: &Plot, palette: &Palette) -> String {
    let (width, height) = (WIDTH * PIXEL, HEIGHT * PIXEL);
    let colour = |RGBColor(red, green, blue)| format!("#{red:02X}{green:02X}{blue:02X}");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-labelledby=\"title description\" font-family=\"{FONTS}\" stroke-linejoin=\"round\" \
         stroke-linecap=\"round\">\n\
         <title id=\"title\">{}</title>\n\
         <desc id=\"description\">{}</desc>\n\
         <rect x=\"5\" y=\"5\" width=\"{}\" height=\"{}\" rx=\"120\" fill=\"{}\" stroke=\"{}\" stroke-width=\"10\"/>\n",
        escaped(&plot.title),
        escaped(&plot.description()),
        width - PIXEL,
        height - PIXEL,
        colour(palette.card),
        colour(palette.line),
    )
}

/// Without what each element repeats. Quotes are escaped inside of texts, so that none of them looks like this.
fn compact(body: &str) -> String {
    body.replace(" opacity=\"1\"", "")
        .replace(&format!(" font-family=\"{FONT}\""), "")
        .replace(" stroke=\"none\"", "")
        .replace(" \"/>", "\"/>")
        .replace("\n</text>", "</text>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text of this height.
pub(super) fn font(pixels: i32, style: FontStyle, colour: RGBColor) -> TextStyle<'static> {
    // plotters means the height of a line, and divides by this.
    let size = f64::from(pixels * PIXEL) * 1.24;
    FontDesc::new(FontFamily::Name(FONT), size, style).color(&colour)
}

/// The title and the legend. Returns how much room they take, in pixels.
fn heading(canvas: &Canvas<'_>, plot: &Plot, palette: &Palette) -> Result<i32, DrawingError> {
    let style = font(17, FontStyle::Bold, palette.ink);
    let (mut x, mut y) = (MARGIN, 20);
    for line in lines(&plot.title, TITLE_LENGTH) {
        canvas.draw(&Text::new(line, (MARGIN * PIXEL, y * PIXEL), style.clone()))?;
        y += LEGEND_LINE;
    }
    y += 16;
    let style = font(13, FontStyle::Normal, palette.soft_ink).pos(Pos::new(HPos::Left, VPos::Center));
    for (number, series) in plot.series.iter().enumerate().filter(|(_, series)| !series.name.is_empty()) {
        let no_data = if plot.shown(series).next().is_none() { " (no data)" } else { "" };
        let name = format!("{}{no_data}", series.name);
        let width = 34 + estimated_width(&name);
        if x > MARGIN && x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + LEGEND_LINE);
        }
        sample(canvas, series.kind, number, (x, y), palette)?;
        canvas.draw(&Text::new(name, ((x + 28) * PIXEL, y * PIXEL), style.clone()))?;
        x += width + 14;
    }
    Ok(if x == MARGIN { y } else { y + 24 })
}

/// What the legend shows before a name.
fn sample(canvas: &Canvas<'_>, kind: Kind, number: usize, (x, y): (i32, i32), palette: &Palette) -> Drawn {
    let (colour, left, middle) = (palette.series(number), x * PIXEL, y * PIXEL);
    match kind {
        Kind::Bars => canvas
            .draw(&Rectangle::new([(left + 40, middle - 55), (left + 200, middle + 55)], colour.filled())),
        Kind::Line => {
            canvas.draw(&PathElement::new(
                vec![(left, middle), (left + 220, middle)],
                colour.stroke_width(20),
            ))?;
            marker::draw(canvas, number, (left + 110, middle), 40, colour.to_rgba())
        }
    }
}

/// A text in lines of at most so many characters, or of one word that is longer.
fn lines(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Fonts differ; this is wider than what most make of it.
fn estimated_width(text: &str) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(WIDTH).saturating_mul(15) / 2
}

/// What is missing in the picture. Returns how much room it takes, in pixels.
fn footnote(canvas: &Canvas<'_>, plot: &Plot, palette: &Palette) -> Result<i32, DrawingError> {
    let left_out = plot.left_out();
    if left_out == 0 {
        return Ok(14);
    }
    let style = font(12, FontStyle::Normal, palette.soft_ink).pos(Pos::new(HPos::Right, VPos::Bottom));
    let points = if left_out == 1 { "1 point has" } else { &format!("{left_out} points have") };
    let text = format!("{points} no place on these axes");
    canvas.draw(&Text::new(text, ((WIDTH - MARGIN) * PIXEL, (HEIGHT - 12) * PIXEL), style))?;
    Ok(32)
}

fn nothing(canvas: &Canvas<'_>, palette: &Palette) -> Drawn {
    let style = font(17, FontStyle::Normal, palette.soft_ink).pos(Pos::new(HPos::Center, VPos::Center));
    canvas.draw(&Text::new("no data", (WIDTH * PIXEL / 2, HEIGHT * PIXEL / 2), style))
}

#[cfg(test)]
mod tests {
    use super::super::{
        Axis, Series, examples,
        palette::{DARK, LIGHT},
    };
    use super::*;

    const BROKEN: [(f64, f64); 4] =
        [(f64::NAN, 1.0), (1.0, f64::INFINITY), (f64::NEG_INFINITY, 1.0), (1.0, f64::MAX)];

    fn drawn(series: Vec<Series>) -> String {
        of(&examples::plot("memory", series), &LIGHT).unwrap()
    }

    #[test]
    fn the_same_plot_gives_the_same_picture() {
        let points: Vec<_> = (0..5000).map(f64::from).map(|x| (x, (x / 70.0).sin())).collect();
        for kind in [Kind::Line, Kind::Bars] {
            let plot = examples::plot("memory", vec![examples::series(kind, &points)]);
            assert_eq!(of(&plot, &DARK).unwrap(), of(&plot, &DARK).unwrap());
        }
    }

    #[test]
    fn what_has_no_place_is_said_and_not_drawn() {
        for kind in [Kind::Line, Kind::Bars] {
            for points in [&BROKEN[..], &[]] {
                let picture = drawn(vec![examples::series(kind, points)]);
                assert!(
                    picture.contains("no data</text>") && picture.contains("idle (no data)"),
                    "{picture}"
                );
                assert_eq!(picture.contains("4 points have no place"), !points.is_empty(), "{picture}");
            }
            let some = [&BROKEN[..1], &[(1.0, 2.0)]].concat();
            let picture = drawn(vec![examples::series(kind, &some)]);
            assert!(!picture.contains("no data") && picture.contains("1 point has no place"), "{picture}");
            assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        }
        assert!(drawn(Vec::new()).contains("no data</text>"));
    }

    #[test]
    fn a_logarithmic_axis_has_no_place_for_zero() {
        let mut plot =
            examples::plot("memory", vec![examples::series(Kind::Line, &[(0.0, 0.0), (1.0, -1.0)])]);
        assert!(!of(&plot, &LIGHT).unwrap().contains("no place"));
        plot.y = Axis { is_logarithmic: true, ..plot.y };
        assert!(of(&plot, &LIGHT).unwrap().contains("2 points have no place"));
    }

    #[test]
    fn a_line_has_a_gap_where_a_point_cannot_be_drawn() {
        let whole = [(0.0, 1.0), (1.0, 2.0), (2.0, 1.0), (3.0, 2.0), (4.0, 1.0)];
        let mut broken = whole;
        broken[2].1 = f64::NAN;
        let lines = |points: &[(f64, f64)]| {
            let picture = drawn(vec![examples::series(Kind::Line, points)]);
            picture.matches("stroke=\"#3348C9\" stroke-width=\"20\" points").count()
        };
        // One more: the legend's.
        assert_eq!((lines(&whole), lines(&broken)), (2, 3));
    }

    #[test]
    fn who_does_not_see_it_is_told() {
        let mut plot =
            examples::plot("memory", vec![examples::series(Kind::Line, &[(0.0, 1.5), (60.0, 2048.25)])]);
        plot.title = "A < B & \"C\"".to_owned();
        let picture = of(&plot, &LIGHT).unwrap();
        assert!(picture.contains("<title id=\"title\">A &lt; B &amp; \"C\"</title>"), "{picture}");
        let description = "MiB over seconds. idle: 2 points, 1.5 to 2048 over 0 to 60.";
        assert!(picture.contains(&format!("<desc id=\"description\">{description}</desc>")), "{picture}");
    }

    #[test]
    fn a_picture_of_many_points_stays_small() {
        let points: Vec<_> = (0..200_000).map(f64::from).map(|x| (x, (x * 0.7).sin() * x)).collect();
        let size = drawn(vec![examples::series(Kind::Line, &points)]).len();
        assert!(size < 200_000, "{size}");
    }

    #[test]
    fn a_long_title_goes_on_in_the_next_line() {
        assert_eq!(lines("one two  three four", 9), ["one two", "three", "four"]);
        assert_eq!(lines("endless", 3), ["endless"]);
        let mut plot = examples::plot("memory", Vec::new());
        plot.title = "long ".repeat(30);
        let picture = of(&plot, &LIGHT).unwrap();
        assert_eq!(picture.matches("font-weight=\"bold\"").count(), 2, "{picture}");
    }

    #[test]
    fn the_legend_goes_on_in_the_next_line() {
        let long = Series {
            name: "a name that is rather long".to_owned(),
            ..examples::series(Kind::Line, &[(1.0, 1.0)])
        };
        let rows = |count: usize| {
            let picture = drawn(vec![long.clone(); count]);
            (0..4)
                .filter(|row| {
                    picture.contains(&format!("y=\"{}\" dy=\"0.5ex\" text-anchor=\"start\"", 580 + row * 220))
                })
                .count()
        };
        assert_eq!((rows(1), rows(3), rows(4)), (1, 1, 2));
    }
}
