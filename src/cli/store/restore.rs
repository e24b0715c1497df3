//! `damper store restore`.

use serde_json::{Value, json};

use super::{PROBLEMS, Place, RestoreArgs, USAGE};
use crate::cli::CommandError;
use crate::cli::moment::Moment;
use crate::cli::table::plain;
use crate::service::restoring::{Restored, restore};
use crate::slo::time::Ts;

/// Restores; gives the exit code.
pub(super) async fn run(args: &RestoreArgs) -> Result<u8, CommandError> {
    let Place { address, options } = match args.place.place() {
        Ok(place) => place,
        Err(why) => return args.place.refuse(USAGE, &why),
    };
    let moment = Moment::now();
    let now = moment.now.to_datetime().unwrap_or_default();
    let from = args.from.as_deref();
    match Box::pin(restore(address.expose(), from, args.as_it_was, options, now)).await {
        Ok(restored) => {
            args.place.tell(&text(&restored, &moment), &value(&restored))?;
            Ok(0)
        }
        Err(error) => args.place.refuse(PROBLEMS, &error.to_string()),
    }
}

/// What was restored, what is lost by it, and what to do now.
fn text(restored: &Restored, moment: &Moment) -> String {
    let mut lines = vec![format!("restored: {}", restored.store.display())];
    if let Some(kept) = &restored.kept {
        lines.push(format!(
            "  What was there is kept as {}*; remove it when nobody needs it any more.",
            kept.display()
        ));
    }
    lines.extend(restored.salvaged.map(|salvaged| match salvaged.lost {
        0 => format!("  All {} rows of counts could be read.", salvaged.rows),
        lost => format!("  Of the counts {} rows could be read, and {lost} could not.", salvaged.rows),
    }));
    let until = restored.ledger_until.map(|until| moment.tell(Ts(until)));
    lines.push(match until.as_ref() {
        Some(until) => format!(
            "  Counts reach until {until}; what is missing is asked of Prometheus again, as far back as it keeps it."
        ),
        None => "  Counts are asked of Prometheus again, as far back as it keeps them.".to_owned(),
    });
    match &restored.decisions_are_old {
        None => lines.push(
            "  Alerts, deliveries, policies and exclusions are those of the store that was there: nothing of them \
             is lost."
                .to_owned(),
        ),
        Some(why) => lines.extend(old(restored, &plain(why))),
    }
    lines.push("Start Damper now.".to_owned());
    lines.join("\n") + "\n"
}

/// What it means that what was decided is not that of the present.
fn old(restored: &Restored, why: &str) -> Vec<String> {
    let mut lines = vec![
        format!("  Alerts, deliveries, policies and exclusions are as of then too ({why}). So:"),
        "  - An alert that began since and still fires is told again, under another key. One that began and \
         ended since is not known: its receiver is not told that it ended. Close those by hand; an \
         Alertmanager forgets them by itself."
            .to_owned(),
    ];
    if restored.firing > 0 {
        lines.push(format!(
            "  - Alerts that fired then: {}. Those that ended since are told to have ended, once more under the \
             same key if that was told.",
            restored.firing
        ));
    }
    if restored.waiting > 0 {
        lines.push(format!(
            "  - Messages that waited then: {}. They are sent under the keys they had, once more if they were \
             sent since.",
            restored.waiting
        ));
    }
    lines.push(
        "  - What was taken out of an SLO since counts again, and what was put back since is out again: look at \
         `damper ledger show SLO`, and do it once more. Numbers that exclusions got since are given anew."
            .to_owned(),
    );
    if restored.scaling_is_stopped {
        lines.push(
            "  - Scaling is stopped, as nobody knows what was moved, paused or stopped since. Look at the \
             workloads and at `damper scale status`, then `damper scale start`."
                .to_owned(),
        );
    }
    lines
}

fn value(restored: &Restored) -> Value {
    json!({
        "store": restored.store,
        "kept": restored.kept,
        "countedUntil": restored.ledger_until,
        "decisionsAreOld": restored.decisions_are_old,
        "firing": restored.firing,
        "waiting": restored.waiting,
        "scalingIsStopped": restored.scaling_is_stopped,
        "salvaged": restored.salvaged.map(|salvaged| json!({
            "rows": salvaged.rows,
            "lost": salvaged.lost,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::moment::tests::AT;
    use crate::store::Salvaged;

    fn restored() -> Restored {
        Restored {
            store: "/d/damper.db".into(),
            kept: Some("/d/damper.db.damaged-20261122T051205Z".into()),
            ledger_until: Some(AT.now.0 - 7200),
            decisions_are_old: None,
            firing: 2,
            waiting: 3,
            scaling_is_stopped: false,
            salvaged: None,
        }
    }

    #[test]
    fn where_nothing_of_the_decisions_is_lost_it_says_so() {
        insta::assert_snapshot!(text(&restored(), &AT), @r"
        restored: /d/damper.db
          What was there is kept as /d/damper.db.damaged-20261122T051205Z*; remove it when nobody needs it any more.
          Counts reach until 16:20:00 UTC, 2h ago; what is missing is asked of Prometheus again, as far back as it keeps it.
          Alerts, deliveries, policies and exclusions are those of the store that was there: nothing of them is lost.
        Start Damper now.
        ");
        let salvaged = Restored {
            kept: None,
            ledger_until: None,
            salvaged: Some(Salvaged { rows: 7, lost: 2 }),
            ..restored()
        };
        insta::assert_snapshot!(text(&salvaged, &AT), @r"
        restored: /d/damper.db
          Of the counts 7 rows could be read, and 2 could not.
          Counts are asked of Prometheus again, as far back as it keeps them.
          Alerts, deliveries, policies and exclusions are those of the store that was there: nothing of them is lost.
        Start Damper now.
        ");
    }

    #[test]
    fn what_is_lost_and_stopped_is_told() {
        let old = Restored {
            decisions_are_old: Some("states: page 5 is damaged".into()),
            scaling_is_stopped: true,
            ..restored()
        };
        insta::assert_snapshot!(text(&old, &AT), @r"
        restored: /d/damper.db
          What was there is kept as /d/damper.db.damaged-20261122T051205Z*; remove it when nobody needs it any more.
          Counts reach until 16:20:00 UTC, 2h ago; what is missing is asked of Prometheus again, as far back as it keeps it.
          Alerts, deliveries, policies and exclusions are as of then too (states: page 5 is damaged). So:
          - An alert that began since and still fires is told again, under another key. One that began and ended since is not known: its receiver is not told that it ended. Close those by hand; an Alertmanager forgets them by itself.
          - Alerts that fired then: 2. Those that ended since are told to have ended, once more under the same key if that was told.
          - Messages that waited then: 3. They are sent under the keys they had, once more if they were sent since.
          - What was taken out of an SLO since counts again, and what was put back since is out again: look at `damper ledger show SLO`, and do it once more. Numbers that exclusions got since are given anew.
          - Scaling is stopped, as nobody knows what was moved, paused or stopped since. Look at the workloads and at `damper scale status`, then `damper scale start`.
        Start Damper now.
        ");
    }
}
