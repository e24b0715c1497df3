//! Alerts that begin, hold and end.

use super::*;

#[test]
fn it_pages_when_both_windows_exceed_with_the_numbers_and_resolves_when_the_short_one_clears() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    // 14.4 × 0.1 % of an hour of 12,000 events are 173 bad ones.
    assert_eq!(world.tick(100, 100), 0);
    assert_eq!(world.tick(100, 73), 1);
    let fired = world.told[0].clone();
    assert_eq!(fired.event, Event::Firing);
    assert_eq!(fired.alert.labels["severity"], "page");
    assert_eq!(fired.alert.labels["team"], "payments");
    assert_eq!(fired.alert.labels["cluster"], "eu1");
    assert_eq!(fired.alert.annotations["runbook"], "https://run/checkout");
    let evidence = fired.alert.evidence.clone().unwrap();
    assert_eq!(evidence.rules.len(), 1);
    assert!(
        (evidence.rules[0].long.bad - 173.0).abs() < 1e-9
            && (evidence.rules[0].long.total - 12_000.0).abs() < 1e-9
    );
    assert!(evidence.rules[0].long.burn.unwrap() >= 14.4);
    assert!(evidence.budget_remaining.unwrap() < 0.0, "{evidence:?}");
    for _ in 0..9 {
        assert_eq!(world.tick(100, 0), 0);
    }
    // Ten slices later the errors have left the five minutes.
    assert_eq!(world.tick(100, 0) + world.tick(100, 0), 1);
    let resolved = world.told[1].clone();
    assert_eq!((resolved.event, &resolved.incident), (Event::Resolved, &fired.incident));
    assert_eq!(resolved.alert.labels, fired.alert.labels);
    let (a, b) = (fired.notices().next().unwrap(), resolved.notices().next().unwrap());
    assert_ne!(a.id, b.id);
    assert_eq!(a.receiver, "oncall");
    assert!(world.control.iter().next().is_none(), "nothing is kept of a healthy SLO");
}

#[test]
fn one_alert_fires_while_any_rule_does_and_carries_all_that_hold() {
    let rules = vec![rule(Severity::Page, "14.4", 60, Some(5)), rule(Severity::Page, "2", 60, None)];
    let mut world = World::well(rules);
    world.tick(100, 30);
    assert_eq!(world.told.len(), 1, "the slower rule");
    world.tick(100, 100);
    world.tick(100, 100);
    assert_eq!(world.told.len(), 1, "the faster rule joins the same alert");
    for _ in 0..30 {
        world.tick(100, 0);
    }
    assert_eq!(world.told.len(), 1, "the hour still burns");
}

#[test]
fn a_source_that_goes_blind_fires_and_resolves_nothing_but_says_so_once() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    assert_eq!(world.events(), burn_fired());
    world.observed.blind.insert("local".into(), true);
    for _ in 0..4 {
        world.blind_tick();
    }
    let mut expected = burn_fired();
    expected.push(("SourceBlind".into(), Event::Firing));
    assert_eq!(world.events(), expected);
    assert_eq!(world.told[1].alert.labels["source"], "local");
    world.observed.blind.insert("local".into(), false);
    world.tick(100, 100);
    expected.push(("SourceBlind".into(), Event::Resolved));
    assert_eq!(world.events(), expected);
}

#[test]
fn a_source_blind_for_ten_minutes_pages() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.observed.blind.insert("local".into(), true);
    for _ in 0..21 {
        world.blind_tick();
    }
    let severities: Vec<Severity> = world.told.iter().map(|t| t.alert.severity).collect();
    assert_eq!(severities, [Severity::Ticket, Severity::Page]);
}

#[test]
fn missed_slices_are_stepped_through_but_only_the_net_state_is_told() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    let before = world.control.clone();
    let mut control = before.clone();
    let mut deltas = vec![];
    // While nobody looked: an alert opened and closed, and another has begun.
    let missed: Vec<i64> = [100, 100].into_iter().chain([0; 11]).chain([100, 100]).collect();
    for bad in missed {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(bad)]));
        let delta = world.look(Ts(world.now), &control);
        control.apply(&delta);
        deltas.push(delta);
    }
    let all: Vec<Event> = deltas.iter().flat_map(|d| &d.transitions).map(|t| t.event).collect();
    assert_eq!(all, [Event::Firing, Event::Resolved, Event::Firing]);
    let folded = net(&before, deltas.clone());
    assert_eq!(folded.transitions.iter().map(|t| t.event).collect::<Vec<_>>(), [Event::Firing]);
    // Up to the moment it had closed: one missed alert, no page.
    let folded = net(&before, deltas[..13].to_vec());
    assert_eq!(folded.transitions.iter().map(|t| t.event).collect::<Vec<_>>(), [Event::Missed]);
    assert!(!folded.transitions[0].alert.annotations.contains_key("times"));
    world.commit(folded);
    assert!(world.control.iter().next().is_none());
}

