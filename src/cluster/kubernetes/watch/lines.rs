//! The events of a watch: JSON, one a line.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::object::Object;

/// Longest event; an object in etcd is at most 1.5 MiB.
const LONGEST: usize = 4 * 1024 * 1024;

/// Bytes of a stream that are no whole line yet.
#[derive(Default)]
pub(super) struct Lines {
    held: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Event {
    /// Added or modified.
    Is(Object),
    /// Deleted.
    Gone(Object),
    /// Nothing happened up to this version.
    Bookmark(String),
    /// The watch is over; 410 where what it began at is too old.
    Error(u16),
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    code: u16,
}

impl Lines {
    /// The events that are whole with these bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, String> {
        self.held.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut begin = 0;
        while let Some(length) = self.held.iter().skip(begin).position(|byte| *byte == b'\n') {
            let line = self.held.get(begin..begin + length).unwrap_or_default();
            if !line.trim_ascii().is_empty() {
                events.extend(read(line).map_err(|error| format!("an event is no JSON to read: {error}"))?);
            }
            begin += length + 1;
        }
        self.held.drain(..begin);
        if self.held.len() > LONGEST {
            return Err(format!("an event is longer than {LONGEST} bytes"));
        }
        Ok(events)
    }
}

fn read(line: &[u8]) -> Result<Option<Event>, serde_json::Error> {
    let Written { kind, object } = serde_json::from_slice(line)?;
    let read = || serde_json::from_str::<Object>(object.get());
    Ok(match kind.as_str() {
        "ADDED" | "MODIFIED" => Some(Event::Is(read()?)),
        "DELETED" => Some(Event::Gone(read()?)),
        "BOOKMARK" => Some(Event::Bookmark(read()?.metadata.resource_version)),
        "ERROR" => {
            let status: Status = serde_json::from_str(object.get()).unwrap_or_default();
            Some(Event::Error(status.code))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // As kube-apiserver 1.20 sends them.
    const STREAM: &str = concat!(
        r#"{"type":"ADDED","object":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"checkout","namespace":"shop","resourceVersion":"101"},"spec":{"replicas":3}}}"#,
        "\n",
        r#"{"type":"BOOKMARK","object":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"resourceVersion":"205","creationTimestamp":null},"spec":{"selector":null,"template":{"metadata":{"creationTimestamp":null},"spec":{"containers":null}},"strategy":{}},"status":{}}}"#,
        "\n",
        r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (205)","reason":"Expired","code":410}}"#,
        "\n",
    );

    fn shown(events: &[Event]) -> Vec<String> {
        let show = |event: &Event| match event {
            Event::Is(object) => {
                format!("is {} {:?}", object.metadata.name, object.spec.as_ref().unwrap().replicas)
            }
            Event::Gone(object) => format!("gone {}", object.metadata.name),
            Event::Bookmark(version) => format!("bookmark {version}"),
            Event::Error(code) => format!("error {code}"),
        };
        events.iter().map(show).collect()
    }

    #[test]
    fn events_are_read_however_the_stream_is_cut() {
        for size in [1, 7, 1000] {
            let mut lines = Lines::default();
            let chunks = STREAM.as_bytes().chunks(size);
            let events: Vec<_> = chunks.flat_map(|chunk| lines.push(chunk).unwrap()).collect();
            assert_eq!(shown(&events), ["is checkout Some(3)", "bookmark 205", "error 410"], "{size}");
        }
    }

    #[test]
    fn an_event_without_end_and_nonsense_end_the_watch() {
        assert!(Lines::default().push(b"<html>\n").is_err());
        let mut lines = Lines::default();
        let outcome = (0..6).map(|_| lines.push(&vec![b' '; 1024 * 1024])).find(Result::is_err);
        assert!(outcome.unwrap().unwrap_err().contains("longer"));
        assert!(Lines::default().push(b"\n\n").unwrap().is_empty());
    }
}
