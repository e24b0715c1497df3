//! What was found different: told once it was asked twice, and until it is equal again.

use std::collections::BTreeMap;

use super::compare::{Compared, Drift, Slice};
use crate::slo::time::Ts;

/// Slices remembered at most; a ledger that differs in more is known to differ.
const MOST: usize = 200;

/// A slice that differs.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// How.
    pub drift: Drift,
    /// Whether it was found so more than once. One answer may have lacked a part that nobody told of.
    pub certain: bool,
    /// The round in which it was looked at last.
    checked: u64,
}

/// All of one source.
#[derive(Clone, Default, Debug)]
pub struct Findings(BTreeMap<Slice, Finding>);

impl Findings {
    /// Takes in what came out of asking again, in the round of this number. What the source has no
    /// answer for any more cannot be told to differ.
    pub fn note(&mut self, compared: Compared, round: u64) {
        for slice in compared.equal.iter().chain(&compared.gone) {
            self.0.remove(slice);
        }
        for drift in compared.different {
            let key = (drift.series, drift.group.clone(), drift.end);
            let certain = self.0.contains_key(&key);
            if certain || self.0.len() < MOST {
                self.0.insert(key, Finding { drift, certain, checked: round });
            }
        }
    }

    /// The one to be looked at again: one that was found once before those that are certain, and of
    /// those the one not looked at for longest.
    pub fn due(&self) -> Option<&Drift> {
        self.0.values().min_by_key(|found| (found.certain, found.checked)).map(|found| &found.drift)
    }

    /// Notes that one was looked at, whatever came of it, so that it does not keep others from it.
    pub fn looked(&mut self, drift: &Drift, round: u64) {
        if let Some(found) = self.0.get_mut(&(drift.series, drift.group.clone(), drift.end)) {
            found.checked = round;
        }
    }

    /// Forgets what is not compared any more.
    pub fn retain(&mut self, is: impl Fn(&Drift) -> bool) {
        self.0.retain(|_, found| is(&found.drift));
    }

    /// What is told, the newest slice first.
    pub fn certain(&self) -> Vec<Drift> {
        let certain = self.0.values().filter(|found| found.certain);
        let mut all: Vec<Drift> = certain.map(|found| found.drift.clone()).collect();
        all.sort_by_key(|drift: &Drift| std::cmp::Reverse::<Ts>(drift.end));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::model::Labels;
    use crate::slo::time::Span;
    use crate::slo::unit::Events;

    fn drift(end: i64) -> Drift {
        let (booked, asked) = (Events::whole(1), Events::whole(2));
        Drift { series: 7, group: Labels::new(), end: Ts(end), width: Span::from_secs(30), booked, asked }
    }

    fn different(ends: &[i64]) -> Compared {
        Compared { different: ends.iter().map(|end| drift(*end)).collect(), ..Compared::default() }
    }

    fn ends(findings: &Findings) -> Vec<i64> {
        findings.certain().iter().map(|drift| drift.end.0).collect()
    }

    #[test]
    fn what_differs_is_told_when_it_was_asked_twice_and_until_it_is_equal() {
        let mut findings = Findings::default();
        findings.note(different(&[30, 60]), 1);
        assert_eq!(ends(&findings), [0i64; 0]);
        findings.note(different(&[60]), 2);
        assert_eq!(ends(&findings), [60]);
        findings.note(different(&[30]), 3);
        assert_eq!(ends(&findings), [60, 30], "the newest first");
        let slice = |end| (7, Labels::new(), Ts(end));
        findings.note(Compared { equal: vec![slice(60)], gone: vec![slice(30)], ..Compared::default() }, 4);
        assert!(findings.certain().is_empty() && findings.due().is_none());
    }

    #[test]
    fn what_was_found_once_is_asked_again_first_and_then_all_take_turns() {
        let mut findings = Findings::default();
        findings.note(different(&[30]), 1);
        findings.note(different(&[30]), 2);
        findings.note(different(&[60]), 3);
        assert_eq!(findings.due().unwrap().end, Ts(60));
        findings.note(different(&[60]), 4);
        assert_eq!(findings.due().unwrap().end, Ts(30));
        findings.looked(&drift(30), 5);
        assert_eq!(findings.due().unwrap().end, Ts(60));
        findings.retain(|drift| drift.end > Ts(30));
        assert_eq!(ends(&findings), [60]);
    }

    #[test]
    fn a_ledger_that_differs_everywhere_is_remembered_up_to_a_bound() {
        let mut findings = Findings::default();
        let many: Vec<i64> = (0..1000).map(|n| n * 30).collect();
        findings.note(different(&many), 1);
        findings.note(different(&many), 2);
        assert_eq!(ends(&findings).len(), MOST);
    }
}
