//! Tests have a short form, which `make test` runs, and some a long one: `TEST_DAMPER_LONG=1`, as
//! `make crash` and `make soak` set it.

/// The variable. None of the tests' own begins as Damper's settings do: its programs would refuse it.
pub const VARIABLE: &str = "TEST_DAMPER_LONG";

/// Whether the long forms are asked for.
pub fn is_long() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|text| !text.is_empty() && text != "0")
}

/// A number of rounds, a span, a list: as this run is.
pub fn either<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}
