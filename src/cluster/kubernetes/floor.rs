//! Raising the floor of an autoscaler, and putting it back. What is needed for that is written on the
//! autoscaler itself, in the same patch, so that anybody can do it without Damper's store.
//!
//! | annotation | says |
//! | --- | --- |
//! | `damper.dev/original-floor` | where the floor was; `absent` where none was written |
//! | `damper.dev/raised-to` | where Damper left it: elsewhere, somebody else moved it since |
//! | `damper.dev/raised-by` | the policy |
//! | `damper.dev/raised-until` | until when it is meant to stay |

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use super::object::Object;
use super::owner::Scaler;
use super::write::moved;
use crate::cluster::fault::Fault;
use crate::cluster::order::{Order, Raised, Released};
use crate::slo::time::Ts;

const ORIGINAL: &str = "damper.dev/original-floor";
const TO: &str = "damper.dev/raised-to";
const BY: &str = "damper.dev/raised-by";
const UNTIL: &str = "damper.dev/raised-until";
const ABSENT: &str = "absent";

/// The patch that makes an order, or `None` where all is as ordered already.
pub(super) fn order(scaler: Scaler, object: &Object, order: &Order) -> Result<Option<Value>, Fault> {
    let at = scaler.floor(object);
    if at != order.from {
        return if at == order.to { Ok(None) } else { Err(moved(order, at)) };
    }
    let written = scaler.written(object);
    // What somebody else set since is what is gone back to.
    let original = if is_ours(scaler, object) { original(object)? } else { None };
    let original = original.unwrap_or(written);
    let bottom = original.unwrap_or_else(|| scaler.floor(&Object::default()));
    let mut patch = vec![test(scaler, written)];
    if order.to < bottom {
        let name = scaler.named(&object.metadata.name);
        let why =
            format!("{name} had a floor of {bottom} before, and Damper does not lower it to {}", order.to);
        return Err(Fault::refused(why));
    }
    if order.to == bottom {
        if !is_marked(object) && written == original {
            return Ok(None);
        }
        patch.extend(set(scaler, written, original));
        patch.extend(unmark(object));
    } else {
        patch.extend(set(scaler, written, Some(order.to)));
        patch.extend(mark(object, original, order));
    }
    Ok(Some(Value::Array(patch)))
}

/// The patch that puts the floor back and takes the marks off, with what that makes of it.
pub(super) fn release(scaler: Scaler, object: &Object) -> Result<Option<(Value, Released)>, Fault> {
    if !is_marked(object) {
        return Ok(None);
    }
    let written = scaler.written(object);
    let mut patch = vec![test(scaler, written)];
    let released = match original(object)? {
        Some(original) if is_ours(scaler, object) => {
            patch.extend(set(scaler, written, original));
            Released::Back(original)
        }
        _ => Released::LeftAlone { at: scaler.floor(object) },
    };
    patch.extend(unmark(object));
    Ok(Some((Value::Array(patch), released)))
}

/// What the object says of a floor that Damper raised.
pub(super) fn raised(scaler: Scaler, object: &Object) -> Option<Raised> {
    let original = object.annotation(ORIGINAL)?;
    let until = object.annotation(UNTIL).and_then(|until| DateTime::parse_from_rfc3339(until).ok());
    Some(Raised {
        object: format!("{} {}/{}", scaler.kind(), object.metadata.namespace, object.metadata.name),
        namespace: object.metadata.namespace.clone(),
        by: object.annotation(BY).unwrap_or_default().to_owned(),
        until: until.map(|until| Ts(until.timestamp())),
        at: scaler.floor(object),
        original: original.parse().ok(),
        is_moved: !is_ours(scaler, object),
    })
}

/// Where a floor that stands where Damper left it was before.
pub(super) fn before(scaler: Scaler, object: &Object) -> Option<u32> {
    let original = original(object).ok()??;
    is_ours(scaler, object).then(|| original.unwrap_or_else(|| scaler.floor(&Object::default())))
}

/// Whether the floor is where Damper left it.
fn is_ours(scaler: Scaler, object: &Object) -> bool {
    let left = object.annotation(TO).map(str::parse);
    is_marked(object) && left.is_none_or(|left| left == Ok(scaler.floor(object)))
}

fn is_marked(object: &Object) -> bool {
    object.annotation(ORIGINAL).is_some()
}

/// The outer `None`: no mark; the inner: none was written.
fn original(object: &Object) -> Result<Option<Option<u32>>, Fault> {
    let Some(text) = object.annotation(ORIGINAL) else { return Ok(None) };
    if text == ABSENT {
        return Ok(Some(None));
    }
    let why = |_| {
        let name = &object.metadata.name;
        Fault::refused(format!(
            "the annotation {ORIGINAL} of {name} says {text:?}, which is no floor: somebody edited it; \
             set the floor by hand and remove the annotation"
        ))
    };
    text.parse().map(|original| Some(Some(original))).map_err(why)
}

