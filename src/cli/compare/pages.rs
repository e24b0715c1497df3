//! The comparison itself, pure: episodes of both sides become incidents, and incidents a verdict.

use serde::Serialize;

use super::episode::{Episode, Weight};
use crate::slo::time::{Span, Ts};

/// Pages that belong together: each is within the tolerance of another one of them, so that an alert
/// that flaps, or several rules of one SLO, are one incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Incident {
    /// When the first began.
    pub(super) from: Ts,
    /// When the last ended; none while one lasts.
    pub(super) to: Option<Ts>,
    /// Who paged.
    pub(super) side: Side,
    /// By how many seconds we paged earlier; negative where they did. None unless both paged, and
    /// where nobody knows since when.
    pub(super) lead_seconds: Option<i64>,
    /// Our pages, the first first.
    pub(super) ours: Vec<Episode>,
    /// Their pages, likewise.
    pub(super) theirs: Vec<Episode>,
    /// What we had besides: tickets, pages that were missed.
    pub(super) ours_besides: Vec<Episode>,
    /// What they had besides: tickets, pages that were silenced.
    pub(super) theirs_besides: Vec<Episode>,
}

/// Who paged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Side {
    /// Both.
    Both,
    /// Only Damper would have.
    OnlyDamper,
    /// Only they did.
    OnlyTheirs,
    /// One did, and so lately that the other may yet.
    Undecided,
}

/// One SLO.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Compared {
    /// `service/name`.
    pub(super) slo: String,
    /// How many incidents both paged for.
    pub(super) both: usize,
    /// Only Damper would have.
    pub(super) only_damper: usize,
    /// Only they did.
    pub(super) only_theirs: usize,
    /// By how many seconds Damper was earlier; null where both never paged.
    pub(super) lead: Option<Lead>,
    /// Seconds in which a page of ours fired.
    pub(super) damper_seconds: i64,
    /// Seconds in which a page of theirs fired.
    pub(super) theirs_seconds: i64,
    /// The incidents, the oldest first.
    pub(super) incidents: Vec<Incident>,
}

/// Seconds by which Damper was earlier; negative where it was later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lead {
    /// Of half of the incidents at least so much; of two in the middle the lesser.
    pub(super) median: i64,
    /// Of all.
    pub(super) worst: i64,
    /// Of one.
    pub(super) best: i64,
}

impl Lead {
    /// Of incidents that both paged for.
    pub(super) fn of(mut leads: Vec<i64>) -> Option<Self> {
        leads.sort_unstable();
        let median = *leads.get(leads.len().checked_sub(1)? / 2)?;
        Some(Self { median, worst: *leads.first()?, best: *leads.last()? })
    }
}

/// Compares what both sides had of one SLO until a moment; `None` where nobody paged.
pub(super) fn compare(
    slo: &str,
    ours: Vec<Episode>,
    theirs: Vec<Episode>,
    tolerance: Span,
    until: Ts,
) -> Option<Compared> {
    let is_page = |episode: &Episode| episode.weight == Weight::Page;
    let (ours, ours_besides): (Vec<_>, Vec<_>) = ours.into_iter().partition(is_page);
    let (theirs, theirs_besides): (Vec<_>, Vec<_>) = theirs.into_iter().partition(is_page);
    let mut incidents = group(ours, theirs, tolerance);
    for incident in &mut incidents {
        if incident.side != Side::Both && incident.from.plus(tolerance) > until {
            incident.side = Side::Undecided;
        }
        let near = |all: &[Episode]| -> Vec<Episode> {
            all.iter().filter(|one| one.meets(incident.from, incident.to, tolerance)).cloned().collect()
        };
        let (ours, theirs) = (near(&ours_besides), near(&theirs_besides));
        (incident.ours_besides, incident.theirs_besides) = (ours, theirs);
    }
    let count = |side: Side| incidents.iter().filter(|incident| incident.side == side).count();
    let seconds = |pick: fn(&Incident) -> &Vec<Episode>| -> i64 {
        incidents.iter().map(|incident| covered(pick(incident), until)).sum()
    };
    (!incidents.is_empty()).then(|| Compared {
        slo: slo.to_owned(),
        both: count(Side::Both),
        only_damper: count(Side::OnlyDamper),
        only_theirs: count(Side::OnlyTheirs),
        lead: Lead::of(incidents.iter().filter_map(|incident| incident.lead_seconds).collect()),
        damper_seconds: seconds(|incident| &incident.ours),
        theirs_seconds: seconds(|incident| &incident.theirs),
        incidents: incidents.clone(),
    })
}

