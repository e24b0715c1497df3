//! Whether what is gone is really gone: an editor truncates a file before it fills it, a move
//! removes it here before it is there, a tool writes one file after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

/// For so long the same must be gone, in every reading. With the pause before a reading it leaves
/// half of the two seconds within which an edit is live.
pub(super) const SETTLED: Duration = Duration::from_millis(800);

/// What was gone in the last reading, and since when it is exactly that.
#[derive(Default, Debug)]
pub(super) struct Settled {
    gone: BTreeSet<String>,
    since: Option<Instant>,
}

impl Settled {
    /// Notes what is gone now; gives back when it has to be looked at again, `None` once it is settled.
    pub(super) fn look_again_at(&mut self, gone: &BTreeSet<String>, now: Instant) -> Option<Instant> {
        if self.gone != *gone {
            self.gone.clone_from(gone);
            self.since = None;
        }
        let settled_at = *self.since.get_or_insert(now) + SETTLED;
        (!gone.is_empty() && now < settled_at).then_some(settled_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_gone_is_gone() {
        let gone = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let (mut settled, begin) = (Settled::default(), Instant::now());
        assert_eq!(settled.look_again_at(&gone(&[]), begin), None, "nothing has nothing to wait for");
        assert_eq!(settled.look_again_at(&gone(&["a"]), begin), Some(begin + SETTLED));
        // One more is gone, as when a folder is removed file by file: it counts anew.
        let later = begin + SETTLED / 2;
        assert_eq!(settled.look_again_at(&gone(&["a", "b"]), later), Some(later + SETTLED));
        assert_eq!(settled.look_again_at(&gone(&["a", "b"]), begin + SETTLED), Some(later + SETTLED));
        assert_eq!(settled.look_again_at(&gone(&["a", "b"]), later + SETTLED), None);
        // Back, and gone again.
        assert_eq!(settled.look_again_at(&gone(&[]), later + SETTLED * 2), None);
        assert_eq!(settled.look_again_at(&gone(&["a"]), later + SETTLED * 3), Some(later + SETTLED * 4));
    }
}
