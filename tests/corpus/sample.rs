//! A few places of each attack instead of all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Attack, Case, Class};

/// `most` evenly spaced cases of each attack, class and base, the first and the last among them.
pub(crate) fn sampled(cases: Vec<Case>, most: usize) -> Vec<Case> {
    let mut groups: BTreeMap<(&Attack, Class, &str), Vec<Case>> = BTreeMap::new();
    for case in cases {
        groups
            .entry((case.attack, case.class, case.base.name))
            .or_default()
            .push(case);
    }
    groups.into_values().flat_map(|group| spaced(group, most)).collect()
}

/// `most` evenly spaced cases of a group, which is not empty; of one alone the first.
fn spaced(group: Vec<Case>, most: usize) -> Vec<Case> {
    let last = group.len() - 1;
    let places = (0..most.min(group.len())).map(|nth| last * nth / (most - 1).max(1));
    let places: BTreeSet<usize> = places.collect();
    places.into_iter().map(|place| group[place].clone()).collect()
}
