//! `damper scale status`: one line for each policy.

use std::io::{self, Write as _};

use reqwest::Method;
use serde_json::Value;

use crate::api::PolicyView;
use crate::cli::CommandError;
use crate::cli::args::RemoteArgs;
use crate::cli::check::Output;
use crate::cli::moment::Moment;
use crate::cli::remote::{ask, read, segment};
use crate::cli::table::{aligned, plain};
use crate::slo::time::Ts;

const HEAD: [&str; 6] = ["POLICY", "REPLICAS", "BOUNDS", "MODE", "UNTIL", "LAST DECISION"];

/// Shows one policy or all of them.
pub(super) async fn status(remote: &RemoteArgs, policy: Option<&str>) -> Result<u8, CommandError> {
    let path = match policy {
        Some(policy) => format!("api/v1/scale/{}", segment(policy)?),
        None => "api/v1/scale".to_owned(),
    };
    let answer = ask(remote, Method::GET, &path, None).await?;
    let text = match remote.output {
        Output::Json => format!("{answer:#}\n"),
        Output::Text => {
            let views = match policy {
                Some(_) => vec![read(&answer)?],
                None => read(answer.get("items").unwrap_or(&Value::Null))?,
            };
            let mut text = described(&views, answer.get("asOf").and_then(Value::as_i64), &Moment::now());
            // Of a policy the decision says it.
            if views.is_empty() {
                text.push_str(&stopped(&ask(remote, Method::GET, "api/v1/status", None).await?));
            }
            text
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

fn described(views: &[PolicyView], held: Option<i64>, moment: &Moment) -> String {
    if views.is_empty() {
        return "no scale policy is in force; `damper status` tells of definitions that are refused\n"
            .to_owned();
    }
    let head = HEAD.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(views.iter().map(|v| row(v, moment))).collect();
    let mut text = aligned(&rows).join("\n");
    text.push('\n');
    if let Some(at) = held {
        let at = moment.tell(Ts(at));
        text.push_str(&format!("held: as of {at}; Damper cannot know better now, see `damper status`\n"));
    }
    text
}

/// That all scaling is stopped, where it is.
fn stopped(status: &Value) -> String {
    let by = status.get("scalingStopped").and_then(Value::as_str);
    by.map_or_else(String::new, |by| format!("all scaling is stopped by {}\n", plain(by)))
}

fn row(view: &PolicyView, moment: &Moment) -> Vec<String> {
    let workload = view.seen.as_ref().and_then(|seen| seen.workload.as_ref());
    let position = workload.map_or_else(|| "unknown".to_owned(), |workload| workload.position.to_string());
    let until = view.decision.as_ref().and_then(|decision| decision.reason.numbers.get("until")?.as_i64());
    let mode = if view.mode == "auto" { "auto" } else { "dry run" };
    vec![
        plain(&view.name),
        position,
        format!("{} to {}", view.min, view.max),
        mode.to_owned(),
        until.map_or_else(|| "-".to_owned(), |until| moment.away(Ts(until))),
        verdict(view, moment),
    ]
}

fn verdict(view: &PolicyView, moment: &Moment) -> String {
    let Some(decision) = &view.decision else { return "none yet; it comes with the next tick".to_owned() };
    let why = moment.sentence(&plain(&decision.reason.why));
    match (decision.from, decision.to) {
        (Some(from), Some(to)) => format!("{from} → {to}: {why}"),
        _ => format!("holds: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::explain::tests::{policy, with};
    use crate::cli::moment::tests::AT;

    #[test]
    fn each_policy_has_a_line_with_what_holds_it_and_until_when() {
        let quiet = with(json!({"name": "quiet", "mode": "dryRun", "decision": null, "seen": null}));
        let text = described(&[policy(), quiet], Some(AT.now.0 - 60), &AT);
        insta::assert_snapshot!(text, @r"
        POLICY    REPLICAS  BOUNDS   MODE     UNTIL     LAST DECISION
        checkout  5         3 to 20  auto     in 2m10s  holds: The last write is too young.
        quiet     unknown   3 to 20  dry run  -         none yet; it comes with the next tick
        held: as of 18:19:00 UTC, 1m ago; Damper cannot know better now, see `damper status`
        ");
        assert!(described(&[], None, &AT).starts_with("no scale policy is in force"));
        let by = json!({"scalingStopped": "`damper scale stop`"});
        assert_eq!(stopped(&by), "all scaling is stopped by `damper scale stop`\n");
        assert_eq!(stopped(&json!({"scalingStopped": null})), "");
    }

    #[test]
    fn a_move_is_told_from_where_to_where() {
        let moved = with(json!({"decision": {
            "at": AT.now.0, "from": 3, "to": 5, "runnerUp": null,
            "reason": {"code": "burning", "why": "shop/web burns 3.1×: add 2.", "wouldChange": "x", "numbers": {}},
        }}));
        assert_eq!(verdict(&moved, &AT), "3 → 5: shop/web burns 3.1×: add 2.");
    }
}