/// Seconds in which at least one of them fired; they come in order.
fn covered(episodes: &[Episode], until: Ts) -> i64 {
    let mut reached = Ts(i64::MIN);
    let mut sum = 0;
    for episode in episodes {
        let from = episode.from.max(reached);
        let to = episode.from.plus(episode.lasted(until));
        sum += to.since(from).secs();
        reached = reached.max(to);
    }
    sum
}

fn group(ours: Vec<Episode>, theirs: Vec<Episode>, tolerance: Span) -> Vec<Incident> {
    let mut all: Vec<(bool, Episode)> = ours.into_iter().map(|one| (true, one)).collect();
    all.extend(theirs.into_iter().map(|one| (false, one)));
    all.sort_by_key(|(ours, episode)| (episode.from, *ours, episode.to));
    let mut groups: Vec<Incident> = Vec::new();
    for (is_ours, episode) in all {
        match groups.last_mut() {
            Some(last) if episode.meets(last.from, last.to, tolerance) => {
                last.to = last.to.zip(episode.to).map(|(one, other)| one.max(other));
                last.side_of(is_ours).push(episode);
            }
            _ => {
                let mut new = Incident::at(episode.from, episode.to);
                new.side_of(is_ours).push(episode);
                groups.push(new);
            }
        }
    }
    for incident in &mut groups {
        incident.judge();
    }
    groups
}

impl Incident {
    fn at(from: Ts, to: Option<Ts>) -> Self {
        Self {
            from,
            to,
            side: Side::Both,
            lead_seconds: None,
            ours: Vec::new(),
            theirs: Vec::new(),
            ours_besides: Vec::new(),
            theirs_besides: Vec::new(),
        }
    }

    fn side_of(&mut self, ours: bool) -> &mut Vec<Episode> {
        if ours { &mut self.ours } else { &mut self.theirs }
    }

