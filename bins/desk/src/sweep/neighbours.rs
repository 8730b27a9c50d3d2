//! Which combinations lie beside which: a result whose neighbours are as good is a region, one without is a peak.

use std::collections::BTreeMap;

use super::grid::Space;

/// Of a drawn sample so many of the nearest count, as hardly any lie beside each other.
const NEAREST: usize = 8;
/// In a larger sample many do lie beside each other, and looking for the nearest would take minutes.
const LARGE: usize = 20_000;
/// With more neighbours than this in every direction, only those along a single axis count.
const MOST_AROUND: usize = 2_187;

/// For each combination, the positions of its neighbours in the list, itself left out, in ascending order.
///
/// In a whole grid a neighbour differs by at most one step in each parameter whose values are ordered, and in no other. In
/// a sample it is one of the eight that are nearest, counted in steps by the length of each axis; above 20,000 as in a grid.
pub(super) fn neighbours(space: &Space, combinations: &[u64], is_whole: bool) -> Vec<Vec<usize>> {
    let places: Vec<Vec<usize>> = combinations.iter().map(|one| space.places(*one)).collect();
    if is_whole || places.len() > LARGE { beside(space, &places) } else { nearest(space, &places) }
}

fn beside(space: &Space, places: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let by_place: BTreeMap<&[usize], usize> =
        places.iter().enumerate().map(|(at, place)| (place.as_slice(), at)).collect();
    let ordered: Vec<usize> =
        space.axes.iter().enumerate().filter(|(_, axis)| axis.is_ordered()).map(|(at, _)| at).collect();
    let around = u32::try_from(ordered.len()).ok().and_then(|axes| 3_usize.checked_pow(axes));
    let is_narrow = around.is_none_or(|around| around > MOST_AROUND);
    let one = |place: &Vec<usize>| {
        let mut found = Vec::new();
        let candidates = if is_narrow { along(place, &ordered) } else { cube(place, &ordered) };
        found.extend(
            candidates
                .iter()
                .filter(|other| *other != place)
                .filter_map(|other| by_place.get(other.as_slice())),
        );
        found.sort_unstable();
        found.dedup();
        found
    };
    places.iter().map(one).collect()
}

/// Every place that differs by at most one step in each of some axes.
fn cube(place: &[usize], axes: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![place.to_vec()];
    for &axis in axes {
        let moved = all.iter().flat_map(|one| steps(one, axis)).collect::<Vec<_>>();
        all.extend(moved);
    }
    all
}

/// Every place that differs by one step in one of some axes.
fn along(place: &[usize], axes: &[usize]) -> Vec<Vec<usize>> {
    axes.iter().flat_map(|&axis| steps(place, axis)).collect()
}

fn steps(place: &[usize], axis: usize) -> impl Iterator<Item = Vec<usize>> {
    let at = place[axis];
    [at.checked_sub(1), at.checked_add(1)].into_iter().flatten().map(move |to| {
        let mut moved = place.to_vec();
        moved[axis] = to;
        moved
    })
}

fn nearest(space: &Space, places: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let apart = |a: &[usize], b: &[usize]| -> f64 {
        let axes = space.axes.iter().zip(a.iter().zip(b));
        axes.map(|(axis, (a, b))| match axis.is_ordered() {
            true => a.abs_diff(*b) as f64 / (axis.values.len() - 1).max(1) as f64,
            false => f64::from(u8::from(a != b)),
        })
        .sum()
    };
    let one = |(at, place): (usize, &Vec<usize>)| {
        let mut others: Vec<(f64, usize)> = places
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(other, there)| (apart(place, there), other))
            .collect();
        let by_distance = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if others.len() > NEAREST {
            others.select_nth_unstable_by(NEAREST, by_distance);
            others.truncate(NEAREST);
        }
        let mut found: Vec<usize> = others.into_iter().map(|(_, other)| other).collect();
        found.sort_unstable();
        found
    };
    places.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(text: &str) -> Space {
        Space::from_toml("grid.toml", text).unwrap()
    }

    #[test]
    fn in_a_grid_neighbours_are_one_step_away_in_every_ordered_axis() {
        let space = space("a = [1, 2, 3]\nb = [10, 20, 30]\nc = [\"x\", \"y\"]\n");
        let all: Vec<u64> = (0..18).collect();
        let found = neighbours(&space, &all, true);
        // The middle: a = 2, b = 20, c = "x" has all eight around it with the same word.
        let middle = (0..18).find(|one| space.describe(*one) == "a = 2, b = 20, c = \"x\"").unwrap() as usize;
        assert_eq!(found[middle].len(), 8);
        assert!(found[middle].iter().all(|at| space.describe(*at as u64).ends_with("\"x\"")));
        assert_eq!(found[0].len(), 3, "a corner");
    }

    #[test]
    fn a_refused_combination_is_nobodys_neighbour() {
        let space = space("a = [1, 2, 3, 4]\n");
        assert_eq!(neighbours(&space, &[0, 2, 3], true), [vec![], vec![2], vec![1]]);
    }

    #[test]
    fn in_a_sample_the_nearest_count() {
        let space = space("a = { from = 1, to = 1000, step = 1 }\n");
        let sample: Vec<u64> = (0..20).map(|n| n * n).collect();
        let found = neighbours(&space, &sample, false);
        assert_eq!(found[0], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(found[19], [11, 12, 13, 14, 15, 16, 17, 18]);
    }

    #[test]
    fn with_many_axes_only_single_steps_count() {
        let text: String =
            ["a", "b", "c", "d", "e", "f", "g", "h"].map(|axis| format!("{axis} = [1, 2]\n")).concat();
        let all: Vec<u64> = (0..256).collect();
        assert_eq!(neighbours(&space(&text), &all, true)[0].len(), 8);
    }
}
