//! Parts that several composites share.

use super::*;
use crate::engine::step::{Inputs, step};

/// A world of two SLOs of so many groups and so many composites of both.
fn world(groups: usize, composites: usize) -> World {
    let of = || vec![part("a", "1"), part("b", "1")];
    let mut world = World::new(&["a", "b"], &["a", "b"], Combine::Worst, of(), vec![rule("14.4", 3)]);
    let journey = world.journey().clone();
    world
        .example
        .slos
        .extend((1..composites).map(|n| Planned { id: format!("shop/j{n}"), ..journey.clone() }));
    let routes: Vec<&'static str> = (0..groups).map(|n| &*format!("/{n}").leak()).collect();
    for _ in 0..30 {
        let slice = || Routes(routes.iter().map(|route| (*route, 100, 0)).collect());
        world.slice(&[slice(), slice()]);
    }
    world
}

/// Allocations of a tick that judges the composites.
fn allocations(groups: usize, composites: usize) -> u64 {
    let world = world(groups, composites);
    let Example { slos, ledger, control, observed, external, now } = &world.example;
    let shadow = crate::engine::recipient::Shadow::default();
    let inputs =
        Inputs { at: Ts(*now), step: Span::from_secs(30), observed, external, receivers: &[], shadow };
    let mut delta = None;
    let counted = allocation_counter::measure(|| delta = Some(step(&slos[2..], ledger, control, &inputs)));
    assert!(delta.unwrap().changes.is_empty());
    counted.count_total
}

#[test]
fn the_groups_of_a_part_are_read_once_however_many_composites_share_it() {
    let of_five_more = |groups| allocations(groups, 15) - allocations(groups, 10);
    assert_eq!(of_five_more(3), of_five_more(40));
}