    fn judge(&mut self) {
        self.side = match (self.ours.first(), self.theirs.first()) {
            (Some(_), None) => Side::OnlyDamper,
            (None, _) => Side::OnlyTheirs,
            (Some(ours), Some(theirs)) => {
                self.lead_seconds = (!ours.cut && !theirs.cut).then_some(theirs.from.0 - ours.from.0);
                Side::Both
            }
        };
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::slo::model::Labels;

    const TOLERANCE: Span = Span::from_mins(10);

    pub(in crate::cli::compare) fn page(from: i64, to: Option<i64>) -> Episode {
        let (labels, weight) = (Labels::new(), Weight::Page);
        Episode { from: Ts(from), to: to.map(Ts), cut: false, weight, labels, summary: None }
    }

    fn told(ours: &[Episode], theirs: &[Episode]) -> Compared {
        compare("shop/pay", ours.to_vec(), theirs.to_vec(), TOLERANCE, Ts(100_000)).unwrap()
    }

    #[test]
    fn who_paged_and_by_how_much_the_earlier() {
        let ours = [page(1000, Some(2000)), page(20_000, Some(20_600)), page(50_000, Some(50_300))];
        let theirs = [page(1150, Some(2400)), page(19_960, Some(20_500)), page(80_000, None)];
        let compared = told(&ours, &theirs);
        assert_eq!((compared.both, compared.only_damper, compared.only_theirs), (2, 1, 1));
        assert_eq!(compared.lead, Some(Lead { median: -40, worst: -40, best: 150 }));
        assert_eq!((compared.damper_seconds, compared.theirs_seconds), (1900, 1250 + 540 + 20_000));
        let sides: Vec<Side> = compared.incidents.iter().map(|incident| incident.side).collect();
        assert_eq!(sides, [Side::Both, Side::Both, Side::OnlyDamper, Side::OnlyTheirs]);
    }

    #[test]
    fn what_flaps_or_pages_by_several_rules_is_one_incident() {
        let theirs =
            [page(100, Some(160)), page(100, Some(400)), page(900, Some(950)), page(1500, Some(1501))];
        let compared = told(&[page(700, Some(800))], &theirs);
        assert_eq!((compared.incidents.len(), compared.both), (1, 1));
        assert_eq!(compared.incidents[0].lead_seconds, Some(-600));
        assert_eq!(compared.theirs_seconds, 300 + 50 + 1, "what overlaps counts once");
        let apart = told(&[page(700, Some(800))], &[page(1401, Some(1500))]);
        assert_eq!((apart.only_damper, apart.only_theirs), (1, 1), "beyond the tolerance");
    }

    #[test]
    fn what_began_so_lately_that_the_other_side_may_follow_is_not_counted() {
        let compared = told(&[page(99_500, None)], &[page(50_000, None)]);
        assert_eq!((compared.both, compared.only_theirs), (1, 0));
        let compared = told(&[page(99_500, None)], &[page(50_000, Some(50_001))]);
        assert_eq!((compared.only_damper, compared.only_theirs), (0, 1));
        assert_eq!(compared.incidents[1].side, Side::Undecided);
    }

    #[test]
    fn a_lead_is_unknown_where_a_begin_is() {
        let cut = Episode { cut: true, ..page(0, Some(500)) };
        let compared = told(&[page(100, Some(300))], &[cut]);
        assert_eq!((compared.both, compared.lead), (1, None));
    }

    #[test]
    fn tickets_silences_and_what_was_missed_are_evidence_but_no_pages() {
        let with = |weight, from| Episode { weight, ..page(from, Some(from + 60)) };
        let ours = [page(1000, Some(2000)), with(Weight::Missed, 50_000)];
        let theirs = [
            with(Weight::Ticket, 1500),
            with(Weight::Silenced, 1200),
            page(50_000, Some(50_100)),
            with(Weight::Ticket, 90_000),
        ];
        let compared = told(&ours, &theirs);
        assert_eq!((compared.both, compared.only_damper, compared.only_theirs), (0, 1, 1));
        assert_eq!(compared.incidents[0].theirs_besides.len(), 2);
        assert_eq!(compared.incidents[1].ours_besides[0].weight, Weight::Missed);
        assert!(compare("a/b", vec![], vec![with(Weight::Ticket, 5)], TOLERANCE, Ts(9)).is_none());
    }

    fn pages() -> impl Strategy<Value = Vec<Episode>> {
        let one = (0i64..100_000, 0i64..3000).prop_map(|(from, lasts)| page(from, Some(from + lasts)));
        proptest::collection::vec(one, 0..20)
    }

    proptest! {
        #[test]
        fn no_page_is_lost_or_told_twice_and_the_sides_mirror_each_other(ours in pages(), theirs in pages()) {
            let until = Ts(200_000);
            let one = compare("a/b", ours.clone(), theirs.clone(), TOLERANCE, until);
            let other = compare("a/b", theirs.clone(), ours.clone(), TOLERANCE, until);
            prop_assert_eq!(one.is_some(), !(ours.is_empty() && theirs.is_empty()));
            let (Some(one), Some(other)) = (one, other) else { return Ok(()) };
            let count = |pick: fn(&Incident) -> &Vec<Episode>| one.incidents.iter().map(|i| pick(i).len()).sum::<usize>();
            prop_assert_eq!((count(|i| &i.ours), count(|i| &i.theirs)), (ours.len(), theirs.len()));
            prop_assert_eq!((one.both, one.only_damper, one.only_theirs), (other.both, other.only_theirs, other.only_damper));
            for (a, b) in one.incidents.iter().zip(&other.incidents) {
                prop_assert_eq!(a.lead_seconds, b.lead_seconds.map(|lead| -lead));
            }
            for pair in one.incidents.windows(2) {
                prop_assert!(pair[0].to.unwrap().plus(TOLERANCE) < pair[1].from);
            }
        }
    }
}
