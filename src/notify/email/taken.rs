//! Who has a mail already, while others of its recipients are still to be tried: nobody gets it twice
//! because somebody else's server asked for patience. In memory only: after a restart the mail is
//! repeated under the same Message-ID.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lettre::Address;

/// Most mails remembered; beyond it one is forgotten, and repeated to all.
const MOST: usize = 1000;

/// By notice: the addresses that have it.
#[derive(Default, Debug)]
pub(super) struct TakenBy(Mutex<BTreeMap<String, BTreeSet<Address>>>);

impl TakenBy {
    /// Those of `all` who do not have the notice yet.
    pub(super) fn left(&self, notice: &str, all: impl Iterator<Item = Address>) -> Vec<Address> {
        let known = self.lock();
        let has = known.get(notice);
        all.filter(|address| !has.is_some_and(|has| has.contains(address))).collect()
    }

    /// These have it, and others do not yet.
    pub(super) fn add(&self, notice: &str, by: Vec<Address>) {
        let mut known = self.lock();
        known.entry(notice.to_owned()).or_default().extend(by);
        while known.len() > MOST {
            known.pop_first();
        }
    }

    /// Everybody has it.
    pub(super) fn forget(&self, notice: &str) {
        self.lock().remove(notice);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<Address>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let taken = TakenBy::default();
        let ann: Address = "ann@example.org".parse().unwrap();
        for n in 0..MOST + 10 {
            taken.add(&n.to_string(), vec![ann.clone()]);
        }
        assert_eq!(taken.lock().len(), MOST);
        assert!(taken.left("999", std::iter::once(ann)).is_empty());
    }
}
