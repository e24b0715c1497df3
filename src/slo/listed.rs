//! Lists for people: what is too many to read is counted.

/// The first so many, then how many more: `a, b and 7 more`.
pub fn listed(values: &[impl AsRef<str>], most: usize) -> String {
    let shown: Vec<&str> = values.iter().take(most).map(AsRef::as_ref).collect();
    match values.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_many_to_read_is_counted() {
        assert_eq!(listed(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(listed(&["a", "b"], 2), "a, b");
        assert_eq!(listed(&[""; 0], 2), "");
    }
}
