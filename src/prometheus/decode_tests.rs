//! Answers as Prometheus 2.42 gave them, and what must not pass as one.

use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::slo::time::Span;
use crate::slo::unit::Finite;

const UP: &str = r#"{"__name__":"up","instance":"127.0.0.1:9090","job":"self"}"#;

fn query(start: i64, end: i64) -> Query {
    Query {
        source: "local".into(),
        promql: "up".into(),
        start: Ts(start),
        end: Ts(end),
        every: Span::from_secs(5),
    }
}

fn instant(result_type: &str, result: &str) -> Answer {
    decode(200, success(result_type, result).as_bytes(), &query(1_795_337_155, 1_795_337_155))
}

fn range(result: &str) -> Answer {
    decode(200, success("matrix", result).as_bytes(), &query(1_795_337_145, 1_795_337_155))
}

fn success(result_type: &str, result: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"{result_type}","result":{result}}}}}"#)
}

fn value(number: f64) -> Reading {
    Reading::Value(Finite::new(number).unwrap())
}

#[track_caller]
fn only_frame(answer: Answer) -> Frame {
    match answer {
        Answer::Frames { mut frames, .. } if frames.len() == 1 => frames.remove(0),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn failure(answer: &Answer) -> (FailureKind, &str) {
    match answer {
        Answer::Failed(failure) => (failure.kind, &failure.message),
        other @ Answer::Frames { .. } => panic!("{other:?}"),
    }
}

#[test]
fn a_vector_gives_one_point_per_series() {
    let frame = only_frame(instant("vector", &format!(r#"[{{"metric":{UP},"value":[1795337155,"1"]}}]"#)));
    assert_eq!(frame.labels.len(), 3);
    assert_eq!(frame.labels["job"], "self");
    assert_eq!(frame.points, [(Ts(1_795_337_155), value(1.0))]);
}

#[test]
fn a_matrix_gives_points_on_the_grid_with_gaps_left_out() {
    let values = r#"[[1795337145,"0.5"],[1795337155.001,"1e3"]]"#;
    let frame = only_frame(range(&format!(r#"[{{"metric":{UP},"values":{values}}}]"#)));
    assert_eq!(frame.points, [(Ts(1_795_337_145), value(0.5)), (Ts(1_795_337_155), value(1000.0))]);
}

#[test]
fn a_scalar_is_a_series_without_labels() {
    let frame = only_frame(instant("scalar", r#"[1795337155,"2"]"#));
    assert_eq!((frame.labels.len(), frame.points), (0, vec![(Ts(1_795_337_155), value(2.0))]));
}

#[test]
fn nothing_found_is_no_failure() {
    for answer in [instant("vector", "[]"), range("[]")] {
        assert_eq!(answer, Answer::Frames { frames: vec![], notes: vec![] });
    }
}

#[test]
fn what_is_not_a_finite_number_is_said_to_be_none() {
    for text in ["NaN", "+Inf", "-Inf", "1e999"] {
        let frame =
            only_frame(instant("vector", &format!(r#"[{{"metric":{{}},"value":[1795337155,"{text}"]}}]"#)));
        assert_eq!(frame.points[0].1, Reading::NotANumber, "{text}");
    }
}

#[test]
fn a_native_histogram_is_not_a_number_and_keeps_its_place_among_floats() {
    let histogram = r#"{"count":"5","sum":"1","buckets":[[3,"0","1","5"]]}"#;
    let one = instant("vector", &format!(r#"[{{"metric":{{}},"histogram":[1795337155,{histogram}]}}]"#));
    assert_eq!(only_frame(one).points, [(Ts(1_795_337_155), Reading::NotANumber)]);
    let mixed = range(&format!(
        r#"[{{"metric":{{}},"values":[[1795337145,"1"],[1795337155,"3"]],"histograms":[[1795337150,{histogram}]]}}]"#
    ));
    let readings: Vec<Reading> = only_frame(mixed).points.into_iter().map(|(_, reading)| reading).collect();
    assert_eq!(readings, [value(1.0), Reading::NotANumber, value(3.0)]);
}

#[test]
fn fields_may_come_in_any_order_and_unknown_ones_are_left_out() {
    let body = r#"{"infos":["PromQL info: x"],"stats":{"a":[1]},"data":{"result":[{"value":[1795337155,"1"],"metric":{}}],
        "resultType":"vector","explanation":null},"isPartial":false,"warnings":null,"status":"success"}"#;
    let answer = decode(200, body.as_bytes(), &query(1_795_337_155, 1_795_337_155));
    assert!(
        matches!(&answer, Answer::Frames { frames, notes } if frames.len() == 1 && notes.is_empty()),
        "{answer:?}"
    );
}

#[test]
fn only_warnings_about_the_expression_are_harmless() {
    let with = |extra: &str| {
        let body = format!(r#"{{"status":"success",{extra},"data":{{"resultType":"vector","result":[]}}}}"#);
        decode(200, body.as_bytes(), &query(0, 0))
    };
    let harmless = with(r#""warnings":["PromQL warning: x","PromQL info: y"]"#);
    assert!(matches!(&harmless, Answer::Frames { notes, .. } if notes.len() == 2), "{harmless:?}");
    for partial in
        [r#""warnings":["PromQL warning: x","No StoreAPIs matched for this query"]"#, r#""isPartial":true"#]
    {
        assert_eq!(failure(&with(partial)).0, FailureKind::Partial, "{partial}");
    }
    let said = with(r#""warnings":["receive-0 is down"]"#);
    assert!(failure(&said).1.contains("receive-0 is down"));
}

#[test]
fn what_prometheus_would_not_answer_is_garbage() {
    let off_grid = [
        r#"[{"metric":{},"values":[[1795337146,"1"]]}]"#,
        r#"[{"metric":{},"values":[[1795337145.4,"1"]]}]"#,
        r#"[{"metric":{},"values":[[1795337160,"1"]]}]"#,
        r#"[{"metric":{},"values":[[1795337140,"1"]]}]"#,
        r#"[{"metric":{},"values":[[1795337150,"1"],[1795337145,"1"]]}]"#,
        r#"[{"metric":{},"values":[[1795337150,"1"],[1795337150,"1"]]}]"#,
        r#"[{"metric":{},"values":[[1e300,"1"]]}]"#,
        r#"[{"metric":{},"values":[[1795337145,"1"]],"histograms":[[1795337145,{}]]}]"#,
        r#"[{"metric":{},"values":[]},{"metric":{},"values":[]}]"#,
        r#"[{"metric":{"a":"1","a":"2"},"values":[]}]"#,
        r#"[{"values":[]}]"#,
        r#"[{"metric":{},"values":[[1795337145,1]]}]"#,
        r#"[{"metric":{},"values":[[1795337145,"one"]]}]"#,
        r#"[{"metric":{},"values":[["1795337145","1"]]}]"#,
        r#"[{"metric":{},"values":[[1795337145,"1","2"]]}]"#,
        r#"[{"metric":{},"values":[]},1795337145]"#,
        r#"[1795337145,{"metric":{},"values":[]}]"#,
        r#"["1"]"#,
        "null",
        "{}",
    ];
    for result in off_grid {
        assert_eq!(failure(&range(result)).0, FailureKind::Garbage, "{result}");
    }
    for (result_type, result) in [
        ("string", r#"[1795337155,"a"]"#),
        ("matrix", "[]"),
        ("scalar", "[]"),
        ("scalar", r#"[1795337155]"#),
        ("vector", r#"[1795337155,"1"]"#),
        ("", "[]"),
    ] {
        assert_eq!(failure(&instant(result_type, result)).0, FailureKind::Garbage, "{result_type} {result}");
    }
    for body in [r#"{"status":"success"}"#, r#"{"status":"success","data":{}}"#, "", "[]", "<html>", "\u{0}"]
    {
        assert_eq!(failure(&decode(200, body.as_bytes(), &query(0, 0))).0, FailureKind::Garbage, "{body}");
    }
}

#[test]
fn an_error_is_an_error_whatever_the_code_says() {
    let body = r#"{"status":"error","errorType":"internal","error":"disk"}"#;
    assert_eq!(failure(&decode(200, body.as_bytes(), &query(0, 0))).0, FailureKind::ServerError);
    let answer = decode(500, success("vector", "[]").as_bytes(), &query(0, 0));
    assert_eq!(failure(&answer).0, FailureKind::ServerError);
}

#[test]
fn depth_and_number_of_series_are_bounded() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(failure(&range(&deep)).0, FailureKind::Garbage);
    let nested = format!(r#"{{"status":"success","x":{deep}}}"#);
    assert_eq!(failure(&decode(200, nested.as_bytes(), &query(0, 0))).0, FailureKind::Garbage);
    let (kind, message) = failure_owned(range(&many(MAX_SERIES + 5, 0)));
    assert_eq!(kind, FailureKind::TooLarge);
    assert!(message.contains("sum by"), "{message}");
}

#[test]
fn what_is_small_on_the_wire_and_large_in_memory_is_bounded() {
    let labels = |n: usize| (0..n).map(|i| format!("\"{i:x}\":\"\"")).collect::<Vec<_>>().join(",");
    let of_labels =
        |n: usize, name: usize| format!(r#"{{"metric":{{"n":"{name}",{}}},"values":[]}}"#, labels(n));
    let list = |rows: Vec<String>| format!("[{}]", rows.join(","));
    let wide = |rows: usize| list((0..rows).map(|name| of_labels(950, name)).collect());
    assert!(matches!(range(&wide(100)), Answer::Frames { .. }));
    assert_eq!(failure(&range(&wide(1100))).0, FailureKind::TooLarge);
    assert_eq!(failure(&range(&list(vec![of_labels(1200, 0)]))).0, FailureKind::Garbage);
    let of_points = |n: usize, name: usize| {
        format!(r#"{{"metric":{{"n":"{name}"}},"values":[{}]}}"#, vec![r#"[1,"1"]"#; n].join(","))
    };
    assert_eq!(
        failure(&range(&list((0..210).map(|name| of_points(10_000, name)).collect()))).0,
        FailureKind::TooLarge
    );
    assert_eq!(failure(&range(&list(vec![of_points(11_001, 0)]))).0, FailureKind::Garbage);
}

#[test]
fn ten_thousand_series_are_read_at_once() {
    let body = success("matrix", &many(10_000, 3));
    let before = cpu_free_instant();
    let answer = decode(200, body.as_bytes(), &query(1_795_337_145, 1_795_337_155));
    println!("{} bytes in {:?}", body.len(), before.elapsed());
    assert!(matches!(answer, Answer::Frames { frames, .. } if frames.len() == 10_000));
}

#[expect(clippy::disallowed_methods, reason = "printed for people, decides nothing")]
fn cpu_free_instant() -> Instant {
    Instant::now()
}

fn failure_owned(answer: Answer) -> (FailureKind, String) {
    let (kind, message) = failure(&answer);
    (kind, message.to_owned())
}

fn many(series: usize, points: i64) -> String {
    let values: Vec<String> = (0..points).map(|i| format!(r#"[{},"{i}"]"#, 1_795_337_145 + 5 * i)).collect();
    let values = values.join(",");
    let one = |i| format!(r#"{{"metric":{{"route":"/api/{i}","job":"checkout"}},"values":[{values}]}}"#);
    format!("[{}]", (0..series).map(one).collect::<Vec<_>>().join(","))
}

proptest! {
    #[test]
    fn no_change_of_bytes_makes_it_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        code in prop::sample::select(vec![200u16, 302, 400, 422, 500]),
    ) {
        let values = r#"[[1795337145,"0.5"],[1795337155.001,"NaN"]]"#;
        let mut body = success("matrix", &format!(r#"[{{"metric":{UP},"values":{values}}}]"#)).into_bytes();
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let query = query(1_795_337_145, 1_795_337_155);
        let kept = cut.index(body.len());
        prop_assert!(matches!(decode(code, &body[..kept], &query), Answer::Failed(_)), "a cut answer is never whole");
        if let Answer::Frames { frames, .. } = decode(code, &body, &query) {
            let grid = [Ts(1_795_337_145), Ts(1_795_337_150), Ts(1_795_337_155)];
            prop_assert!(frames.iter().flat_map(|f| &f.points).all(|(at, _)| grid.contains(at)));
        }
    }
}
