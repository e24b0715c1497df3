//! Lists for people: what is too many to read is counted.

/// Names shown of one list.
const SHOWN: usize = 10;

/// The first ten, then how many more: `a, b and 7 more`.
pub fn listed(values: &[impl AsRef<str>]) -> String {
    let shown: Vec<&str> = values.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match values.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_many_to_read_is_counted() {
        let names: Vec<String> = (1..=12).map(|n| format!("n{n}")).collect();
        assert_eq!(listed(&names), "n1, n2, n3, n4, n5, n6, n7, n8, n9, n10 and 2 more");
        assert_eq!(listed(&names[..10]), names[..10].join(", "));
        assert_eq!(listed(&[""; 0]), "");
    }
}
