//! Lists and numbers for people: what is too many to read is counted.

use std::fmt::Display;

/// The first so many, then how many more: `a, b and 7 more`.
pub fn listed(values: &[impl AsRef<str>], most: usize) -> String {
    let shown: Vec<&str> = values.iter().take(most).map(AsRef::as_ref).collect();
    match values.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 file`, `2 files`, `2 series`.
pub fn counted<N: Display + PartialEq + From<u8>>(n: N, what: &str) -> String {
    let plural = if n == N::from(1) || what == "series" { "" } else { "s" };
    format!("{n} {what}{plural}")
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

    #[test]
    fn one_of_a_thing_is_no_plural() {
        let told = [counted(0_usize, "SLO"), counted(1_u64, "group"), counted(2_usize, "series")];
        assert_eq!(told, ["0 SLOs", "1 group", "2 series"]);
    }
}
