//! What to make of a comparison, in words.

use super::Report;
use crate::cli::compare::pages::{Lead, Side};
use crate::slo::listed::counted;
use crate::slo::time::Span;

impl Report {
    /// Whether it shows that Damper misses none of their pages.
    pub(in crate::cli::compare) fn is_proof(&self) -> bool {
        self.complete && self.only_theirs == 0 && self.undecided(true) == 0
    }

    /// Incidents that began too lately to be counted: those with a page of theirs, or the others.
    fn undecided(&self, theirs: bool) -> usize {
        let incidents = self.slos.iter().flat_map(|slo| &slo.incidents);
        let undecided = incidents.filter(|incident| incident.side == Side::Undecided);
        undecided.filter(|incident| incident.theirs.is_empty() != theirs).count()
    }

    /// In words.
    pub(super) fn judged(&self) -> String {
        let span = self.to.since(self.from);
        let times = |n: usize| if n == 1 { "once".to_owned() } else { format!("{n} times") };
        let (undecided, ours_undecided) = (self.undecided(true), self.undecided(false));
        let is_whole = self.complete && undecided == 0;
        let mut said = Vec::new();
        match (self.both, self.only_theirs) {
            (0, 0) if is_whole => said.push(format!("In {span} they paged for no SLO, so there is nothing Damper could have missed.")),
            (0, 0) => said.push(format!("In {span} no page of theirs for an SLO was found that can be counted.")),
            (both, 0) => said.push(format!("In {span} they paged {} for SLOs, and Damper would have paged each time.", times(both))),
            (both, missed) => said.push(format!(
                "In {span} they paged {} for SLOs, and {missed} of these pages Damper would not have sent. Look at each below before you switch: was somebody needed?",
                times(both + missed),
            )),
        }
        if let Some(lead) = self.lead {
            said.push(format!("{}.", lead_in_words(lead)));
        }
        if self.only_damper > 0 {
            said.push(format!("Damper would have paged {} where they did not.", times(self.only_damper)));
        }
        if undecided > 0 {
            said.push(format!(
                "{} of theirs began too lately to be counted: compare again in {}.",
                counted(undecided, "page"),
                self.tolerance_seconds
            ));
        }
        if ours_undecided > 0 {
            let pages = counted(ours_undecided, "page");
            said.push(format!("{pages} of Damper's began too lately to be counted."));
        }
        let others = self.without_slo.iter().filter(|other| other.pages > 0).count();
        if others > 0 {
            let alerts = counted(others, "alert");
            said.push(format!("{alerts} of theirs paged for what is no SLO of Damper's: keep their rules, or say with --match which SLO they are about."));
        }
        if !self.complete {
            said.push("Not everything could be compared, see the notes: this is no proof yet.".to_owned());
        }
        said.join(" ")
    }
}

fn lead_in_words(lead: Lead) -> String {
    let side = |seconds: i64| match seconds {
        0 => "at the same time".to_owned(),
        s if s > 0 => format!("{} earlier", Span::from_secs_saturating(s)),
        s => format!("{} later", Span::from_secs_saturating(-s)),
    };
    if lead.median == lead.worst {
        return format!("Damper was there {}", side(lead.median));
    }
    format!("Damper was there {} in the median, {} at worst", side(lead.median), side(lead.worst))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ours, report, theirs};
    use crate::cli::compare::Notes;

    #[test]
    fn it_is_a_proof_only_if_nothing_is_missed_and_all_was_compared() {
        let both = report(vec![ours(-500, Some(-400))], vec![theirs(-530, None)], vec![], Notes::default());
        assert!(both.is_proof() && both.verdict.contains("would have paged each time"), "{}", both.verdict);
        assert!(both.verdict.contains("30s later"), "{}", both.verdict);
        let missed = report(vec![], vec![theirs(-5000, None)], vec![], Notes::default());
        assert!(
            !missed.is_proof() && missed.verdict.contains("Damper would not have sent"),
            "{}",
            missed.verdict
        );
        let nothing = report(vec![], vec![], vec![], Notes::default());
        assert!(nothing.is_proof() && nothing.verdict.contains("paged for no SLO"), "{}", nothing.verdict);
        let lacking = || Notes { said: vec![], lacking: true };
        let unknown = report(vec![ours(-500, Some(-400))], vec![theirs(-500, None)], vec![], lacking());
        assert!(!unknown.is_proof() && unknown.verdict.contains("no proof yet"), "{}", unknown.verdict);
        // What was not read, or not decided yet, is not nothing.
        let unread = report(vec![], vec![], vec![], lacking());
        let young = report(vec![], vec![theirs(-60, None)], vec![], Notes::default());
        for (open, why) in [
            (&unread, "no proof yet"),
            (&young, "1 page of theirs began too lately to be counted: compare again in 10m"),
        ] {
            let verdict = &open.verdict;
            assert!(!open.is_proof() && verdict.contains(why), "{verdict}");
            assert!(!verdict.contains("nothing Damper could have missed"), "{verdict}");
        }
        let ours = report(vec![ours(-60, None)], vec![], vec![], Notes::default());
        assert!(ours.is_proof(), "a page that only Damper may have misses none of theirs: {}", ours.verdict);
    }
}
