//! Definitions and routes that change while something fires.

use super::*;

fn edit(world: &mut World, change: impl FnOnce(&mut Slo)) {
    let mut edited = (*world.planned.slo).clone();
    change(&mut edited);
    world.planned.rule_names = edited.alerting.rules.iter().map(Rule::name).collect();
    world.planned.slo = Arc::new(edited);
}

fn firing(rule: Rule) -> World {
    let mut world = World::well(vec![rule]);
    world.tick(100, 100);
    world.tick(100, 100);
    assert_eq!(world.events(), burn_fired());
    world
}

#[test]
fn an_edited_rule_does_not_resolve_while_nothing_is_known() {
    let mut world = firing(rule(Severity::Page, "13.44", 60, Some(5)));
    world.blind_tick();
    edit(&mut world, |slo| slo.alerting.rules = vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.blind_tick();
    assert_eq!(world.events(), burn_fired());
}

#[test]
fn an_edited_rule_goes_on_with_the_same_incident_until_it_is_clear() {
    let labels = Labels::from([("channel".into(), "phone".into())]);
    let rule_then = rule(Severity::Page, "13.44", 60, Some(5));
    let mut world = firing(Rule { labels: labels.clone(), ..rule_then });
    edit(&mut world, |slo| {
        let slower = rule(Severity::Page, "6", 360, Some(30));
        slo.alerting.rules = vec![Rule { labels, hold_for: Span::from_mins(5), ..slower }];
    });
    // `for` has been waited out by whoever was told.
    world.tick(100, 100);
    assert_eq!(world.events(), burn_fired(), "neither resolved nor told under other labels");
    for _ in 0..60 {
        world.tick(100, 0);
    }
    assert_eq!(world.told.len(), 2);
    assert_eq!((world.told[1].event, &world.told[1].incident), (Event::Resolved, &world.told[0].incident));
}

#[test]
fn a_rule_that_is_removed_ends_the_alert_once_the_others_are_known_to_be_clear() {
    let mut world = firing(rule(Severity::Page, "14.4", 60, Some(5)));
    edit(&mut world, |slo| slo.alerting.rules = vec![rule(Severity::Page, "900", 60, Some(5))]);
    world.blind_tick();
    assert_eq!(world.events(), burn_fired());
    world.tick(100, 0);
    assert_eq!(world.told.last().unwrap().event, Event::Resolved);
    let mut world = firing(rule(Severity::Page, "14.4", 60, Some(5)));
    edit(&mut world, |slo| slo.alerting.rules.clear());
    world.tick(100, 100);
    assert_eq!(world.told.last().unwrap().event, Event::Resolved, "nobody wants to be paged any more");
}

#[test]
fn a_severity_that_changes_takes_the_alert_about_absence_with_it() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    for _ in 0..25 {
        world.absent_tick();
    }
    assert_eq!(world.events(), [("SLOAbsent".into(), Event::Firing)]);
    edit(&mut world, |slo| slo.absent.severity = Severity::Page);
    world.absent_tick();
    assert_eq!((world.told[1].event, world.told[1].alert.severity), (Event::Resolved, Severity::Ticket));
    for _ in 0..25 {
        world.absent_tick();
    }
    assert_eq!((world.told[2].event, world.told[2].alert.severity), (Event::Firing, Severity::Page));
}

#[test]
fn shadow_to_live_tells_what_fires() {
    let mut shadow = slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    shadow.alerting.mode = AlertMode::Shadow;
    let mut world = World::new(shadow);
    for bad in [0; 130].into_iter().chain([100, 100]) {
        world.tick(100, bad);
    }
    assert_eq!(world.told.len(), 1);
    edit(&mut world, |slo| slo.alerting.mode = AlertMode::Live);
    for _ in 0..20 {
        world.tick(100, 100);
    }
    let [shadowed, told] = &world.told[..] else { panic!("{:?}", world.events()) };
    assert_eq!((&told.told[..], told.event), (&["oncall".into()][..], Event::Firing));
    assert_eq!(told.incident, shadowed.incident);
    assert_eq!(told.alert.starts_at, shadowed.alert.starts_at);
}

#[test]
fn a_route_that_is_added_tells_its_receiver_what_fires_and_later_its_end() {
    let mut world = firing(rule(Severity::Page, "14.4", 60, Some(5)));
    world.receivers.push("chat".into());
    assert_eq!(world.tick(100, 100), 1);
    assert_eq!(world.tick(100, 100), 0, "told once");
    let ids: Vec<String> = world.told.iter().flat_map(Transition::notices).map(|n| n.id).collect();
    let incident = &world.told[0].incident;
    assert_eq!(ids, [format!("{incident}-firing-oncall"), format!("{incident}-firing-chat")]);
    for _ in 0..11 {
        world.tick(100, 0);
    }
    assert_eq!(world.told[2].told, ["oncall", "chat"]);
}

#[test]
fn a_route_added_over_an_outage_is_told_of_the_incident_people_know() {
    let mut world = firing(rule(Severity::Page, "14.4", 60, Some(5)));
    let incident = world.told[0].incident.clone();
    world.receivers.push("chat".into());
    // It ended and began again while nobody looked.
    let before = world.control.clone();
    let mut control = before.clone();
    let mut deltas = vec![];
    for bad in [0; 12].into_iter().chain([100, 100]) {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(bad)]));
        let delta = world.look_back(Ts(world.now), &control);
        control.apply(&delta);
        deltas.push(delta);
    }
    world.commit(net(&before, deltas));
    let told = world.told.last().unwrap();
    assert_eq!((&told.incident, &told.told[..]), (&incident, &["chat".into()][..]));
    let state = world.control.iter().find_map(|(_, s)| s.firing.clone()).unwrap();
    assert_eq!((state.incident, state.told.len()), (incident, 2));
}

#[test]
fn a_group_that_new_series_have_not_seen_ends_only_once_they_are_known_for_long() {
    let mut grouped = slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    grouped.group_by = Some(group_by(&["route"]));
    let group = |name: &str, value: &str, events| GroupFact {
        group: Labels::from([(name.into(), value.into())]),
        ..fact(events)
    };
    let mut world = World::new(grouped.clone());
    for tick in 0..140 {
        let bad = if tick >= 130 { 100 } else { 0 };
        world.tell(
            SlotState::Known(vec![group("route", "/pay", 100)]),
            SlotState::Known(vec![group("route", "/pay", bad)]),
        );
        world.decide();
    }
    assert_eq!(world.events(), burn_fired());
    // By other labels, and so counted anew; history comes from its oldest end, here two days ago.
    grouped.group_by.as_mut().unwrap().labels = vec!["handler".into()];
    let anew = World::new(grouped);
    (world.planned, world.ledger) = (anew.planned, anew.ledger);
    let now = world.now;
    for old in [now - 2 * 86_400, now - 2 * 86_400 + S] {
        world.now = old;
        world.tell(SlotState::Known(vec![group("handler", "pay", 100)]), SlotState::Absent);
    }
    world.now = now;
    let tell = |world: &mut World| {
        world.tell(SlotState::Known(vec![group("handler", "pay", 100)]), SlotState::Absent);
        world.decide()
    };
    for _ in 0..2700 {
        assert_eq!(tell(&mut world), 0);
    }
    let told: usize = (0..180).map(|_| tell(&mut world)).sum();
    assert_eq!((told, world.told.last().unwrap().event), (1, Event::Resolved));
}
