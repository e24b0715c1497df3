//! What is promised of scaling holds, and the document shows what is measured.

use super::scenario::{self, Kind};
use super::{Compared, Controller, problems, table};

const DOCUMENT: &str = include_str!("../../docs/scaling-scoreboard.md");

fn compared(kind: Kind, is_wanted: fn(&str) -> bool) -> Vec<Compared> {
    let scenarios = scenario::all().into_iter().filter(|s| s.kind == kind && is_wanted(s.name));
    let all: Vec<Compared> = scenarios.map(|scenario| Compared::of(&scenario)).collect();
    assert!(!all.is_empty());
    let broken: Vec<String> = all.iter().flat_map(problems).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    for compared in &all {
        let table = table::markdown(compared);
        assert!(DOCUMENT.contains(&table), "`make scoreboard WRITE=1` would write:\n{table}");
    }
    all
}

#[test]
fn the_document_has_a_table_of_every_scenario_and_no_other() {
    let (_, tables) = DOCUMENT.split_once(table::BEGIN).unwrap();
    let shown: Vec<&str> = tables.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let all = scenario::all();
    assert_eq!(shown, all.iter().map(|scenario| scenario.name).collect::<Vec<_>>());
}

#[test]
fn nothing_else_spends_less_budget_and_fewer_replicas_under_load() {
    let all = compared(Kind::Load, |_| true);
    // The comparison can tell: each of the others is behind somewhere.
    for other in [Controller::Hpa, Controller::Keda, Controller::Basic] {
        let is_behind = |c: &Compared| c.score(other).budget > c.score(Controller::HpaFloor).budget;
        assert!(all.iter().any(is_behind), "{other:?}");
    }
}

#[test]
fn where_replicas_do_not_help_few_are_added() {
    let all = compared(Kind::NoHelp, |name| name != "fleet outage");
    assert!(all.iter().any(|c| c.score(Controller::Basic).peak == 20), "the comparison can tell");
}

#[test]
fn an_outage_of_what_all_call_adds_next_to_nothing() {
    let all = compared(Kind::NoHelp, |name| name == "fleet outage");
    assert!(all[0].score(Controller::Basic).added > 1000, "the comparison can tell");
}

#[test]
fn nothing_is_done_on_data_that_is_missing() {
    let all = compared(Kind::Blind, |_| true);
    assert!(all.iter().any(|c| c.score(Controller::Keda).removed_blind > 0.0), "the comparison can tell");
}

#[test]
fn git_is_not_fought() {
    compared(Kind::Fight, |_| true);
}

#[test]
fn what_others_are_tuned_to_is_told_too() {
    compared(Kind::Open, |_| true);
}