/// A field that is not there equals null.
fn test(scaler: Scaler, written: Option<u32>) -> Value {
    json!({"op": "test", "path": scaler.path(), "value": written})
}

fn set(scaler: Scaler, written: Option<u32>, to: Option<u32>) -> Option<Value> {
    match to {
        _ if written == to => None,
        Some(to) => Some(json!({"op": "add", "path": scaler.path(), "value": to})),
        None => Some(json!({"op": "remove", "path": scaler.path()})),
    }
}

fn mark(object: &Object, original: Option<u32>, order: &Order) -> Vec<Value> {
    let until = order.until.to_datetime().map(|until| until.to_rfc3339_opts(SecondsFormat::Secs, true));
    let marks = [
        (ORIGINAL, original.map_or_else(|| ABSENT.to_owned(), |original| original.to_string())),
        (TO, order.to.to_string()),
        (BY, order.policy.clone()),
        (UNTIL, until.unwrap_or_default()),
    ];
    if object.metadata.annotations.is_none() {
        let all: serde_json::Map<_, _> =
            marks.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        // Annotations that somebody added since would be lost.
        return vec![
            json!({"op": "test", "path": "/metadata/annotations", "value": null}),
            json!({"op": "add", "path": "/metadata/annotations", "value": all}),
        ];
    }
    let add = |(name, value)| json!({"op": "add", "path": path(name), "value": value});
    marks.into_iter().map(add).collect()
}

fn unmark(object: &Object) -> Vec<Value> {
    let there = [ORIGINAL, TO, BY, UNTIL].into_iter().filter(|name| object.annotation(name).is_some());
    there.map(|name| json!({"op": "remove", "path": path(name)})).collect()
}

