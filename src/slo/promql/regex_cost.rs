//! How large a label regex becomes when compiled, estimated without compiling it. The parser compiles
//! every regex, up to 10 MB each, and forty characters of counted repetition are enough for that.

/// Large Unicode tables: `\w`, `\d`, `\s`, `\pL`.
const TABLE: u64 = 100;
/// A bracketed class.
const CLASS: u64 = 20;
/// Any character, of one to four bytes.
const DOT: u64 = 5;

/// The estimate for the source of a string literal: about one per state, counted repetitions multiplied out.
/// Errs on the large side; a plain literal costs its length.
pub(super) fn estimate(source: &str) -> u64 {
    let mut open: Vec<u64> = Vec::new();
    let (mut sum, mut last) = (0u64, 0u64);
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        let item = match c {
            // Backslashes may be doubled by the string's own escapes.
            '\\' => match chars.by_ref().find(|c| *c != '\\') {
                Some('w' | 'W' | 'd' | 'D' | 's' | 'S' | 'p' | 'P' | 'b' | 'B') => TABLE,
                _ => 1,
            },
            '[' => {
                let inside: Vec<char> = chars.by_ref().take_while(|c| *c != ']').collect();
                if inside.iter().any(|c| matches!(c, '\\' | ':' | '[')) { TABLE } else { CLASS }
            }
            '(' => {
                open.push(sum);
                sum = 0;
                0
            }
            ')' => {
                let group = sum.max(1);
                sum = open.pop().unwrap_or(0);
                group
            }
            '{' => {
                let counts: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let times = counts.split(',').filter_map(|n| n.trim().parse::<u64>().ok()).max().unwrap_or(1);
                last.saturating_mul(times.saturating_sub(1))
            }
            '.' => DOT,
            '*' | '+' | '?' => continue,
            _ => 1,
        };
        last = if c == '{' { last.saturating_add(item) } else { item };
        sum = sum.saturating_add(item);
    }
    open.into_iter().fold(sum, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_multiply_what_they_repeat() {
        assert_eq!(estimate("shop|cart"), 9);
        assert_eq!(estimate("x{3}"), 3);
        assert_eq!(estimate("(ab){3,10}c"), 21);
        assert_eq!(estimate("((ab){10}c){10}"), 210);
        assert_eq!(estimate("x{10}{10}"), 100);
        assert_eq!(estimate("x+{10}"), 10);
        assert_eq!(estimate(r"\\d{3}"), 300);
        assert_eq!(estimate(r"`\w`"), 102);
        assert_eq!(estimate("(((((((\\w{99}){99}){99}){99}){99}){99}){99}){99}){99}){99}"), u64::MAX);
    }

    #[test]
    fn what_people_write_is_cheap() {
        let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
        assert!(estimate(uuid) < 1000);
        assert!(estimate(r"\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}:\\d+") < 1500);
        assert!(estimate("/api/v[12]/(users|carts)/.+") < 100);
    }
}
