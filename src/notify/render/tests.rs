//! What people read, and what they read when a template fails.

use super::*;
use crate::notify::testing::{firing, labels, resolved};

fn built_in() -> Renderer {
    Renderer::new(Sources::BUILT_IN).unwrap()
}

#[test]
fn a_page_says_what_burns_what_is_left_and_what_to_do() {
    let mail = built_in().render(&firing(), "http://damper:9095");
    assert_eq!(mail.problem, None);
    assert_eq!(mail.subject, "[FIRING] page checkout/availability (route=/pay): burn rate 27.5 over 1h");
    insta::assert_snapshot!(mail.text, @r#"
    checkout/availability (route=/pay) burns its error budget 27.5 times as fast as it may, over 1h; 63.2% of the budget is left, gone in 1d 4h

    Firing since 2026-05-28 20:26:30 UTC. Severity: page.
    Objective 99.9%: 63.2% of the budget is left; at the burn of the last hour it is gone in 1d 4h.

    Runbook: https://run/checkout

    The page rule at burn rate 13.44 holds:
    - 1,440 of 52,314 events were bad (2.75%) over 1h: burn rate 27.5
    - 131 of 4,300 events were bad (3.05%) over 5m: burn rate 30.5

    To look at it yourself:
      Bad events:
        sum(rate(http_requests_total{job="checkout",code=~"5.."}[5m]))
      All events:
        sum(rate(http_requests_total{job="checkout"}[5m]))

    Labels:
      alertname: ErrorBudgetBurn
      route: /pay
      service: checkout
      severity: page
      slo: availability
    Details: http://damper:9095/api/v1/slos/checkout/availability
    Incident: checkout/availability:page:1779999990
    "#);
}

#[test]
fn a_resolve_says_how_long_it_lasted() {
    let mail = built_in().render(&resolved(), "");
    assert_eq!(mail.subject, "[RESOLVED] page checkout/availability (route=/pay)");
    assert!(mail.text.contains("no longer burns its error budget at a page threshold"), "{}", mail.text);
    assert!(
        mail.text.contains("Began 2026-05-28 20:26:30 UTC, ended 2026-05-28 20:36:40 UTC after 10m 10s."),
        "{}",
        mail.text
    );
    assert!(!mail.text.contains("Details"), "no link without an address:\n{}", mail.text);
}

#[test]
fn an_alert_without_a_burn_is_told_by_its_annotations() {
    let mut notice = firing();
    notice.alert.evidence = None;
    notice.alert.labels = labels(&[("alertname", "SourceBlind"), ("source", "global"), ("severity", "page")]);
    notice.alert.annotations =
        labels(&[("summary", "Source global does not answer"), ("description", "last error: timeout")]);
    let mail = built_in().render(&notice, "http://damper:9095");
    assert_eq!(mail.problem, None);
    assert_eq!(mail.subject, "[FIRING] page SourceBlind (source=global)");
    assert!(mail.text.starts_with("Source global does not answer\n"), "{}", mail.text);
    assert!(mail.text.contains("description: last error: timeout"), "{}", mail.text);
}

#[test]
fn html_escapes_whatever_labels_and_annotations_hold() {
    let mut notice = firing();
    let evil = "<script>alert(1)</script>\"'&";
    notice.alert.labels.insert("evil".into(), evil.into());
    notice.alert.annotations = labels(&[("note", evil), ("runbook", "javascript:alert(1)")]);
    notice.alert.evidence.as_mut().unwrap().group = labels(&[("route", evil)]);
    notice.incident = evil.into();
    let html = built_in().render(&notice, "http://damper").html.unwrap();
    assert!(!html.contains("<script") && !html.contains("javascript:"), "{html}");
    assert!(html.contains("&lt;script&gt;"), "{html}");
}

#[test]
fn no_template_can_lose_a_page() {
    let loops = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}";
    let long = format!("{{% for i in range(9000) %}}{}{{% endfor %}}", "x".repeat(100));
    for (broken, why) in [
        ("{{ nonsense }}", "undefined"),
        ("{{ rules[7].title }}", "undefined"),
        (loops, "fuel"),
        (&long, "longer than"),
        ("{{ 1 // 0 }}", "unable to calculate"),
        ("  ", "empty"),
    ] {
        let renderer = Renderer::new(Sources { subject: broken, text: broken, html: broken }).unwrap();
        let mail = renderer.render(&firing(), "http://damper");
        let problem = mail.problem.unwrap();
        assert!(problem.contains(why), "{broken}: {problem}");
        assert_eq!(mail.html, None);
        assert_eq!(mail.subject, "[FIRING] page checkout/availability (route=/pay) burn rate 27.5 over 1h");
        for needed in ["27.5 times as fast", "63.2%", "1,440 of 52,314", "https://run/checkout", "sum(rate("]
        {
            assert!(mail.text.contains(needed), "{needed}: {}", mail.text);
        }
    }
}

#[test]
fn a_template_that_does_not_parse_is_refused_with_its_line() {
    let error = Renderer::new(Sources { text: "one\n{% if %}", ..Sources::BUILT_IN }).unwrap_err();
    assert!(error.contains("mail.txt:2"), "{error}");
}

#[test]
fn a_subject_is_one_bounded_line() {
    assert_eq!(one_line(" a\r\nBcc: x\0\u{85}y\u{2028}z "), "a Bcc: x y z");
    assert_eq!(one_line(&"ü".repeat(500)).chars().count(), 200);
}

#[test]
fn what_is_only_shown_says_so_first() {
    let notice = Notice { shadow: true, ..firing() };
    let mail = built_in().render(&notice, "");
    assert_eq!(mail.problem, None);
    let subject = "[SHADOW] [FIRING] page checkout/availability (route=/pay): burn rate 27.5 over 1h";
    assert_eq!(mail.subject, subject);
    let html = mail.html.unwrap();
    for text in [&mail.text, &html] {
        assert!(text.contains("Shadow mode: nobody is paged."), "{text}");
    }
    assert!(mail.text.starts_with("Shadow mode"), "{}", mail.text);
    let broken = Renderer::new(Sources { subject: "{{ x }}", text: "{{ x }}", html: "" }).unwrap();
    let plain = broken.render(&notice, "");
    assert!(plain.subject.starts_with("[SHADOW] ") && plain.text.starts_with("Shadow mode"), "{plain:?}");
}