/// A name as part of a JSON pointer.
fn path(annotation: &str) -> String {
    format!("/metadata/annotations/{}", annotation.replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::scale::Lever;

    fn hpa(floor: u32, annotations: Value) -> Object {
        serde_json::from_value(json!({
            "metadata": {"name": "checkout", "namespace": "shop", "annotations": annotations},
            "spec": {"minReplicas": floor, "maxReplicas": 10},
        }))
        .unwrap()
    }

    fn moving(from: u32, to: u32) -> Order {
        let owner = "HorizontalPodAutoscaler checkout".into();
        let lever = Lever::Floor { at: from, most: 10, owner, original: None };
        Order { id: "x".into(), policy: "checkout".into(), lever, from, to, until: Ts(1_780_000_000) }
    }

    fn marks(original: &str, to: &str) -> Value {
        json!({"damper.dev/original-floor": original, "damper.dev/raised-to": to,
               "damper.dev/raised-by": "checkout", "damper.dev/raised-until": "2026-05-28T20:26:40Z"})
    }

    #[test]
    fn a_floor_is_raised_together_with_its_marks() {
        let patch = order(Scaler::Hpa, &hpa(2, Value::Null), &moving(2, 4)).unwrap().unwrap();
        let expected = json!([
            {"op": "test", "path": "/spec/minReplicas", "value": 2},
            {"op": "add", "path": "/spec/minReplicas", "value": 4},
            {"op": "test", "path": "/metadata/annotations", "value": null},
            {"op": "add", "path": "/metadata/annotations", "value": marks("2", "4")},
        ]);
        assert_eq!(patch, expected);
    }

    #[test]
    fn the_original_is_kept_while_damper_alone_moves_the_floor() {
        let patch = order(Scaler::Hpa, &hpa(4, marks("2", "4")), &moving(4, 6)).unwrap().unwrap();
        let text = patch.to_string();
        assert!(
            text.contains(r#"original-floor","value":"2""#) && text.contains(r#"raised-to","value":"6""#),
            "{text}"
        );
        // Somebody set it to 5 in between: that is theirs, and what is gone back to.
        let patch = order(Scaler::Hpa, &hpa(5, marks("2", "4")), &moving(5, 6)).unwrap().unwrap();
        assert!(patch.to_string().contains(r#"original-floor","value":"5""#), "{patch}");
    }

    #[test]
    fn the_last_step_down_takes_the_marks_off() {
        let patch = order(Scaler::Hpa, &hpa(3, marks("2", "3")), &moving(3, 2)).unwrap().unwrap();
        let expected = json!([
            {"op": "test", "path": "/spec/minReplicas", "value": 3},
            {"op": "add", "path": "/spec/minReplicas", "value": 2},
            {"op": "remove", "path": "/metadata/annotations/damper.dev~1original-floor"},
            {"op": "remove", "path": "/metadata/annotations/damper.dev~1raised-to"},
            {"op": "remove", "path": "/metadata/annotations/damper.dev~1raised-by"},
            {"op": "remove", "path": "/metadata/annotations/damper.dev~1raised-until"},
        ]);
        assert_eq!(patch, expected);
        let below = order(Scaler::Hpa, &hpa(3, marks("2", "3")), &moving(3, 1)).unwrap_err();
        assert!(below.to_string().contains("a floor of 2 before"), "{below}");
    }

    #[test]
    fn an_absent_floor_is_remembered_as_such_and_removed_again() {
        let without: Object =
            serde_json::from_value(json!({"metadata": {"name": "so"}, "spec": {}})).unwrap();
        let patch = order(Scaler::ScaledObject, &without, &moving(0, 3)).unwrap().unwrap();
        assert_eq!(patch[0], json!({"op": "test", "path": "/spec/minReplicaCount", "value": null}));
        assert!(patch.to_string().contains(r#"original-floor":"absent""#), "{patch}");

        let raised = json!({"metadata": {"name": "so", "annotations": marks("absent", "3")}, "spec": {"minReplicaCount": 3}});
        let raised: Object = serde_json::from_value(raised).unwrap();
        let (patch, released) = release(Scaler::ScaledObject, &raised).unwrap().unwrap();
        assert_eq!(released, Released::Back(None));
        assert_eq!(patch[1], json!({"op": "remove", "path": "/spec/minReplicaCount"}));
    }

    #[test]
    fn a_release_puts_back_what_damper_left_and_nothing_else() {
        assert_eq!(release(Scaler::Hpa, &hpa(2, json!({"other": "x"}))).unwrap(), None);
        let (patch, released) = release(Scaler::Hpa, &hpa(4, marks("2", "4"))).unwrap().unwrap();
        assert_eq!(released, Released::Back(Some(2)));
        assert_eq!(patch[1], json!({"op": "add", "path": "/spec/minReplicas", "value": 2}));
        let (patch, released) = release(Scaler::Hpa, &hpa(7, marks("2", "4"))).unwrap().unwrap();
        assert_eq!(released, Released::LeftAlone { at: 7 });
        assert!(!patch.to_string().contains(r#""op":"add""#), "{patch}");
        let edited = release(Scaler::Hpa, &hpa(4, marks("two", "4"))).unwrap_err();
        assert!(edited.to_string().contains("\"two\", which is no floor"), "{edited}");
    }

    #[test]
    fn a_floor_elsewhere_is_a_conflict_and_one_already_there_is_done() {
        let conflict = order(Scaler::Hpa, &hpa(5, Value::Null), &moving(2, 4)).unwrap_err();
        assert!(matches!(conflict, Fault::Conflict { at: Some(5), .. }), "{conflict}");
        assert_eq!(order(Scaler::Hpa, &hpa(4, marks("2", "4")), &moving(2, 4)).unwrap(), None);
        // With the same count only the time is said anew.
        let again = order(Scaler::Hpa, &hpa(4, marks("2", "4")), &moving(4, 4)).unwrap().unwrap();
        assert!(!again.to_string().contains(r#""add","path":"/spec"#), "{again}");
    }

    #[test]
    fn a_floor_where_damper_left_it_says_where_it_was_before() {
        assert_eq!(before(Scaler::Hpa, &hpa(4, marks("2", "4"))), Some(2));
        assert_eq!(before(Scaler::Hpa, &hpa(5, marks("2", "4"))), None, "somebody moved it since");
        assert_eq!(before(Scaler::Hpa, &hpa(4, Value::Null)), None);
        assert_eq!(before(Scaler::Hpa, &hpa(4, marks("two", "4"))), None);
        assert_eq!(before(Scaler::Hpa, &hpa(4, marks("absent", "4"))), Some(1));
        assert_eq!(before(Scaler::ScaledObject, &scaled_object("absent")), Some(0));
    }

    fn scaled_object(original: &str) -> Object {
        serde_json::from_value(json!({
            "metadata": {"name": "so", "annotations": marks(original, "3")},
            "spec": {"minReplicaCount": 3},
        }))
        .unwrap()
    }

    #[test]
    fn what_was_raised_can_be_read_from_the_object_alone() {
        let found = raised(Scaler::Hpa, &hpa(4, marks("2", "4"))).unwrap();
        assert_eq!(
            (found.object.as_str(), found.by.as_str()),
            ("HorizontalPodAutoscaler shop/checkout", "checkout")
        );
        assert_eq!((found.at, found.original, found.until), (4, Some(2), Some(Ts(1_780_000_000))));
        assert_eq!(raised(Scaler::Hpa, &hpa(4, Value::Null)), None);
    }
}
