//! Selectors, templates and instant queries.

use crate::slo::promql::{parse, read_any, read_selector, read_template};

#[test]
fn a_selector_is_put_into_canonical_order() {
    for (text, canonical) in [
        ("up", "up"),
        ("(up{})", "up"),
        ("up{job=\"a\",env!=\"b\",job=\"a\",}", "up{env!=\"b\",job=\"a\"}"),
        ("{\"up\",job=~'a|b'}", "up{job=~\"a|b\"}"),
        ("{__name__=\"up\",pod!~``}", "up{pod!~\"\"}"),
        ("up{a=\"\",b=~\"\",c=~\".*\"}", "up{a=\"\",b=~\"\",c=~\".*\"}"),
        ("{'http.hits','the.label'=\"x\\ty\"}", "{\"http.hits\",\"the.label\"=\"x\ty\"}"),
        ("job:hits:sum", "job:hits:sum"),
        ("{__name__=\"bool\"}", "{__name__=\"bool\"}"),
        ("up{or=\"1\"}", "up{or=\"1\"}"),
    ] {
        let selector = read_selector(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(selector.to_string(), canonical, "{text}");
        assert_eq!(read_selector(canonical).unwrap(), selector);
    }
}

#[test]
fn what_is_not_one_plain_selector_is_refused() {
    for (text, what) in [
        ("up[5m]", "range"),
        ("up[{{.window}}]", "window"),
        ("up{job=\"a{{ .window }}\"}", "has no window"),
        ("up{job=\"a{\\u007b.window}}\"}", "is neither"),
        ("up offset 5m", "offset"),
        ("up @ start()", "offset"),
        ("{job=\"x\"}", "several metrics"),
        ("{__name__=~\"a|b\"}", "several metrics"),
        ("{__name__=\"a\",__name__!=\"b\"}", "several metrics"),
        ("{__name__=\"\",job=\"x\"}", "several metrics"),
        ("up{a=\"1\" or b=\"2\"}", "twice"),
        ("sum(up)", "plain selector"),
        ("up + up", "plain selector"),
        ("up{job=~\"(?=x)\"}", "not PromQL"),
        ("{job=~\".*\"}", "not PromQL"),
        ("{}", "not PromQL"),
        ("up{job=$job}", "Grafana"),
    ] {
        let error = read_selector(text).unwrap_err();
        assert!(error.message.contains(what), "{text}: {error}");
        assert!(error.hint.is_some(), "{text}");
    }
    let hint = read_selector("{__name__=~\"a|b\"}").unwrap_err().hint.unwrap();
    assert!(hint.contains("add them with +"), "{hint}");
}

#[test]
fn a_template_needs_the_window_as_a_range() {
    let ratio =
        "1 - (\n  sum(sum_over_time(q[{{ .window}}]))\n  /\n  sum(count_over_time(q[{{.window}}]))\n)\n";
    let kept = ratio.trim().replace("{{ .window}}", "{{.window}}");
    assert_eq!(read_template(ratio).unwrap(), kept);
    assert!(read_template("avg_over_time((a / b)[{{.window}}:1m])").is_ok());
    for text in [
        "a / b",
        "rate(a[307s])",
        "rate(a[5m] offset {{.window}})",
        "rate(a[5m]) # {{.window}}",
        "rate(a[307s]) # {{.window}}",
        "max_over_time(a[5m:{{.window}}])",
    ] {
        assert!(read_template(text).unwrap_err().message.contains("no range"), "{text}");
    }
    for text in [
        "x{a=\"[{{.window}}]\"}",
        "rate(x{a=\"{{ .window }}\"}[{{.window}}])",
        "label_replace(rate(x[{{.window}}]), 'a', '{{.window}}', 'b', '.*')",
        "rate(x[{{.window}}]) * {{.window}}",
    ] {
        assert!(read_template(text).unwrap_err().message.contains("is neither"), "{text}");
    }
    assert!(read_template("rate(a[{{.window}}]) / rate(a[{{.window}}] offset {{.window}})").is_ok());
    assert!(read_template("a[{{.window}}]").unwrap_err().message.contains("no single value"));
    assert!(read_template("rate(a[{{.window}}5m])").is_err());
}

#[test]
fn any_query_is_kept_in_one_spelling() {
    for (text, canonical) in [
        ("max( probe{b='1',a=\"2\"} )  # note", "max(probe{a=\"2\",b=\"1\"})"),
        ("sum(rate(a[60s])) by (x)", "sum by (x) (rate(a[1m]))"),
        ("a/b*c-(d-e)", "a / b * c - (d - e)"),
        ("-2^2", "-2 ^ 2"),
        ("max_over_time(a[1h:5m] @ 100)", "max_over_time(a[1h:5m] @ 100.000)"),
        // The parser would print this moment as 1970.
        ("a @ -5", "a @ -5"),
        ("1", "1"),
        // It would print as a placeholder.
        ("a{b=\"{\\u007b.window}}\"}", "a{b=\"{\\u007b.window}}\"}"),
    ] {
        assert_eq!(read_any(text).unwrap(), canonical, "{text}");
    }
    assert!(read_any("a[5m]").is_err());
    assert!(read_any("\"a\"").is_err());
    for text in ["rate(a[{{.window}}])", "a{b=\"{{.window}}\"}"] {
        assert!(read_any(text).unwrap_err().message.contains("has no meaning here"), "{text}");
    }
}

#[test]
fn sizes_are_refused_before_parsing() {
    let error = |text: &str| parse(text).unwrap_err().message;
    assert!(error(&"(".repeat(65)).contains("nested 65 deep"));
    assert!(error(&format!("{}1", "-".repeat(251))).contains("251 operators"));
    assert!(error(&format!("a{}", " or a".repeat(251))).contains("251 operators"));
    assert!(error(&"a".repeat(16 * 1024 + 1)).contains("bytes"));
    for regex in ["((x{99}){99}){99}", "\\\\w{999}", &"\\\\pL".repeat(400)] {
        assert!(error(&format!("a{{b=~\"{regex}\"}}")).contains("regexes are too large"), "{regex}");
    }
    for endless in [
        "a[1e300]",
        "a[5m:1e300]",
        "a offset 1e300",
        "a OFFSET # x\n - inf",
        "a offset nan",
        "a[99999999999]",
    ] {
        assert!(error(endless).contains("not a duration"), "{endless}");
    }
}

#[test]
fn brackets_and_operators_in_strings_and_comments_do_not_count() {
    let many = "((([[[---".repeat(100);
    for text in [
        format!("a{{b=\"{many}\"}}"),
        format!("a{{b='{many}\\'{many}'}}"),
        format!("a{{b=`{many}`}}"),
        format!("a # {many}\n + b"),
        format!("a{{ # {many}\r b=\"1\"}}"),
    ] {
        parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
    // A quote in a comment opens no string, a comment sign in a string no comment, and an escaped
    // quote closes nothing: what follows counts.
    for text in
        [format!("a # \"\n + {many}"), format!("a{{b=\"#\"}} + {many}"), format!("a{{b=\"\\\"\"}} + {many}")]
    {
        assert!(parse(&text).unwrap_err().message.contains("more than"), "{text}");
    }
}
