//! Shadow mode with somebody who is shown what nobody is told.

use super::*;
use crate::engine::notice::Notice;

const CHAT: Shadow<'static> = Shadow { all: false, receiver: Some("chat") };

/// A service in shadow mode whose page fires.
fn firing(shadow: Shadow<'static>, mode: AlertMode) -> World {
    let mut slo = slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    slo.alerting.mode = mode;
    let mut world = World::new(slo);
    world.shadow = shadow;
    for bad in [0; 130].into_iter().chain([100, 100]) {
        world.tick(100, bad);
    }
    assert_eq!(world.told.len(), 1);
    world
}

fn notices(world: &World) -> Vec<Notice> {
    world.told.iter().flat_map(Transition::notices).collect()
}

fn set(world: &mut World, mode: AlertMode) {
    let mut slo = (*world.planned.slo).clone();
    slo.alerting.mode = mode;
    world.planned.slo = Arc::new(slo);
}

fn end(world: &mut World) {
    for _ in 0..12 {
        world.tick(100, 0);
    }
}

#[test]
fn what_is_shown_is_marked_so_that_no_route_for_pages_takes_it() {
    let mut world = firing(CHAT, AlertMode::Shadow);
    end(&mut world);
    let all = notices(&world);
    let [shown, ended] = &all[..] else { panic!("{all:?}") };
    assert!(shown.shadow && ended.shadow);
    assert_eq!((shown.receiver.as_str(), &shown.incident), ("chat", &ended.incident));
    assert_ne!(shown.incident, world.told[0].incident, "nothing done to it touches the page");
    for notice in [shown, ended] {
        let label = |name: &str| notice.alert.labels.get(name).map(String::as_str);
        assert_eq!(
            (label("severity"), label("shadow_severity"), label("shadow")),
            (Some("shadow"), Some("page"), Some("true"))
        );
        assert_eq!(notice.alert.severity, Severity::Page);
    }
    assert_eq!(world.told[0].alert.labels["severity"], "page", "history keeps what it is");
    let text = serde_json::to_string(shown).unwrap();
    assert_eq!(&serde_json::from_str::<Notice>(&text).unwrap(), shown);
    let page = Notice { shadow: false, ..shown.clone() };
    assert!(
        !serde_json::to_string(&page).unwrap().contains("\"shadow\":false"),
        "as before there were shadows"
    );
}

#[test]
fn one_setting_puts_everything_into_shadow() {
    for receiver in [None, Some("chat")] {
        let mut world = firing(Shadow { all: true, receiver }, AlertMode::Live);
        world.observed.blind.insert("local".into(), true);
        for _ in 0..30 {
            world.blind_tick();
        }
        assert!(world.events().contains(&("SourceBlind".into(), Event::Firing)), "{:?}", world.events());
        let names: BTreeSet<String> = notices(&world).into_iter().map(|n| n.receiver).collect();
        assert_eq!(names, receiver.into_iter().map(str::to_owned).collect());
    }
}

#[test]
fn the_end_of_shadow_mode_tells_what_fires_and_each_its_own_end() {
    let mut world = firing(CHAT, AlertMode::Shadow);
    set(&mut world, AlertMode::Live);
    assert_eq!((world.tick(100, 100), world.tick(100, 100)), (1, 0), "told once");
    end(&mut world);
    let all: Vec<_> = notices(&world).into_iter().map(|n| (n.receiver, n.event, n.shadow)).collect();
    assert_eq!(
        all,
        [
            ("chat".to_owned(), Event::Firing, true),
            ("oncall".into(), Event::Firing, false),
            ("chat".into(), Event::Resolved, true),
            ("oncall".into(), Event::Resolved, false),
        ]
    );
}

/// Also where the same receiver is then told pages.
#[test]
fn who_was_shown_a_shadow_is_told_the_page_under_another_id() {
    let mut world = firing(CHAT, AlertMode::Shadow);
    set(&mut world, AlertMode::Live);
    (world.shadow, world.receivers) = (Shadow::default(), vec!["chat".into()]);
    assert_eq!(world.tick(100, 100), 1);
    let all = notices(&world);
    let [shown, told] = &all[..] else { panic!("{all:?}") };
    assert_eq!((told.receiver.as_str(), told.shadow), ("chat", false));
    assert!(told.id != shown.id && told.incident != shown.incident);
}

#[test]
fn shadow_mode_that_begins_while_it_fires_keeps_nobody_from_its_end() {
    let mut world = firing(CHAT, AlertMode::Live);
    set(&mut world, AlertMode::Shadow);
    world.tick(100, 100);
    end(&mut world);
    let all: Vec<_> = notices(&world).into_iter().map(|n| (n.receiver, n.event)).collect();
    let pair = |name: &str, event| (name.to_owned(), event);
    assert_eq!(
        all,
        [
            pair("oncall", Event::Firing),
            pair("chat", Event::Firing),
            pair("oncall", Event::Resolved),
            pair("chat", Event::Resolved)
        ]
    );
}

/// As when a deployment sets the mode and a label at once: the new label set is another incident.
#[test]
fn a_label_edited_together_with_the_mode_tells_only_whom_the_new_mode_tells() {
    for (before, after) in [(AlertMode::Live, AlertMode::Shadow), (AlertMode::Shadow, AlertMode::Live)] {
        let mut world = firing(CHAT, before);
        let mut slo = (*world.planned.slo).clone();
        slo.labels.insert("tier".into(), "1".into());
        world.planned.slo = Arc::new(slo);
        set(&mut world, after);
        world.tick(100, 100);
        end(&mut world);
        let name = |mode| if mode == AlertMode::Live { "oncall" } else { "chat" };
        let all: Vec<_> = notices(&world).into_iter().map(|n| (n.receiver, n.event)).collect();
        let pair = |mode, event| (name(mode).to_owned(), event);
        assert_eq!(
            all,
            [
                pair(before, Event::Firing),
                pair(before, Event::Resolved),
                pair(after, Event::Firing),
                pair(after, Event::Resolved)
            ]
        );
    }
}