#[test]
fn what_came_and_went_several_times_unseen_is_told_once_with_how_often_and_since_when() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    let before = world.control.clone();
    let mut control = before.clone();
    let mut deltas = vec![];
    let once = || [100, 100].into_iter().chain([0; 12]);
    for bad in once().chain(once()).chain(once()) {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(bad)]));
        let delta = world.look(Ts(world.now), &control);
        control.apply(&delta);
        deltas.push(delta);
    }
    let all: Vec<Transition> = deltas.iter().flat_map(|delta| delta.transitions.clone()).collect();
    assert_eq!(all.len(), 6);
    let folded = net(&before, deltas);
    let [missed] = &folded.transitions[..] else { panic!("{:?}", folded.transitions) };
    assert_eq!((missed.event, &missed.incident, missed.at), (Event::Missed, &all[5].incident, all[5].at));
    assert_eq!((missed.alert.starts_at, missed.alert.ends_at), (all[0].at, Some(all[5].at)));
    let often =
        format!("It fired 3 times between {} and {}; the numbers are of the last.", all[0].at, all[5].at);
    assert_eq!(missed.alert.annotations["times"], often);
    // Told again, as the store that is away holds it, it says the same.
    assert_eq!(net(&before, vec![folded.clone()]), folded);
}

#[test]
fn an_alert_that_ends_and_begins_again_while_nobody_looks_stays_the_incident_people_know() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    let incident = world.told[0].incident.clone();
    let before = world.control.clone();
    let mut control = before.clone();
    let mut deltas = vec![];
    for bad in [0; 12].into_iter().chain([100, 100]) {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(bad)]));
        let delta = world.look(Ts(world.now), &control);
        control.apply(&delta);
        deltas.push(delta);
    }
    assert_eq!(world.commit(net(&before, deltas)), 0);
    let firing = world.control.iter().find_map(|(_, s)| s.firing.clone()).unwrap();
    assert_eq!(firing.incident, incident);
}

#[test]
fn nothing_resolves_while_fewer_than_half_of_the_targets_are_up() {
    let mut world = World::new(slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]));
    world.planned.alive = Some(AliveIx(0));
    let up = |world: &mut World, up| world.targets = Some(AliveReading { up, known: 10 });
    up(&mut world, 10);
    for _ in 0..130 {
        world.tick(100, 0);
    }
    world.tick(100, 100);
    world.tick(100, 100);
    assert_eq!(world.events(), burn_fired());
    up(&mut world, 4);
    for _ in 0..20 {
        world.tick(40, 0);
    }
    assert_eq!(world.told.len(), 1, "the sick ones took their errors with them");
    world.targets = None;
    world.tick(40, 0);
    assert_eq!(world.told.len(), 1, "not knowing the targets holds too");
    up(&mut world, 5);
    world.tick(40, 0);
    assert_eq!(world.told.last().unwrap().event, Event::Resolved);
}

#[test]
fn absence_holds_alerts_and_says_so_after_a_while() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    for _ in 0..20 {
        world.absent_tick();
    }
    assert_eq!(world.events(), burn_fired());
    world.absent_tick();
    assert_eq!(world.told.last().unwrap().alert.labels["alertname"], "SLOAbsent");
    assert_eq!(world.told.last().unwrap().alert.severity, Severity::Ticket);
    world.tick(100, 0);
    assert_eq!(world.told.last().unwrap().event, Event::Resolved);
    assert_eq!(world.told.last().unwrap().alert.labels["alertname"], "SLOAbsent");
}

#[test]
fn a_workload_that_is_up_and_was_never_asked_is_idle() {
    let mut world = World::new(slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]));
    world.planned.alive = Some(AliveIx(0));
    world.targets = Some(AliveReading { up: 2, known: 2 });
    for _ in 0..60 {
        assert_eq!(world.absent_tick(), 0);
    }
}

