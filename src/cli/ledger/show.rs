//! `damper ledger show`.

use std::io::{self, Write as _};

use reqwest::Method;

use super::{ShowArgs, path};
use crate::cli::CommandError;
use crate::cli::check::Output;
use crate::cli::moment::Moment;
use crate::cli::remote::{Refused, ask, read, segment};
use crate::cli::table::{aligned, plain};
use crate::engine::view::{EventsView, LedgerView, SlotView};
use crate::slo::time::{Span, Ts};

/// Shows an SLO's part of the ledger.
pub(super) async fn show(args: &ShowArgs) -> Result<u8, CommandError> {
    let moment = Moment::now();
    let mut query = Vec::new();
    for (name, text) in [("from", &args.from), ("to", &args.to)] {
        if let Some(text) = text {
            query.push(format!("{name}={}", moment.read(&format!("--{name}"), text)?.0));
        }
    }
    for pair in &args.group {
        let (label, value) = pair
            .split_once('=')
            .filter(|(_, value)| !value.is_empty())
            .ok_or_else(|| format!("--group {pair}: write it as LABEL=VALUE"))?;
        query.push(format!("group.{}={}", segment(label)?, segment(value)?));
    }
    let path = format!("{}/ledger?{}", path(&args.slo)?, query.join("&"));
    let answer = ask(&args.remote, Method::GET, &path, None).await.map_err(of_flags)?;
    let text = match args.remote.output {
        Output::Json => format!("{answer:#}\n"),
        Output::Text => described(&read(&answer)?, &moment),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

/// What the API says of a parameter, as of the flag that gave it.
fn of_flags(error: CommandError) -> CommandError {
    let Some(Refused { detail, parameter: Some(parameter), .. }) = error.downcast_ref() else { return error };
    let flag = match parameter.strip_prefix("group.") {
        Some(label) => format!("--group {label}=VALUE"),
        None => format!("--{parameter}"),
    };
    detail.replace(&format!("The parameter `{parameter}`"), &flag).into()
}

fn described(view: &LedgerView, moment: &Moment) -> String {
    let mut lines = vec![format!("{}, as of {}", plain(&view.slo), moment.tell(Ts(view.at)))];
    lines.push(String::new());
    lines.extend(groups(view, moment));
    if view.groups_folded > 0 {
        lines.push(format!("and {} groups more", view.groups_folded));
    }
    lines.push(String::new());
    if view.exclusions.is_empty() {
        lines.push("nothing is taken out".to_owned());
    } else {
        lines.extend(exclusions(view, moment));
    }
    if !view.slots.is_empty() {
        lines.push(String::new());
        lines.extend(slots(view, moment));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn groups(view: &LedgerView, moment: &Moment) -> Vec<String> {
    let head =
        ["GROUP", "SINCE", "BOOKED", "TAKEN OUT", "COUNTS", "KNOWN", "BUDGET LEFT", "WITHOUT EXCLUSIONS"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for group in &view.groups {
        let labels: Vec<String> = group.labels.iter().map(|(k, v)| format!("{k}={}", plain(v))).collect();
        let labels = if labels.is_empty() { "(all)".to_owned() } else { labels.join(", ") };
        let taken = match group.excluded_seconds {
            0 => "-".to_owned(),
            seconds => format!("{} in {}", events(&group.excluded), Span::from_secs_saturating(seconds)),
        };
        rows.push(vec![
            labels,
            group.from.map_or_else(|| "-".to_owned(), |from| moment.time(Ts(from))),
            events(&group.raw),
            taken,
            events(&group.counted),
            percent(group.coverage),
            percent(group.budget_remaining),
            percent(group.budget_remaining_raw),
        ]);
    }
    aligned(&rows)
}

fn exclusions(view: &LedgerView, moment: &Moment) -> Vec<String> {
    let head = ["ID", "FROM", "TO", "HOLDS", "BY", "SAID", "REASON"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(view.exclusions.iter().map(|exclusion| {
        vec![
            exclusion.id.to_string(),
            moment.time(Ts(exclusion.from)),
            moment.time(Ts(exclusion.to)),
            events(&exclusion.events),
            plain(&exclusion.by),
            moment.away(Ts(exclusion.at)),
            plain(&exclusion.reason),
        ]
    }));
    aligned(&rows)
}

fn slots(view: &LedgerView, moment: &Moment) -> Vec<String> {
    let mut rows = vec![["FROM", "LENGTH", "BAD", "TOTAL", "KNOWN", ""].map(str::to_owned).to_vec()];
    let number = |events: Option<f64>| events.map_or_else(|| "-".to_owned(), |events| events.to_string());
    rows.extend(view.slots.chunk_by(|one, next| is_empty(one) && is_empty(next)).filter_map(|run| {
        let (slot, last) = (run.first()?, run.last()?);
        let length = last.to - slot.from;
        let taken = match slot.excluded {
            0 => String::new(),
            seconds if seconds >= length => "taken out".to_owned(),
            seconds => format!("{} taken out", Span::from_secs_saturating(seconds)),
        };
        Some(vec![
            moment.time(Ts(slot.from)),
            Span::from_secs_saturating(length).to_string(),
            number(slot.bad),
            number(slot.total),
            percent(Some(slot.coverage)),
            taken,
        ])
    }));
    aligned(&rows)
}

/// Nothing is known of it, and nothing more is to be said: many of them are one line.
fn is_empty(slot: &SlotView) -> bool {
    slot.coverage == 0.0 && slot.excluded == 0
}

/// `12 of 3400 bad`.
fn events(events: &EventsView) -> String {
    format!("{} of {} bad", events.bad, events.total)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}%", share * 100.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::moment::tests::AT;

    #[test]
    fn a_parameter_that_is_wrong_is_told_as_the_flag_that_gave_it() {
        let told = |parameter: &str, wrong: &str| {
            let detail = format!("The parameter `{parameter}` {wrong}.");
            of_flags(Refused::new(detail, Some(parameter)).into()).to_string()
        };
        assert_eq!(
            told("group.route", "is needed; there are: /s"),
            "--group route=VALUE is needed; there are: /s."
        );
        assert_eq!(told("from", "must be before `to`"), "--from must be before `to`.");
        let other = of_flags(Refused::new("There is no SLO `a/b`.".to_owned(), None).into());
        assert_eq!(other.to_string(), "Damper answers 400: There is no SLO `a/b`.");
    }

    #[test]
    fn what_is_booked_taken_out_and_counts_stand_side_by_side() {
        let now = AT.now.0;
        let view: LedgerView = read(&json!({
            "slo": "shop/web", "at": now, "groupsFolded": 0,
            "groups": [{
                "labels": {}, "from": now - 3600, "raw": {"bad": 60, "total": 1000},
                "excluded": {"bad": 50, "total": 500}, "counted": {"bad": 10, "total": 500},
                "excludedSeconds": 600, "coverage": 1.0, "budgetRemaining": -1.0, "budgetRemainingRaw": -5.0,
            }],
            "exclusions": [{
                "id": 7, "from": now - 900, "to": now - 300, "reason": "load test", "by": "ann", "at": now - 60,
                "events": {"bad": 50, "total": 500},
            }],
            "slots": [
                {"from": now - 420, "to": now - 390, "bad": null, "total": null, "coverage": 0.0, "excluded": 0},
                {"from": now - 390, "to": now - 360, "bad": null, "total": null, "coverage": 0.0, "excluded": 0},
                {"from": now - 360, "to": now - 330, "bad": null, "total": null, "coverage": 0.0, "excluded": 30},
                {"from": now - 330, "to": now - 300, "bad": 5, "total": 50, "coverage": 1.0, "excluded": 30},
                {"from": now - 300, "to": now - 270, "bad": null, "total": null, "coverage": 0.0, "excluded": 0},
            ],
        }))
        .unwrap();
        insta::assert_snapshot!(described(&view, &AT), @r"
        shop/web, as of 18:20:00 UTC, now

        GROUP  SINCE         BOOKED          TAKEN OUT             COUNTS         KNOWN    BUDGET LEFT  WITHOUT EXCLUSIONS
        (all)  17:20:00 UTC  60 of 1000 bad  50 of 500 bad in 10m  10 of 500 bad  100.00%  -100.00%     -500.00%

        ID  FROM          TO            HOLDS          BY   SAID    REASON
        7   18:05:00 UTC  18:15:00 UTC  50 of 500 bad  ann  1m ago  load test

        FROM          LENGTH  BAD  TOTAL  KNOWN
        18:13:00 UTC  1m      -    -      0.00%
        18:14:00 UTC  30s     -    -      0.00%    taken out
        18:14:30 UTC  30s     5    50     100.00%  taken out
        18:15:00 UTC  30s     -    -      0.00%
        ");
    }
}
