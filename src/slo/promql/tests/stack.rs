//! Whatever passes the bounds is safe on the stack of a tokio worker, 2 MiB, in a debug build.

use crate::slo::promql::bounds::{MAX_DEPTH, MAX_OPERATORS};
use crate::slo::promql::{form, parse, read_any, read_events, read_selector, read_template};

/// Runs everything that walks the tree, on a stack of a known size.
fn survives(text: String, bytes: usize) {
    let run = move || {
        parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        let _ = (read_any(&text), read_selector(&text), form(&text));
        let _ = (read_events(&text, false), read_events(&text, true));
        let window = text.replace("[5m]", "[{{.window}}]");
        let _ = (read_template(&window), read_events(&window, false));
    };
    std::thread::Builder::new().stack_size(bytes).spawn(run).unwrap().join().unwrap();
}

/// The deepest queries of every recursive shape that the bounds let through.
fn deepest() -> Vec<String> {
    let wrapped =
        |inner: &str, open: &str, times: usize| format!("{}{inner}{}", open.repeat(times), ")".repeat(times));
    let chain = |op: &str, times: usize| format!("x{}", format!("{op}x").repeat(times));
    let mut all = vec![
        wrapped("x", "(", MAX_DEPTH),
        wrapped("rate(x[5m])", "sum(", MAX_DEPTH - 2),
        wrapped("rate(x[5m])", "abs(", MAX_DEPTH - 2),
        wrapped("rate(x[5m])", "sum by (a, b) (", MAX_DEPTH - 2),
        wrapped("x", "-(", MAX_DEPTH),
        format!("{}x", "-".repeat(MAX_OPERATORS)),
        format!("{}x", "+".repeat(MAX_OPERATORS)),
        format!("{}x", "- ".repeat(MAX_OPERATORS)),
        wrapped(&format!("{}x", "-".repeat(MAX_OPERATORS - MAX_DEPTH)), "-(", MAX_DEPTH),
        // Every level closes with a subquery, the widest node.
        format!("{}x{}", "sum_over_time(abs(".repeat(31), ")[5m:1m])".repeat(31)),
    ];
    for op in ["+", "-", "*", "/", "%", "^", " or ", " and ", " unless ", " atan2 ", ">", " or on() "] {
        all.push(chain(op, MAX_OPERATORS));
    }
    all.push(chain(" == bool ", MAX_OPERATORS / 2));
    for op in ["+", "^", " or ", "-"] {
        all.push(wrapped(&chain(op, MAX_OPERATORS - MAX_DEPTH), "-(", MAX_DEPTH));
        // Right-leaning chains inside of brackets.
        all.push(wrapped("x", &format!("x{op}abs("), MAX_DEPTH));
    }
    all
}

#[test]
fn the_deepest_queries_need_less_than_half_of_what_a_worker_has() {
    for text in deepest() {
        survives(text, 1024 * 1024);
    }
}

#[test]
fn one_level_more_is_refused() {
    // One more of either is refused, so the queries above are the deepest.
    for text in [format!("{}x", "-".repeat(MAX_OPERATORS + 1)), "(".repeat(MAX_DEPTH + 1)] {
        assert!(parse(&text).unwrap_err().message.contains("more than"));
    }
}
