//! What is shown of answers, in whole.

use serde_json::{Value, json};

use super::explained;
use crate::api::PolicyView;
use crate::cli::moment::tests::AT;

const NOW: i64 = AT.now.0;

/// An answer of the API about a policy that added two and waits.
fn answer() -> Value {
    json!({
        "name": "checkout", "mode": "auto", "target": "apps/v1 Deployment shop/checkout",
        "slos": ["shop/availability", "shop/latency"], "min": 3, "max": 20, "base": 3,
        "cooldownUntil": NOW + 120, "paused": false,
        "decision": {
            "at": NOW - 12, "from": null, "to": null,
            "reason": {"code": "cooldown", "why": "The last write is too young.",
                       "wouldChange": "2026-11-22T18:22:10Z", "numbers": {"until": NOW + 130}},
            "runnerUp": {"code": "burning", "wouldChange": "a burn rate below 2× in either window", "numbers": {},
                         "why": "shop/availability burns 3.1× (short window) and 2.4× (long window), at least 2×: add 2."},
        },
        "seen": {
            "at": NOW - 20,
            "burns": [
                {"slo": "shop/availability", "short": 3.1, "long": 2.4, "bad": 34.0, "budgetLeft": 0.621, "pages": true},
                {"slo": "shop/latency", "short": null, "long": null, "bad": null, "budgetLeft": null, "pages": false},
            ],
            "workload": {"wanted": 5, "ready": 4, "position": 5, "owner": "HorizontalPodAutoscaler checkout",
                         "most": 10, "version": "revision 12", "since": NOW - 4800, "writer": "damper"},
            "saturation": 0.82, "vetoes": [0.31, null],
            "missing": ["`queue_length`: has no value"],
        },
        "rule": {
            "shortSeconds": 120, "longSeconds": 300,
            "up": [{"burnRate": 2.0, "add": 2, "cooldownSeconds": 180}, {"burnRate": 1.5, "add": 1, "cooldownSeconds": 120}],
            "downBurnRate": 0.8, "calmSeconds": 300, "downCooldownSeconds": 300, "minBadEvents": 20.0,
            "settleSeconds": 60, "maxActionsPerHour": 12,
            "saturation": {"query": "max(cpu)", "scaleAbove": 0.7, "shrinkBelow": 0.65},
            "unless": [{"query": "db_used / db_max", "above": 0.9}, {"query": "queue_length", "above": 100.0}],
        },
        "holds": {"inFlight": null, "overridden": null, "fight": null, "uselessUntil": null, "calmSince": null,
                  "burningSince": NOW - 90, "readySince": null, "writes": 1},
        "history": [
            {"atMs": NOW * 1000 - 12_000, "kind": "scale", "body": {"decision": {"verdict": "hold"}, "why": "x"}},
            {"atMs": NOW * 1000 - 59_500, "kind": "scaleWrite", "body": {"from": 3, "to": 5, "outcome": "done", "error": null}},
            {"atMs": NOW * 1000 - 60_000, "kind": "scale",
             "body": {"decision": {"verdict": {"scale": {"from": 3, "to": 5}}}, "why": "shop/availability burns 3.1×: add 2."}},
            {"atMs": NOW * 1000 - 600_000, "kind": "scaleCommand", "body": {"asked": ["pause", "resume"]}},
            {"atMs": NOW * 1000 - 700_000, "kind": "scaleWrite",
             "body": {"from": 4, "to": 3, "outcome": "refused", "error": "Kubernetes answered 403"}},
        ],
    })
}

/// The policy of these tests.
pub(in crate::cli) fn policy() -> PolicyView {
    with(json!({}))
}

/// The same with other fields.
#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
pub(in crate::cli) fn with(fields: Value) -> PolicyView {
    let mut answer = answer();
    for (key, value) in fields.as_object().unwrap() {
        answer[key] = value.clone();
    }
    serde_json::from_value(answer).unwrap()
}

