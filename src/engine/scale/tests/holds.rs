//! What holds a policy.

use super::*;
use crate::engine::scale::{Brake, Version};
use crate::slo::policy::Veto;

/// A case in which nothing but the test's own change forbids adding.
fn burning() -> Case {
    Case::of(3.0, 0.72)
}

#[test]
fn nothing_is_done_on_missing_data() {
    let mut case = burning();
    case.observed.burns[0].known = None;
    assert!(matches!(case.held(), Reason::BurnUnknown { .. }));
    assert_eq!(case.state.calm_since, None);

    let mut case = burning();
    case.observed.saturation = None;
    assert_eq!(case.held(), Reason::SaturationUnknown);

    let mut case = burning();
    case.observed.workload = None;
    assert_eq!(case.held(), Reason::WorkloadUnknown);

    // Half of the short window is not known: what is missing may be bad, and is read as good.
    let mut case = Case::of(3.0, 0.72);
    let short = &mut case.observed.burns[0].known.as_mut().unwrap().parts[0].short;
    (short.covered, short.summed) = (50, 50);
    assert!(matches!(case.held(), Reason::Between { .. }));

    // Calm with a gap is not calm.
    let mut case = Case::of(0.0, 0.1);
    (case.state.base, case.state.seen) = (Some(3), Some(5));
    case.observed.burns[0].known.as_mut().unwrap().parts[0].long.covered -= 30;
    assert_eq!(case.run(Span::from_hours(1)), []);
}

#[test]
fn few_bad_events_add_nothing() {
    let mut case = burning();
    case.policy.min_bad_events = Events::whole(1_000_000);
    assert!(matches!(case.held(), Reason::TooFew { .. }));
}

#[test]
fn burn_that_is_no_load_adds_nothing() {
    let mut case = burning();
    case.observed.saturation = Finite::new(0.69);
    assert!(matches!(case.held(), Reason::NotLoad { .. }));
}

#[test]
fn a_veto_and_a_veto_without_an_answer_hold() {
    let mut case = burning();
    case.policy.unless = vec![Veto { query: "db".to_owned(), above: Finite::new(0.9).unwrap() }];
    case.observed.vetoes = vec![Finite::new(0.95)];
    assert!(matches!(case.held(), Reason::Vetoed { .. }));
    case.observed.vetoes = vec![None];
    assert!(matches!(case.held(), Reason::VetoUnknown { .. }));
    case.observed.vetoes = vec![Finite::new(0.9)];
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
}

#[test]
fn a_version_that_began_shortly_before_the_burn_is_suspect_until_somebody_trusts_it() {
    let mut case = burning();
    let since = case.now.minus(Span::from_mins(14));
    case.workload().version = Some(Version { since, name: "revision 12".to_owned() });
    let decision = case.decide();
    assert!(matches!(decision.reason, Reason::SuspectVersion { .. }), "{decision:?}");
    assert!(matches!(decision.runner_up(), Some(Reason::Burning { .. })), "{decision:?}");
    assert!(decision.reason.say().contains("revision 12"));
    // It stays suspect while this burn lasts.
    case.now = case.now.plus(Span::from_mins(30));
    assert!(matches!(case.held(), Reason::SuspectVersion { .. }));
    // What burns for two hours lives like that.
    case.now = case.state.burning_since.unwrap().plus(Span::from_hours(2));
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
    let mut case = burning();
    case.workload().version = Some(Version { since, name: "revision 12".to_owned() });
    case.state.trusted = Some(since);
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
}

#[test]
fn blocked_starting_rolling_paused_and_zero_hold() {
    type Change = fn(&mut Workload);
    type Expected = fn(&Reason) -> bool;
    let cases: [(Change, Expected); 5] = [
        (|w| w.blocked = Some("quota".to_owned()), |r| matches!(r, Reason::Blocked { .. })),
        (|w| w.ready = 4, |r| *r == Reason::Starting { ready: 4, wanted: 5 }),
        (|w| w.rolling = true, |r| *r == Reason::Rolling),
        (|w| w.paused = Some("somebody".to_owned()), |r| matches!(r, Reason::Paused { .. })),
        (|w| (w.wanted, w.ready) = (0, 0), |r| *r == Reason::AtZero),
    ];
    for (change, expected) in cases {
        let mut case = burning();
        change(case.workload());
        let reason = case.held();
        assert!(expected(&reason), "{reason:?}");
    }
}

#[test]
fn after_a_start_it_settles_first() {
    let mut case = burning();
    case.state.ready_since = None;
    let until = case.now.plus(Span::from_secs(60));
    assert_eq!(case.held(), Reason::Settling { until });
    case.now = until;
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
}

#[test]
fn a_count_above_the_bounds_is_somebody_elses_and_one_below_is_brought_inside_by_a_step() {
    let mut case = burning();
    (case.workload().wanted, case.workload().ready) = (40, 40);
    assert_eq!(case.held(), Reason::AboveMax { at: 40, max: 20 });
    let mut case = burning();
    (case.workload().wanted, case.workload().ready) = (1, 1);
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 1, to: 3 });
}

#[test]
fn a_page_keeps_replicas_and_a_brake_holds_everything() {
    let mut case = Case::of(0.0, 0.1);
    (case.state.base, case.state.seen) = (Some(3), Some(5));
    case.observed.burns[0].pages = true;
    assert_eq!(case.run(Span::from_hours(1)), []);
    let mut case = burning();
    case.observed.brake = Some(Brake::Stopped { by: "the stop file".to_owned() });
    assert!(matches!(case.held(), Reason::Stopped { .. }));
}

#[test]
fn a_policy_that_does_not_fit_moves_nothing_and_says_why_whatever_else_is_known() {
    let mut case = burning();
    case.observed.misfit = Some("there is no SLO shop/web any more".to_owned());
    let decision = case.decide();
    assert_eq!(decision.verdict, Verdict::Hold);
    assert!(matches!(decision.reason, Reason::Misfit { .. }), "{decision:?}");
    assert!(decision.reason.say().contains("no SLO shop/web"));
    assert_eq!(case.run(Span::from_hours(1)), []);
    case.observed.workload = None;
    assert!(matches!(case.held(), Reason::Misfit { .. }));
}

#[test]
fn an_edited_policy_keeps_its_cooldown() {
    let mut case = burning();
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
    case.policy.replicas = Bounds::new(3, 100).unwrap();
    case.policy.up.iter_mut().for_each(|step| step.cooldown = Span::from_secs(1));
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::Cooldown { .. }));
}
