//! What people and programs read of a comparison.

mod verdict;

use std::collections::BTreeMap;

use serde::Serialize;

use super::Notes;
use super::episode::{Episode, Weight};
use super::pages::{Compared, Incident, Lead, Side};
use crate::cli::moment::Moment;
use crate::cli::table::{aligned, plain};
use crate::slo::listed::counted;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

const HEAD: [&str; 6] = ["SLO", "BOTH", "ONLY DAMPER", "ONLY THEIRS", "LEAD", "FIRED"];

/// A comparison.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Begin of what is compared.
    from: Ts,
    /// Its end.
    to: Ts,
    /// Pages that are no further apart belong together.
    tolerance_seconds: Span,
    /// The begin of theirs may have been so much later.
    resolution_seconds: Span,
    /// Incidents of all SLOs.
    both: usize,
    only_damper: usize,
    only_theirs: usize,
    /// By how many seconds Damper was earlier.
    lead: Option<Lead>,
    /// SLOs with a page.
    slos: Vec<Compared>,
    /// SLOs for which nobody paged.
    quiet: usize,
    /// Alerts of theirs that name none of our SLOs.
    without_slo: Vec<Other>,
    /// What to know of it.
    notes: Vec<String>,
    /// Everything could be compared.
    complete: bool,
    /// In words.
    verdict: String,
}

/// Alerts of theirs, of one name, that name none of our SLOs.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Other {
    alertname: String,
    /// How often it paged.
    pages: usize,
    /// How often it did not: tickets, and pages that were silenced.
    besides: usize,
    /// When it began last.
    last: Ts,
    /// The labels it had then.
    labels: Labels,
}

impl Other {
    /// By name, the most pages first.
    pub(super) fn of(episodes: Vec<Episode>) -> Vec<Self> {
        let mut all: BTreeMap<String, Self> = BTreeMap::new();
        for episode in episodes {
            let alertname = name(&episode).to_owned();
            let other = all.entry(alertname.clone()).or_insert_with(|| Self {
                alertname,
                pages: 0,
                besides: 0,
                last: episode.from,
                labels: episode.labels.clone(),
            });
            let count = if episode.weight == Weight::Page { &mut other.pages } else { &mut other.besides };
            *count += 1;
            if episode.from >= other.last {
                (other.last, other.labels) = (episode.from, episode.labels);
            }
        }
        let mut all: Vec<Self> = all.into_values().collect();
        all.sort_by_key(|other| std::cmp::Reverse((other.pages, other.besides)));
        all
    }
}

impl Report {
    /// Of all SLOs that were looked at.
    pub(super) fn new(
        from: Ts,
        to: Ts,
        (tolerance, resolution): (Span, Span),
        all: usize,
        slos: Vec<Compared>,
        without_slo: Vec<Other>,
        notes: Notes,
    ) -> Self {
        let sum = |count: fn(&Compared) -> usize| slos.iter().map(count).sum();
        let leads = slos.iter().flat_map(|slo| &slo.incidents).filter_map(|one| one.lead_seconds).collect();
        let mut report = Self {
            from,
            to,
            tolerance_seconds: tolerance,
            resolution_seconds: resolution,
            both: sum(|slo| slo.both),
            only_damper: sum(|slo| slo.only_damper),
            only_theirs: sum(|slo| slo.only_theirs),
            lead: Lead::of(leads),
            quiet: all.saturating_sub(slos.len()),
            slos,
            without_slo,
            notes: notes.said,
            complete: !notes.lacking,
            verdict: String::new(),
        };
        report.verdict = report.judged();
        report
    }
}

