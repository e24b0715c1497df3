//! `damper compare-alerts`: the pages of a Damper in shadow mode beside those of the rules it is to
//! follow, as proof before anybody switches.
//!
//! Alertmanager keeps no history: its API tells of the present alone. What fired is in Prometheus,
//! which writes `ALERTS` for every alert (vmalert does with `-remoteWrite.url`), as far back as it
//! keeps data and without having been prepared for it. Alertmanager is asked for what `ALERTS` cannot
//! say: silences, also past ones as long as it keeps them, and whether it shows alerts that no source
//! has recorded. Ours come from Damper's own history.
//!
//! | file       | does                                                        |
//! |------------|-------------------------------------------------------------|
//! | `damper`   | asks Damper: SLOs, history, what fires                      |
//! | `theirs`   | asks sources for `ALERTS`                                   |
//! | `manager`  | asks Alertmanager for silences and present alerts           |
//! | `matchers` | label matchers                                              |
//! | `episode`  | times in which an alert fired; silences taken off           |
//! | `belongs`  | which SLO an alert of theirs is about                       |
//! | `pages`    | the comparison, pure                                        |
//! | `report`   | what people and programs read                               |

mod belongs;
mod damper;
mod episode;
mod manager;
mod matchers;
mod pages;
mod report;
mod theirs;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use reqwest::Url;

use super::CommandError;
use super::args::RemoteArgs;
use super::check::Output;
use super::moment::Moment;
use super::remote::address;
use crate::prometheus::SourceConfig;
use crate::slo::model::Labels;
use crate::slo::nearest::hint_of_ids;
use crate::slo::time::{Span, Ts};
use belongs::Belongs;
use episode::{Episode, Weight};
pub(crate) use manager::silenced;
use matchers::Matchers;
use report::{Other, Report};

/// `damper compare-alerts`
#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    /// An Alertmanager: its silences count, and its present alerts show whether something is not recorded;
    /// may be given several times
    #[arg(long, value_name = "URL", value_parser = address)]
    alertmanager: Vec<Url>,
    /// File with a bearer token for --alertmanager
    #[arg(long, value_name = "FILE", requires = "alertmanager")]
    alertmanager_token_file: Option<PathBuf>,
    /// How far back, at most 1y; never further than Damper has watched and the sources remember
    #[arg(long, value_name = "SPAN", default_value = "14d", value_parser = since)]
    since: Span,
    /// Where their alerts are recorded, in place of the settings' sources; may be given several times
    #[arg(long, value_name = "URL", value_parser = theirs::named)]
    prometheus: Vec<SourceConfig>,
    /// Only this SLO
    #[arg(long, value_name = "SERVICE/NAME")]
    slo: Option<String>,
    /// Which of their alerts are pages, such as 'severity="critical"'; may be given several times.
    /// By default severity="page", severity="critical" and sloth_severity="page"
    #[arg(long, value_name = "MATCHERS", value_parser = Matchers::parse)]
    pages: Vec<Matchers>,
    /// Only these of their alerts, such as 'team="shop"'
    #[arg(long, value_name = "MATCHERS", value_parser = Matchers::parse)]
    theirs: Option<Matchers>,
    /// Says which SLO some of their alerts are about, such as 'pay/latency=alertname="PayIsSlow"'; may be
    /// given several times
    #[arg(long = "match", value_name = "SERVICE/NAME=MATCHERS", value_parser = by_hand)]
    by_hand: Vec<(String, Matchers)>,
    /// Two labels of theirs that name a service and an SLO, such as 'app,objective'; may be given
    /// several times. Those of Sloth and Pyrra, `service` and `slo` are known
    #[arg(long, value_name = "SERVICE,SLO", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Pages that are no further apart belong together
    #[arg(long, value_name = "SPAN", default_value = "10m")]
    tolerance: Span,
    /// How exactly the begin of theirs is read, 1s to 5m; the earliest that it may have been counts
    #[arg(long, value_name = "SPAN", default_value = "15s", value_parser = resolution)]
    resolution: Span,
    #[command(flatten)]
    remote: RemoteArgs,
}

fn since(text: &str) -> Result<Span, String> {
    bounded(text, Span::from_mins(1), Span::from_days(366))
}

fn resolution(text: &str) -> Result<Span, String> {
    bounded(text, Span::from_secs(1), Span::from_mins(5))
}

fn bounded(text: &str, least: Span, most: Span) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    if (least..=most).contains(&span) { Ok(span) } else { Err(format!("must be {least} to {most}")) }
}

fn by_hand(text: &str) -> Result<(String, Matchers), String> {
    let (slo, matchers) = text.split_once('=').ok_or("write SERVICE/NAME=MATCHERS")?;
    if !slo.contains('/') {
        return Err(format!("`{slo}` is no SLO; write SERVICE/NAME=MATCHERS"));
    }
    Ok((slo.trim().to_owned(), Matchers::parse(matchers)?))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let labels: Vec<&str> = text.split(',').map(str::trim).collect();
    match labels[..] {
        [service, slo] if !service.is_empty() && !slo.is_empty() => Ok((service.into(), slo.into())),
        _ => Err("write two labels, such as app,objective; further ones with --labels once more".into()),
    }
}

