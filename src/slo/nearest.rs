//! "Did you mean …?": the known word nearest to a mistyped one.

use super::listed::listed;

/// How far a mistyped word is from its own at most.
const EDITS: usize = 2;

/// The candidate within two edits (a third of the word at most), a swap of neighbours counting as one.
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_lowercase();
    if word.len() > 64 {
        return None;
    }
    candidates
        .iter()
        .map(|c| (distance(&word, &c.to_lowercase()), *c))
        .filter(|(d, c)| *d <= EDITS && *d * 3 <= c.len().max(3))
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// `did you mean …?`, or all that is allowed.
pub fn hint(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("known here: {}", candidates.join(", ")),
    }
}

/// For `service/name`, of which there may be very many: `did you mean …?`, or those of the same service,
/// or the first of all.
pub fn hint_of_ids(id: &str, known: &[&str]) -> String {
    const LISTED: usize = 10;
    let length = id.chars().count();
    let near: Vec<&str> =
        known.iter().copied().filter(|known| known.chars().count().abs_diff(length) <= EDITS).collect();
    if let Some(near) = nearest(id, &near) {
        return format!("did you mean `{near}`?");
    }
    let service = id.split_once('/').map_or(id, |(service, _)| service);
    let own = |known: &&str| known.split_once('/').is_some_and(|(own, _)| own == service);
    let mut these: Vec<&str> = known.iter().copied().filter(own).collect();
    if these.is_empty() {
        these = known.to_vec();
    }
    these.sort_unstable();
    if these.is_empty() {
        "there is none yet.".to_owned()
    } else {
        format!("there are: {}.", listed(&these, LISTED))
    }
}

/// Damerau-Levenshtein distance with adjacent swaps (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_word_and_strangers_do_not() {
        let fields = ["window", "objective", "service", "sli", "for", "long"];
        for (typo, word) in [
            ("windwo", Some("window")),
            ("Window", Some("window")),
            ("objectiv", Some("objective")),
            ("servcie", Some("service")),
            ("slo", Some("sli")),
            ("fro", Some("for")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(typo, &fields), word, "{typo}");
        }
    }

    #[test]
    fn an_id_that_is_no_typo_brings_those_of_its_service() {
        let known = ["shop/pay", "cart/latency", "cart/availability"];
        for (id, hint) in [
            ("shop/pya", "did you mean `shop/pay`?"),
            ("cart/avail", "there are: cart/availability, cart/latency."),
            ("cart", "there are: cart/availability, cart/latency."),
            ("mail/age", "there are: cart/availability, cart/latency, shop/pay."),
        ] {
            assert_eq!(hint_of_ids(id, &known), hint, "{id}");
        }
        assert_eq!(hint_of_ids("shop/pay", &[]), "there is none yet.");
    }

    #[test]
    fn distances_are_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("same", "same"), 0);
    }
}