#[test]
fn one_query_that_fails_alone_is_told_after_five_minutes() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    for _ in 0..10 {
        assert_eq!(world.blind_tick(), 0);
    }
    assert_eq!(world.blind_tick(), 1);
    assert_eq!(world.told[0].alert.labels["alertname"], "SLOUnknown");
    world.tick(100, 0);
    assert_eq!(world.told[1].event, Event::Resolved);
}

#[test]
fn shadow_mode_runs_everything_and_tells_nobody() {
    let mut shadow = slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    shadow.alerting.mode = AlertMode::Shadow;
    let mut world = World::new(shadow);
    for bad in [0; 130].into_iter().chain([100, 100]) {
        world.tick(100, bad);
    }
    assert_eq!(world.told.len(), 1);
    assert_eq!(world.told[0].notices().count(), 0);
}

#[test]
fn an_edited_label_resolves_the_old_label_set_and_fires_the_new_one() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    let mut edited = (*world.planned.slo).clone();
    edited.labels.insert("team".into(), "checkout".into());
    world.planned.slo = Arc::new(edited);
    assert_eq!(world.tick(100, 100), 2);
    let [first, old, new] = &world.told[..] else { panic!("{:?}", world.events()) };
    assert_eq!(
        (old.event, &old.incident, &old.alert.labels),
        (Event::Resolved, &first.incident, &first.alert.labels)
    );
    assert_eq!((new.event, new.alert.labels["team"].as_str()), (Event::Firing, "checkout"));
    assert_eq!(new.alert.starts_at, first.alert.starts_at);
    assert_eq!(world.tick(100, 100), 0);
}

#[test]
fn a_definition_that_went_resolves_what_was_told() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    let delta = retire(&BTreeSet::new(), &world.control, Ts(world.now));
    assert_eq!(world.commit(delta), 1);
    assert_eq!(world.told[1].event, Event::Resolved);
    assert_eq!(world.told[1].told, ["oncall"]);
    assert!(world.control.iter().next().is_none());
}

#[test]
fn groups_have_alerts_of_their_own_and_end_with_their_series() {
    let mut grouped = slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    grouped.group_by = Some(group_by(&["route"]));
    let mut world = World::new(grouped);
    let group = |route: &str, events| GroupFact {
        group: Labels::from([("route".into(), route.into())]),
        ..fact(events)
    };
    for tick in 0..140 {
        let bad = if tick >= 130 { 100 } else { 0 };
        world.tell(
            SlotState::Known(vec![group("/pay", 100), group("/list", 100)]),
            SlotState::Known(vec![group("/pay", bad)]),
        );
        world.decide();
    }
    assert_eq!(world.told.len(), 1);
    assert_eq!(world.told[0].alert.labels["route"], "/pay");
    let Subject::Burn { group: labels, .. } = &world.told[0].key.subject else { panic!() };
    assert_eq!(labels["route"], "/pay");
    // For a day only the other route has series.
    for _ in 0..86_400 / S + 1 {
        world.tell(SlotState::Known(vec![group("/list", 100)]), SlotState::Absent);
    }
    let (after, totals) = (Span::from_hours(24), BTreeSet::from([SeriesIx(0)]));
    let expiry = Expiry { after, totals };
    world.ledger.expire(Ts(world.now), &[0, 1].map(|ix| (SeriesIx(ix), expiry.clone())).into());
    world.decide();
    assert_eq!(world.told.last().unwrap().event, Event::Resolved);
}

#[test]
fn keys_in_control_are_what_the_store_files() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    let mut restored = Control::default();
    for (key, state) in world.control.iter() {
        let body = serde_json::to_string(state).unwrap();
        restored.put(AlertKey::from_text(&key.to_text()).unwrap(), serde_json::from_str(&body).unwrap());
    }
    assert_eq!(restored, world.control);
}

#[test]
fn an_alert_ends_after_the_workload_was_made_smaller() {
    let mut world = World::new(slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]));
    world.planned.alive = Some(AliveIx(0));
    world.targets = Some(AliveReading { up: 20, known: 20 });
    for bad in [0; 130].into_iter().chain([100, 100]) {
        world.tick(100, bad);
    }
    assert_eq!(world.events(), burn_fired());
    world.targets = Some(AliveReading { up: 8, known: 8 });
    for _ in 0..28 {
        assert_eq!(world.tick(100, 0), 0, "those that went may come back");
    }
    let told: usize = (0..32).map(|_| world.tick(100, 0)).sum();
    assert_eq!((told, world.told.last().unwrap().event), (1, Event::Resolved));
}
