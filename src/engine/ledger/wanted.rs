//! What somebody wants to take out of an SLO, and whether that can be.

use super::excluded::{Exclusion, rounded};
use crate::slo::time::{Span, Ts};

/// Exclusions of one SLO at most.
pub const MOST: usize = 100;
/// The longest one.
pub const LONGEST: Span = Span::from_days(7);
/// The longest reason, in characters.
const REASON: usize = 500;
/// The longest name of who says so, in characters.
const BY: usize = 100;

/// A stretch of time that is not to count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Where it begins, as asked.
    pub from: Ts,
    /// Where it ends, as asked.
    pub to: Ts,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub by: String,
}

/// The exclusion of this number as it would lie in the ledger of an SLO that looks back over `kept` and
/// has its facts `facts` apart.
///
/// # Errors
/// In words: what is wrong with it, and what to do.
pub fn exclusion(
    id: i64,
    wanted: &Wanted,
    list: &[Exclusion],
    (kept, facts): (Span, Span),
    now: Ts,
) -> Result<Exclusion, String> {
    let Wanted { from, to, .. } = *wanted;
    if from >= to {
        return Err(format!("it ends at {to}, which is not after {from}, where it begins"));
    }
    if to > now {
        return Err(format!(
            "it ends at {to}, which is still to come: what has not happened is not taken out, or real \
             errors of that time would page nobody. Take it out when it is over"
        ));
    }
    if to <= now.minus(kept) {
        return Err(format!("nothing of that time is kept any more: this SLO looks back over {kept}"));
    }
    if to.since(from) > LONGEST {
        return Err(format!("it is longer than {LONGEST}; take out less, or several parts if it must be"));
    }
    let reason = plain(&wanted.reason);
    if reason.is_empty() || reason.chars().count() > REASON {
        return Err(format!("a reason is needed, of at most {REASON} characters"));
    }
    let by = plain(&wanted.by);
    if by.is_empty() || by.chars().count() > BY {
        return Err(format!("who says so is needed, with at most {BY} characters"));
    }
    let (from, to) = rounded((from, to), facts, now);
    if from >= to {
        return Err(format!(
            "the {facts} that it lies in are not over, and the ledger tells nothing shorter apart; ask again \
             when they are"
        ));
    }
    if let Some(other) = list.iter().find(|other| other.from < to && from < other.to) {
        return Err(format!(
            "{from} to {to} has time in common with number {} ({} to {}); take that back first, or name \
             only the rest",
            other.id, other.from, other.to
        ));
    }
    if list.len() >= MOST {
        return Err(format!("{MOST} stretches are taken out of this SLO already; take some back"));
    }
    Ok(Exclusion { id, from, to, reason, by, at: now, edges: Vec::new() })
}

/// One line without control characters.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 20_000 * 86_400;
    const KEPT: (Span, Span) = (Span::from_days(28), Span::from_secs(30));

    fn wanted(from: i64, to: i64) -> Wanted {
        Wanted { from: Ts(NOW + from), to: Ts(NOW + to), reason: " load\ntest ".into(), by: "ann".into() }
    }

    fn refused(wanted: &Wanted, list: &[Exclusion]) -> String {
        exclusion(7, wanted, list, KEPT, Ts(NOW)).unwrap_err()
    }

    #[test]
    fn it_lies_on_the_grid_and_says_who_and_why() {
        let made = exclusion(7, &wanted(-3601, -10), &[], KEPT, Ts(NOW)).unwrap();
        assert_eq!((made.id, made.from.0 - NOW, made.to.0 - NOW), (7, -3900, 0));
        assert_eq!((made.reason.as_str(), made.by.as_str(), made.at), ("load test", "ann", Ts(NOW)));
    }

    #[test]
    fn it_never_reaches_into_what_is_still_to_come() {
        let wanted = |from: i64, to: i64| Wanted { to: Ts(NOW + to), ..wanted(from, 0) };
        let made = exclusion(7, &wanted(-900, 100), &[], KEPT, Ts(NOW + 100)).unwrap();
        assert_eq!((made.from.0 - NOW, made.to.0 - NOW), (-900, 90), "the newest slice");
        let made = exclusion(7, &wanted(-900, 100), &[], KEPT, Ts(NOW + 300)).unwrap();
        assert_eq!(made.to.0 - NOW, 300, "five minutes that are over");
        // Time slices go as a whole.
        let slices = (KEPT.0, Span::from_mins(10));
        let made = exclusion(7, &wanted(-900, -700), &[], slices, Ts(NOW)).unwrap();
        assert_eq!((made.from.0 - NOW, made.to.0 - NOW), (-1200, -600));
        let told = exclusion(7, &wanted(10, 100), &[], slices, Ts(NOW + 100)).unwrap_err();
        assert!(told.contains("not over"), "{told}");
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let one = exclusion(1, &wanted(-7200, -3600), &[], KEPT, Ts(NOW)).unwrap();
        let days = |days: i64| -days * 86_400;
        for (wanted, list, why) in [
            (wanted(-10, -10), vec![], "not after"),
            (wanted(-10, 10), vec![], "still to come"),
            (wanted(days(30), days(28)), vec![], "nothing of that time is kept"),
            (wanted(days(8), days(0)), vec![], "longer than 7d"),
            (Wanted { reason: "\n".into(), ..wanted(-60, 0) }, vec![], "a reason is needed"),
            (Wanted { by: "x".repeat(101), ..wanted(-60, 0) }, vec![], "who says so"),
            (wanted(-3700, -60), vec![one.clone()], "number 1"),
            (wanted(-60, 0), vec![one.clone(); MOST], "100 stretches"),
        ] {
            let told = refused(&wanted, &list);
            assert!(told.contains(why), "{why}: {told}");
        }
        assert!(exclusion(2, &wanted(-3600, 0), &[one], KEPT, Ts(NOW)).is_ok(), "side by side");
    }
}
