//! `damper scale release`: of one policy through the API; with `--all` from what the autoscalers
//! themselves say, so that it works without a Damper, its store or its policies.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::CommandError;
use crate::cli::args::RemoteArgs;
use crate::cli::check::Output;
use crate::cli::moment::Moment;
use crate::cli::table::plain;
use crate::cluster::kubernetes::Kubernetes;
use crate::cluster::{Fault, KubernetesSettings, Raised, Released};
use crate::service::clock;

/// `damper scale release`
#[derive(Args, Debug)]
pub(super) struct ReleaseArgs {
    /// The policy whose floor a running Damper is to put back
    #[arg(value_name = "POLICY", required_unless_present = "all", conflicts_with = "all")]
    pub(super) policy: Option<String>,
    /// Puts every floor back that Damper raised in the cluster, without a Damper that runs
    #[arg(long, conflicts_with = "url")]
    all: bool,
    /// Only shows what --all would put back
    #[arg(long, requires = "all", conflicts_with = "policy")]
    dry_run: bool,
    /// Kubeconfig, in place of the settings' cluster
    #[arg(long, value_name = "FILE", requires = "all", conflicts_with = "policy")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", requires = "all", conflicts_with = "policy")]
    context: Option<String>,
    /// Only in this namespace; may be given several times
    #[arg(long, value_name = "NAME", requires = "all", conflicts_with = "policy")]
    namespace: Vec<String>,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

/// What becomes of one floor; `None` where only shown.
type Outcome = (Raised, Option<Result<Released, Fault>>);

/// Puts every floor back.
pub(super) async fn release_all(args: ReleaseArgs) -> Result<u8, CommandError> {
    let (at, settings) = cluster(&args)?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    // Watches that were begun end with it.
    let _stop = stop.clone().drop_guard();
    let kubernetes = Kubernetes::connect(at, &settings, clock::now, &tasks, &stop).await;
    let kubernetes = kubernetes.map_err(|problem| problem.to_string())?;
    kubernetes.greet().await?;
    let (outcomes, faults): (Vec<Outcome>, Vec<Fault>) = if args.dry_run {
        let (raised, faults) = kubernetes.raised(&args.namespace).await;
        (raised.into_iter().map(|raised| (raised, None)).collect(), faults)
    } else {
        let (done, faults) = kubernetes.release_all(&args.namespace, |_| true).await;
        (done.into_iter().map(|(raised, outcome)| (raised, Some(outcome))).collect(), faults)
    };
    let text = match args.remote.output {
        Output::Json => format!("{:#}\n", as_json(&outcomes, &faults)),
        Output::Text => as_text(&outcomes, &faults, &Moment::now()),
    };
    io::stdout().write_all(text.as_bytes())?;
    let failed = outcomes.iter().any(|(_, outcome)| matches!(outcome, Some(Err(_))));
    Ok(u8::from(failed || !faults.is_empty()))
}

/// Which cluster, and where that is written. With `--kubeconfig` settings that are broken are in
/// nobody's way.
fn cluster(args: &ReleaseArgs) -> Result<(&'static str, KubernetesSettings), CommandError> {
    let told = KubernetesSettings { kubeconfig: args.kubeconfig.clone(), context: args.context.clone() };
    if told.kubeconfig.is_some() {
        return Ok(("--kubeconfig", told));
    }
    let settings = args.remote.settings();
    let settings = settings.map_err(|error| format!("{error}; or name the cluster with --kubeconfig"))?;
    let Some(settings) = settings else { return Ok(("--kubeconfig", told)) };
    let KubernetesSettings { kubeconfig, context } = settings.scaling.kubernetes;
    Ok(("scaling.kubernetes", KubernetesSettings { kubeconfig, context: told.context.or(context) }))
}

fn as_text(outcomes: &[Outcome], faults: &[Fault], moment: &Moment) -> String {
    let mut text = String::new();
    for (raised, outcome) in outcomes {
        text.push_str(&format!("{}\n", one(raised, outcome.as_ref(), moment)));
    }
    for fault in faults {
        text.push_str(&format!("error: not all could be looked at: {fault}\n"));
    }
    if outcomes.is_empty() {
        let as_far = if faults.is_empty() { "" } else { " that could be looked at" };
        text.push_str(&format!("no autoscaler{as_far} has a floor that Damper raised\n"));
    } else {
        text.push_str(
            "a Damper that still runs raises floors again while it burns: stop it first with `damper scale stop`\n",
        );
    }
    text
}

fn one(raised: &Raised, outcome: Option<&Result<Released, Fault>>, moment: &Moment) -> String {
    let original = |floor: Option<u32>| floor.map_or_else(|| "no floor".to_owned(), |f| f.to_string());
    let until =
        raised.until.map_or_else(String::new, |until| format!(", meant until {}", moment.tell(until)));
    let by = format!("raised by {}{until}", plain(&raised.by));
    let (object, at) = (&raised.object, raised.at);
    match outcome {
        None if raised.is_moved => {
            format!("{object}: would stay at {at}: somebody else moved it since it was {by}")
        }
        None => format!("{object}: would go from {at} to {}; {by}", original(raised.original)),
        Some(Ok(Released::Back(floor))) => format!("{object}: from {at} to {}; {by}", original(*floor)),
        Some(Ok(Released::LeftAlone { at })) => {
            format!("{object}: stays at {at}: somebody else moved it since it was {by}; the marks are gone")
        }
        Some(Ok(Released::Nothing)) => format!("{object}: was put back meanwhile; {by}"),
        Some(Err(fault)) => format!("error: {object}: still at {at}: {fault}; {by}"),
    }
}

fn as_json(outcomes: &[Outcome], faults: &[Fault]) -> Value {
    let one = |(raised, outcome): &Outcome| {
        let (word, error) = match outcome {
            None => ("dryRun", None),
            Some(Ok(Released::Back(_))) => ("putBack", None),
            Some(Ok(Released::LeftAlone { .. })) => ("leftAlone", None),
            Some(Ok(Released::Nothing)) => ("nothing", None),
            Some(Err(fault)) => ("failed", Some(fault.to_string())),
        };
        json!({
            "object": raised.object, "by": raised.by, "until": raised.until.map(|until| until.0),
            "from": raised.at, "to": if raised.is_moved { Some(raised.at) } else { raised.original },
            "outcome": word, "error": error,
        })
    };
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    json!({ "floors": outcomes.iter().map(one).collect::<Vec<_>>(), "errors": faults })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::moment::tests::AT;
    use crate::slo::time::Ts;

    fn raised(name: &str, original: Option<u32>, is_moved: bool) -> Raised {
        Raised {
            object: format!("HorizontalPodAutoscaler shop/{name}"),
            namespace: "shop".into(),
            by: "checkout".into(),
            until: Some(Ts(AT.now.0 + 2400)),
            at: 6,
            original,
            is_moved,
        }
    }

    #[test]
    fn each_floor_is_told_from_where_to_where_and_who_raised_it() {
        let fault = Fault::Unreachable { why: "no answer".into() };
        let done = [
            (raised("a", Some(2), false), Some(Ok(Released::Back(Some(2))))),
            (raised("b", None, false), Some(Ok(Released::Back(None)))),
            (raised("c", Some(2), true), Some(Ok(Released::LeftAlone { at: 6 }))),
            (raised("d", Some(2), false), Some(Err(fault.clone()))),
        ];
        insta::assert_snapshot!(as_text(&done, &[], &AT), @r"
        HorizontalPodAutoscaler shop/a: from 6 to 2; raised by checkout, meant until 19:00:00 UTC, in 40m
        HorizontalPodAutoscaler shop/b: from 6 to no floor; raised by checkout, meant until 19:00:00 UTC, in 40m
        HorizontalPodAutoscaler shop/c: stays at 6: somebody else moved it since it was raised by checkout, meant until 19:00:00 UTC, in 40m; the marks are gone
        error: HorizontalPodAutoscaler shop/d: still at 6: no answer; raised by checkout, meant until 19:00:00 UTC, in 40m
        a Damper that still runs raises floors again while it burns: stop it first with `damper scale stop`
        ");
        let shown = [(raised("a", Some(2), false), None), (raised("c", Some(2), true), None)];
        insta::assert_snapshot!(as_text(&shown, &[], &AT), @r"
        HorizontalPodAutoscaler shop/a: would go from 6 to 2; raised by checkout, meant until 19:00:00 UTC, in 40m
        HorizontalPodAutoscaler shop/c: would stay at 6: somebody else moved it since it was raised by checkout, meant until 19:00:00 UTC, in 40m
        a Damper that still runs raises floors again while it burns: stop it first with `damper scale stop`
        ");
        assert_eq!(as_text(&[], &[], &AT), "no autoscaler has a floor that Damper raised\n");
        let text = as_text(&[], &[fault], &AT);
        assert!(text.starts_with("error: not all could be looked at: no answer\n"), "{text}");
        assert!(text.contains("no autoscaler that could be looked at"), "{text}");
        assert_eq!(as_json(&shown, &[])["floors"][1]["to"], 6);
    }
}