/// Compares; 0 when everything could be compared, each of their pages is decided, and none of them is one
/// that Damper would not have sent, else 1.
pub(super) async fn run(args: CompareArgs) -> Result<u8, CommandError> {
    let moment = Moment::now();
    let report = compare(&args, moment.now).await?;
    let text = match args.remote.output {
        Output::Json => format!("{:#}\n", serde_json::to_value(&report)?),
        Output::Text => report::text(&report, &moment),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(u8::from(!report.is_proof()))
}

async fn compare(args: &CompareArgs, now: Ts) -> Result<Report, CommandError> {
    let sources = theirs::sources(&args.prometheus, &args.remote)?;
    let mut notes = Notes::default();
    let wanted = now.minus(args.since);
    let mut ours = damper::ask(&args.remote, wanted).await?;
    let mut from = wanted;
    if let Some(since) = ours.since.filter(|since| *since > wanted) {
        from = since;
        notes.say(format!("Damper has watched only since {since}; what was before is not compared"));
    }
    let silences = manager::ask(args, &mut notes).await;
    let read = theirs::Reading { every: args.resolution, from, to: now, only: args.theirs.as_ref() };
    let recorded = theirs::ask(&sources, &read, &mut notes).await;
    if let Some(begins) = recorded.begins.filter(|begins| *begins > from) {
        from = begins;
    }
    manager::missing(&silences, &recorded, &ours, now, args.theirs.as_ref(), &mut notes);

    let belongs = belongs(args, &ours)?;
    let mut by_slo: BTreeMap<String, Vec<Episode>> = BTreeMap::new();
    let mut others = Vec::new();
    for episode in recorded.episodes(|labels| weigh(&args.pages, labels)) {
        let Some(episode) = episode.silenced(&silences.silences, now).since(from) else { continue };
        match belongs.slo_of(&episode.labels) {
            Some(slo) => by_slo.entry(slo).or_default().push(episode),
            None => others.push(episode),
        }
    }
    let mut slos = Vec::new();
    let wanted = |slo: &&String| args.slo.as_ref().is_none_or(|only| only == *slo);
    for slo in belongs.slos.iter().filter(wanted) {
        let own = ours.episodes.remove(slo).unwrap_or_default();
        let own = own.into_iter().filter_map(|episode| episode.since(from)).collect();
        let theirs = by_slo.remove(slo).unwrap_or_default();
        slos.extend(pages::compare(slo, own, theirs, args.tolerance, now));
    }
    let all = belongs.slos.iter().filter(wanted).count();
    let others = if args.slo.is_some() { Vec::new() } else { Other::of(others) };
    Ok(Report::new(from, now, (args.tolerance, args.resolution), all, slos, others, notes))
}

/// Our SLOs, and those of which history alone knows.
fn belongs(args: &CompareArgs, ours: &damper::Ours) -> Result<Belongs, CommandError> {
    let mut slos = ours.slos.clone();
    slos.extend(ours.episodes.keys().cloned());
    for slo in args.by_hand.iter().map(|(slo, _)| slo).chain(&args.slo) {
        if !slos.contains(slo) {
            let known: Vec<&str> = slos.iter().map(String::as_str).collect();
            let hint = hint_of_ids(slo, &known);
            return Err(format!("Damper has no SLO `{slo}`; {hint}").into());
        }
    }
    Ok(Belongs { slos, by_hand: args.by_hand.clone(), pairs: args.labels.clone() })
}

fn weigh(pages: &[Matchers], labels: &Labels) -> Weight {
    let is = |name: &str, values: &[&str]| labels.get(name).is_some_and(|v| values.contains(&v.as_str()));
    let is_page = if pages.is_empty() {
        is("severity", &["page", "critical"]) || is("sloth_severity", &["page"])
    } else {
        pages.iter().any(|matchers| matchers.hold(labels))
    };
    if is_page { Weight::Page } else { Weight::Ticket }
}

/// What readers should know of the comparison.
#[derive(Debug, Default)]
struct Notes {
    said: Vec<String>,
    /// Something could not be compared.
    lacking: bool,
}

impl Notes {
    fn say(&mut self, what: String) {
        if !self.said.contains(&what) {
            self.said.push(what);
        }
    }

    /// Something without which the rest proves nothing.
    fn lack(&mut self, what: String) {
        self.lacking = true;
        self.say(what);
    }
}

#[cfg(test)]
mod tests {
    use super::episode::tests::labels;
    use super::*;

    #[test]
    fn flags_are_read_and_what_is_wrong_is_usage() {
        assert_eq!(since("14d"), Ok(Span::from_days(14)));
        assert!(since("2y").is_err() && since("x").is_err() && resolution("10m").is_err());
        let (slo, matchers) = by_hand(r#"pay/latency=alertname="A""#).unwrap();
        assert_eq!((slo.as_str(), matchers.text.as_str()), ("pay/latency", r#"alertname="A""#));
        assert!(by_hand("alertname=\"A\"").is_err() && by_hand("pay").is_err());
        assert_eq!(pair("app, objective"), Ok(("app".into(), "objective".into())));
        for wrong in ["app", "app,", ",objective", "a,b,c"] {
            assert!(pair(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pages_are_told_by_severity_unless_said_otherwise() {
        let weight = |pages: &[Matchers], pairs: &[(&str, &str)]| weigh(pages, &labels(pairs));
        for page in [("severity", "page"), ("severity", "critical"), ("sloth_severity", "page")] {
            assert_eq!(weight(&[], &[page]), Weight::Page);
        }
        assert_eq!(weight(&[], &[("severity", "warning")]), Weight::Ticket);
        let own = [Matchers::parse(r#"severity="P1""#).unwrap(), Matchers::parse(r#"pager="yes""#).unwrap()];
        assert_eq!(weight(&own, &[("severity", "page")]), Weight::Ticket);
        assert_eq!(weight(&own, &[("pager", "yes")]), Weight::Page);
    }
}