/// For people.
pub(super) fn text(report: &Report, moment: &Moment) -> String {
    let mut lines = vec![
        format!(
            "Pages from {} to {} ({})",
            moment.time(report.from),
            moment.time(report.to),
            report.to.since(report.from)
        ),
        String::new(),
        report.verdict.clone(),
        String::new(),
    ];
    if !report.slos.is_empty() {
        let head = HEAD.map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(report.slos.iter().map(row)).collect();
        lines.extend(aligned(&rows));
    }
    if report.quiet > 0 {
        lines.push(format!("{} without a page on either side", counted(report.quiet, "SLO")));
    }
    for slo in &report.slos {
        lines.extend([String::new(), plain(&slo.slo)]);
        lines.extend(slo.incidents.iter().flat_map(|incident| described(incident, report.to, moment)));
    }
    if !report.without_slo.is_empty() {
        lines.extend([String::new(), "THEIRS, ABOUT NO SLO".to_owned()]);
        let rows: Vec<Vec<String>> =
            report.without_slo.iter().map(|other| other_row(other, moment)).collect();
        lines.extend(aligned(&rows).into_iter().map(|row| format!("  {row}")));
    }
    if !report.notes.is_empty() {
        lines.extend([String::new(), "NOTES".to_owned()]);
        lines.extend(report.notes.iter().map(|note| format!("  {}", moment.sentence(&plain(note)))));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn row(slo: &Compared) -> Vec<String> {
    let lead = slo.lead.map_or_else(
        || "-".to_owned(),
        |lead| format!("{} (worst {})", signed(lead.median), signed(lead.worst)),
    );
    let lasted = |seconds| Span::from_secs_saturating(seconds);
    vec![
        plain(&slo.slo),
        slo.both.to_string(),
        slo.only_damper.to_string(),
        slo.only_theirs.to_string(),
        lead,
        format!("{}, theirs {}", lasted(slo.damper_seconds), lasted(slo.theirs_seconds)),
    ]
}

/// `+2m` where Damper was earlier.
fn signed(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    format!("{sign}{}", Span::from_secs_saturating(seconds.abs()))
}

fn described(incident: &Incident, until: Ts, moment: &Moment) -> Vec<String> {
    let side = match incident.side {
        Side::Both => "both       ",
        Side::OnlyDamper => "only Damper",
        Side::OnlyTheirs => "only theirs",
        Side::Undecided => "undecided  ",
    };
    let lead = incident.lead_seconds.map_or_else(String::new, |lead| format!(", lead {}", signed(lead)));
    let lasts = if incident.to.is_none() { ", lasts" } else { "" };
    let mut lines = vec![format!("  {side}  {}{lead}{lasts}", moment.time(incident.from))];
    let mut say = |who: &str, all: &[Episode]| {
        lines.extend(merged(all).iter().map(|(what, episodes)| {
            let first = episodes.first().map(|episode| moment.time(episode.from)).unwrap_or_default();
            let since = if episodes.first().is_some_and(|e| e.cut) { "before " } else { "" };
            let lasted: i64 = episodes.iter().map(|episode| episode.lasted(until).secs()).sum();
            let lasted = Span::from_secs_saturating(lasted);
            let how = match episodes.len() {
                1 => format!("for {lasted}"),
                n => format!("{n} times, {lasted} in all"),
            };
            format!("    {who} {since}{first}, {how}: {what}")
        }));
    };
    say("Damper", &incident.ours);
    say("theirs", &incident.theirs);
    say("Damper, no page,", &incident.ours_besides);
    say("theirs, no page,", &incident.theirs_besides);
    lines
}

/// Episodes that read alike, the first first.
fn merged(episodes: &[Episode]) -> Vec<(String, Vec<&Episode>)> {
    let mut all: Vec<(String, Vec<&Episode>)> = Vec::new();
    for episode in episodes {
        let what = what(episode);
        match all.iter_mut().find(|(known, _)| *known == what) {
            Some((_, own)) => own.push(episode),
            None => all.push((what, vec![episode])),
        }
    }
    all
}

fn what(episode: &Episode) -> String {
    let weight = match episode.weight {
        Weight::Page => "",
        Weight::Ticket => "ticket ",
        Weight::Silenced => "silenced ",
        Weight::Missed => "missed while Damper could not look: ",
    };
    match &episode.summary {
        Some(summary) => plain(&format!("{weight}{summary}")),
        None => {
            let mut labels = episode.labels.clone();
            labels.remove("alertname");
            let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            plain(&format!("{weight}{} ({})", name(episode), pairs.join(", ")))
        }
    }
}

fn name(episode: &Episode) -> &str {
    episode.labels.get("alertname").map_or("", String::as_str)
}

fn other_row(other: &Other, moment: &Moment) -> Vec<String> {
    vec![
        plain(&other.alertname),
        counted(other.pages, "page"),
        format!("{} besides", other.besides),
        format!("last {}", moment.time(other.last)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::compare::episode::tests::labels;
    use crate::cli::compare::pages::compare;
    use crate::cli::compare::pages::tests::page;
    use crate::cli::moment::tests::AT;

    pub(super) fn theirs(from: i64, to: Option<i64>) -> Episode {
        let labels = labels(&[("alertname", "PayBurns"), ("severity", "critical"), ("sloth_slo", "a")]);
        Episode { labels, ..page(AT.now.0 + from, to.map(|to| AT.now.0 + to)) }
    }

    pub(super) fn ours(from: i64, to: Option<i64>) -> Episode {
        let summary = Some("shop/pay burns 20 times as fast as it may".to_owned());
        Episode { summary, ..page(AT.now.0 + from, to.map(|to| AT.now.0 + to)) }
    }

    pub(super) fn report(
        ours: Vec<Episode>,
        theirs: Vec<Episode>,
        others: Vec<Episode>,
        notes: Notes,
    ) -> Report {
        let tolerance = Span::from_mins(10);
        let slos = compare("shop/pay", ours, theirs, tolerance, AT.now).into_iter().collect();
        let from = AT.now.minus(Span::from_hours(12));
        Report::new(from, AT.now, (tolerance, Span::from_secs(15)), 3, slos, Other::of(others), notes)
    }

    #[test]
    fn a_report_says_what_each_side_did_and_what_to_make_of_it() {
        let silenced = Episode { weight: Weight::Silenced, ..theirs(-20_000, Some(-19_000)) };
        let other = Episode { labels: labels(&[("alertname", "NodeDown")]), ..theirs(-9000, Some(-8000)) };
        let notes = Notes { said: vec!["a source is down".into()], lacking: true };
        let ours = vec![ours(-30_000, Some(-29_000)), ours(-20_000, Some(-19_900)), ours(-60, None)];
        let theirs = vec![
            theirs(-29_850, Some(-28_900)),
            theirs(-28_800, Some(-28_700)),
            theirs(-5000, Some(-4000)),
            silenced,
        ];
        let report = report(ours, theirs, vec![other.clone(), other], notes);
        assert!(!report.is_proof());
        insta::assert_snapshot!(text(&report, &AT), @r"
        Pages from 06:20:00 UTC to 18:20:00 UTC (12h)

        In 12h they paged 2 times for SLOs, and 1 of these pages Damper would not have sent. Look at each below before you switch: was somebody needed? Damper was there 2m30s earlier. Damper would have paged once where they did not. 1 page of Damper's began too lately to be counted. 1 alert of theirs paged for what is no SLO of Damper's: keep their rules, or say with --match which SLO they are about. Not everything could be compared, see the notes: this is no proof yet.

        SLO       BOTH  ONLY DAMPER  ONLY THEIRS  LEAD                   FIRED
        shop/pay  1     1            1            +2m30s (worst +2m30s)  19m20s, theirs 34m10s
        2 SLOs without a page on either side

        shop/pay
          both         10:00:00 UTC, lead +2m30s
            Damper 10:00:00 UTC, for 16m40s: shop/pay burns 20 times as fast as it may
            theirs 10:02:30 UTC, 2 times, 17m30s in all: PayBurns (severity=critical, sloth_slo=a)
          only Damper  12:46:40 UTC
            Damper 12:46:40 UTC, for 1m40s: shop/pay burns 20 times as fast as it may
            theirs, no page, 12:46:40 UTC, for 16m40s: silenced PayBurns (severity=critical, sloth_slo=a)
          only theirs  16:56:40 UTC
            theirs 16:56:40 UTC, for 16m40s: PayBurns (severity=critical, sloth_slo=a)
          undecided    18:19:00 UTC, lasts
            Damper 18:19:00 UTC, for 1m: shop/pay burns 20 times as fast as it may

        THEIRS, ABOUT NO SLO
          NodeDown  2 pages  0 besides  last 15:50:00 UTC

        NOTES
          a source is down
        ");
    }
}
