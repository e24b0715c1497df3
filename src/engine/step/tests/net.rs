//! Several steps told as one, while receivers change: who knows what fires, and who is told its end.

use proptest::prelude::*;

use super::*;
use crate::engine::recipient::Recipient;

/// One slice: its bad events of 100, who is told from then on, and whether they are only shown it.
type Slice = (i64, Vec<String>, bool);

fn slices() -> impl Strategy<Value = Vec<Slice>> {
    let bad = prop_oneof![3 => Just(0i64), 2 => Just(100i64), 1 => 0i64..100];
    let told = prop::sample::subsequence(vec!["a", "b", "c"], 0..=3);
    let told = told.prop_map(|names| names.into_iter().map(str::to_owned).collect());
    prop::collection::vec((bad, told, prop::bool::weighted(0.2)), 1..40)
}

/// Incidents that each receiver was told of and not yet told the end of.
type Open = BTreeSet<(String, String)>;

fn take(open: &mut Open, told: &[Transition]) {
    for transition in told {
        for receiver in &transition.told {
            let known = (name(receiver), transition.incident.clone());
            match transition.event {
                Event::Firing => assert!(open.insert(known.clone()), "told twice: {known:?}"),
                Event::Resolved => assert!(open.remove(&known), "told the end of nothing: {known:?}"),
                Event::Missed => {}
            }
        }
    }
}

fn name(recipient: &Recipient) -> String {
    match recipient {
        Recipient::Live(name) => name.clone(),
        Recipient::Shadow { shadow } => format!("shadow {shadow}"),
    }
}

/// What the state says people know.
fn known(control: &Control) -> Open {
    let firing = control.iter().filter_map(|(_, state)| state.firing.as_ref());
    firing.flat_map(|f| f.told.iter().map(|one| (name(one), f.incident.clone()))).collect()
}

/// Receivers of what fires.
fn names(open: &Open) -> BTreeSet<&str> {
    open.iter().map(|(name, _)| name.as_str()).collect()
}

/// Tells the ledger of a slice and steps from `control`.
fn stepped(world: &mut World, control: &Control, (bad, told, shadow): &Slice) -> Delta {
    world.receivers.clone_from(told);
    world.shadow = Shadow { all: *shadow, receiver: Some("chat") };
    world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(*bad)]));
    world.look_back(Ts(world.now), control)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Whatever was told before, and whatever happened in the slices that are told as one: what
    /// people were told adds up to what the state says they know, and nobody who would know of it
    /// from single steps is left out.
    #[test]
    fn what_is_told_of_a_run_adds_up_to_what_people_know(before in slices(), run in slices(), label in any::<bool>()) {
        let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
        let mut open = Open::new();
        for slice in &before {
            let control = world.control.clone();
            let delta = stepped(&mut world, &control, slice);
            take(&mut open, &delta.transitions);
            world.control.apply(&delta);
        }
        prop_assert_eq!(&open, &known(&world.control));
        if label {
            let mut edited = (*world.planned.slo).clone();
            edited.labels.insert("tier".into(), "1".into());
            world.planned.slo = Arc::new(edited);
        }
        let before = world.control.clone();
        let (mut single, mut singly) = (before.clone(), open.clone());
        let mut deltas = Vec::new();
        for slice in &run {
            let delta = stepped(&mut world, &single, slice);
            take(&mut singly, &delta.transitions);
            single.apply(&delta);
            deltas.push(delta);
        }
        let folded = net(&before, deltas);
        take(&mut open, &folded.transitions);
        world.control.apply(&folded);
        prop_assert_eq!(&open, &known(&world.control));
        prop_assert!(names(&singly).is_subset(&names(&open)), "{:?} {:?}", singly, open);
        prop_assert_eq!(single.is_firing("checkout/availability"), world.control.is_firing("checkout/availability"));
    }
}

#[test]
fn a_receiver_added_to_what_ends_in_the_same_run_is_told_nothing_and_the_others_its_end() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    for _ in 0..2 {
        world.tick(100, 100);
    }
    world.receivers = vec!["oncall".into(), "chat".into()];
    let before = world.control.clone();
    let mut control = before.clone();
    let mut deltas = Vec::new();
    for _ in 0..12 {
        let receivers = world.receivers.clone();
        let delta = stepped(&mut world, &control, &(0, receivers, false));
        control.apply(&delta);
        deltas.push(delta);
    }
    let folded = net(&before, deltas);
    let told: Vec<_> = folded.transitions.iter().map(|t| (t.event, &t.told[..])).collect();
    assert_eq!(told, [(Event::Resolved, &["oncall".into()][..])]);
}
