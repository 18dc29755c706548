//! Less to draw where more would not be seen: a picture of a million points is as small as one of a thousand.

/// Where something lies in a picture.
type Place = (i32, i32);

/// A line through these: of what lies in one column, where it comes in, its lowest, its highest and where it leaves.
pub(super) fn line(places: &[Place], column: i32) -> Vec<Place> {
    let mut kept = Vec::new();
    for run in places.chunk_by(|one, next| one.0.div_euclid(column) == next.0.div_euclid(column)) {
        let last = run.len() - 1;
        let extreme = |is_better: fn(i32, i32) -> bool| {
            (0..run.len())
                .reduce(|best, index| if is_better(run[index].1, run[best].1) { index } else { best })
        };
        let mut indices = vec![0, last];
        indices.extend(extreme(|one, other| one < other));
        indices.extend(extreme(|one, other| one > other));
        indices.sort_unstable();
        indices.dedup();
        kept.extend(indices.into_iter().map(|index| run[index]));
    }
    kept
}

/// Marks on a line: all where they are few, else some, evenly.
pub(super) fn marks_on_line(places: &[Place], most: usize) -> Vec<Place> {
    if places.len() <= most * 2 {
        return places.to_vec();
    }
    let every = places.len().div_ceil(most);
    places.iter().skip(every / 2).step_by(every).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_the_ends_and_extremes_of_each_column() {
        let places = [(0, 5), (1, 9), (2, 4), (3, 6), (4, 5), (9, 7), (10, 1)];
        assert_eq!(line(&places, 10), [(0, 5), (1, 9), (2, 4), (9, 7), (10, 1)]);
    }

    #[test]
    fn a_line_that_is_thin_already_stays() {
        let places = [(0, 5), (10, 9), (25, 4), (20, 3), (5, 3)];
        assert_eq!(line(&places, 10), places);
        assert_eq!(line(&[], 10), []);
    }

    #[test]
    fn a_long_line_has_few_marks() {
        let places: Vec<_> = (0..1000).map(|x| (x, 0)).collect();
        assert_eq!(marks_on_line(&places[..20], 12), places[..20]);
        let marks = marks_on_line(&places, 12);
        assert!((10..=12).contains(&marks.len()), "{marks:?}");
    }
}
