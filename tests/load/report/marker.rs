//! The mark of each series: a shape of its own, so that nobody has to tell colours apart.

use plotters::{
    backend::SVGBackend,
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind},
    element::{Circle, Polygon},
    style::{Color as _, RGBAColor},
};

/// A picture being drawn, in its own units.
pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What plotters says where it cannot draw.
pub(super) type DrawingError = DrawingAreaErrorKind<std::io::Error>;

/// Something is in the picture.
pub(super) type Drawn = Result<(), DrawingError>;

/// Draws the mark of the series with this number.
pub(super) fn draw(
    canvas: &Canvas<'_>,
    number: usize,
    at: (i32, i32),
    radius: i32,
    colour: RGBAColor,
) -> Drawn {
    let outline: &[(i32, i32)] = match number % 4 {
        1 => &[(-9, -9), (9, -9), (9, 9), (-9, 9)],
        2 => &[(0, -12), (11, 8), (-11, 8)],
        3 => &[(0, -13), (13, 0), (0, 13), (-13, 0)],
        _ => return canvas.draw(&Circle::new(at, radius, colour.filled())),
    };
    let corners: Vec<_> =
        outline.iter().map(|(x, y)| (at.0 + x * radius / 10, at.1 + y * radius / 10)).collect();
    canvas.draw(&Polygon::new(corners, colour.filled()))
}
