//! The colours of a plot, those of the login pages: for paper and for the dark.

use plotters::style::RGBColor;

/// One scheme.
#[derive(Debug)]
pub(super) struct Palette {
    /// What everything lies on.
    pub(super) card: RGBColor,
    /// The card's edge, and the grid.
    pub(super) line: RGBColor,
    /// Between the grid's lines, on a logarithmic axis.
    pub(super) faint_line: RGBColor,
    /// Titles.
    pub(super) ink: RGBColor,
    /// Labels.
    pub(super) soft_ink: RGBColor,
    /// One after the other, for the series.
    series: [RGBColor; 6],
}

impl Palette {
    pub(super) fn series(&self, number: usize) -> RGBColor {
        self.series[number % self.series.len()]
    }
}

/// Told apart by lightness too, not only by hue: whoever confuses red and green sees two lines.
pub(super) const LIGHT: Palette = Palette {
    card: RGBColor(0xff, 0xff, 0xff),
    line: RGBColor(0xdc, 0xde, 0xe3),
    faint_line: RGBColor(0xf0, 0xf1, 0xf4),
    ink: RGBColor(0x16, 0x18, 0x1d),
    soft_ink: RGBColor(0x56, 0x5b, 0x66),
    series: [
        RGBColor(0x33, 0x48, 0xc9),
        RGBColor(0xe0, 0x6c, 0x00),
        RGBColor(0x0b, 0x8f, 0x6a),
        RGBColor(0x8c, 0x1c, 0x5a),
        RGBColor(0x35, 0xa0, 0xdc),
        RGBColor(0x56, 0x5b, 0x66),
    ],
};

/// As [`LIGHT`], for eyes in the dark.
pub(super) const DARK: Palette = Palette {
    card: RGBColor(0x18, 0x1b, 0x21),
    line: RGBColor(0x33, 0x39, 0x44),
    faint_line: RGBColor(0x21, 0x25, 0x2d),
    ink: RGBColor(0xec, 0xee, 0xf2),
    soft_ink: RGBColor(0xa2, 0xa9, 0xb6),
    series: [
        RGBColor(0x9a, 0xa7, 0xff),
        RGBColor(0xff, 0x9d, 0x4d),
        RGBColor(0x3e, 0xcb, 0x8b),
        RGBColor(0xe0, 0x7a, 0xb8),
        RGBColor(0xb8, 0xe3, 0xff),
        RGBColor(0xa2, 0xa9, 0xb6),
    ],
};