#[test]
fn every_number_stands_beside_what_it_is_held_to() {
    insta::assert_snapshot!(explained(&policy(), None, &AT), @r"
    checkout: holds at 5
      target   apps/v1 Deployment shop/checkout, 3 to 20 replicas
      mode     auto
      decided  18:19:48 UTC, 12s ago

    WHY
      because       The last write is too young.
      changes with  18:22:10 UTC, in 2m10s
      else          shop/availability burns 3.1× (short window) and 2.4× (long window), at least 2×: add 2.

    BURN
      of the budget's pace, over  2m       5m       bad events  budget left  page
      shop/availability           3.10×    2.40×    34          62.1%        FIRES
      shop/latency                unknown  unknown  unknown     unknown      -

    RULES
      adds 2        at 2× or more in 2m and 5m, then waits 3m
      adds 1        at 1.5× or more in 2m and 5m, then waits 2m
                    or more where the saturation says that more is missing, or under 10% of the budget is left
                    with 20 bad events or more in 5m
      gives back 1  below 0.8× in 2m and 5m for 5m, then waits 5m

    SATURATION
      0.82  now, 1 being full
      0.7   or more is needed to add
      0.65  must not be reached by those that stay when one is given back
      max(cpu)

    UNLESS
      0.31       forbids above 0.9  allows              db_used / db_max
      NO ANSWER  forbids above 100  forbids: no answer  queue_length

    WORKLOAD
      replicas      4 ready of 5 asked for
      Damper moves  the floor of HorizontalPodAutoscaler checkout, at 5; its own maximum is 10
      bounds        3 to 20
      gives back    down to 3
      version       revision 12, since 17:00:00 UTC, 1h20m ago
      last set by   damper

    NO ANSWER
      `queue_length`: has no value

    HOLDS AND CLOCKS
      cooldown  no write before 18:22:10 UTC, in 2m10s
      burning   asks for more since 18:18:30 UTC, 1m30s ago
      writes    1 of 12 within 1h

    LAST MOVES
      18:19:00 UTC  1m ago      wrote 3 → 5
      18:19:00 UTC  1m ago      decided 3 → 5      shop/availability burns 3.1×: add 2.
      18:10:00 UTC  10m ago     told               pause, then resume
      18:08:20 UTC  11m40s ago  NOT WRITTEN 4 → 3  Kubernetes answered 403
    ");
}

#[test]
fn before_the_first_decision_it_says_so_and_shows_the_rules() {
    let new = with(json!({
        "decision": null, "seen": null, "history": [], "cooldownUntil": null, "mode": "dryRun", "paused": true,
        "holds": {"writes": 0},
    }));
    insta::assert_snapshot!(explained(&new, Some(NOW - 60), &AT), @r"
    checkout: nothing is decided yet; it comes with the next tick
      target  apps/v1 Deployment shop/checkout, 3 to 20 replicas
      mode    dry run: it decides and writes nothing, PAUSED by command

    HELD: as of 18:19:00 UTC, 1m ago; Damper cannot know better now, see `damper status`

    RULES
      adds 2        at 2× or more in 2m and 5m, then waits 3m
      adds 1        at 1.5× or more in 2m and 5m, then waits 2m
                    or more where the saturation says that more is missing, or under 10% of the budget is left
                    with 20 bad events or more in 5m
      gives back 1  below 0.8× in 2m and 5m for 5m, then waits 5m

    HOLDS AND CLOCKS
      writes  0 of 12 within 1h

    LAST MOVES  none that history remembers
    ");
}

#[test]
fn what_is_not_known_and_what_others_did_is_told() {
    let seen = json!({"at": NOW, "burns": [], "workload": null, "saturation": null, "vetoes": [], "missing": ["the API did not answer\u{1b}[2J"]});
    let view = with(json!({
        "seen": seen,
        "holds": {
            "inFlight": {"by": null, "to": 5, "until": NOW + 20},
            "overridden": {"by": "kubectl", "to": 9, "until": NOW + 3000},
            "fight": {"by": null, "to": 3, "until": NOW - 1},
            "uselessUntil": NOW + 1800, "calmSince": NOW - 30, "readySince": NOW - 31, "writes": 2,
        },
        "rule": {"shortSeconds": 120, "longSeconds": 300, "up": [], "downBurnRate": 0.8, "calmSeconds": 300,
                 "downCooldownSeconds": 300, "minBadEvents": 0.0, "settleSeconds": 60, "maxActionsPerHour": 12,
                 "saturation": null, "unless": []},
        "history": [],
    }));
    let text = explained(&view, None, &AT);
    assert!(text.starts_with("checkout: holds; where it stands is not known\n"), "{text}");
    for line in [
        "SATURATION  none: the policy says that nothing tells",
        "  UNKNOWN  its API does not answer",
        "  the API did not answer [2J",
        "  under way  the write to 5, void at 18:20:20 UTC, in 20s",
        "  override   kubectl set it to 9; left alone until 19:10:00 UTC, in 50m",
        "  no help    adding did not help; nothing is added until 18:50:00 UTC, in 30m",
        "  calm       since 18:19:30 UTC, 30s ago, of 5m that are needed",
        "  all ready  since 18:19:29 UTC, 31s ago, judged after 1m",
        "LAST MOVES  none that history remembers",
    ] {
        assert!(text.lines().any(|told| told == line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("fight"), "it is over: {text}");
}
