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

/// Marks at these: one for all that lie in the same small square.
pub(super) fn marks(places: &[Place], square: i32) -> Vec<Place> {
    let mut seen = std::collections::HashSet::new();
    let is_new = |place: &&Place| seen.insert((place.0.div_euclid(square), place.1.div_euclid(square)));
    places.iter().filter(is_new).copied().collect()
}

/// Marks on a line: all where they are few, else some, evenly.
pub(super) fn marks_on_line(places: &[Place], most: usize) -> Vec<Place> {
    if places.len() <= most * 2 {
        return places.to_vec();
    }
    let every = places.len().div_ceil(most);
    places.iter().skip(every / 2).step_by(every).copied().collect()
}
