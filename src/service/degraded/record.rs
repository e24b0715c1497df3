//! Records of the spill file: each with its length and checksum before it, so that a tail that was cut
//! or never written is found out, and what is damaged hides nothing that stands behind it. Pure.

use serde::{Deserialize, Serialize};

use super::memory::Told;
use crate::engine::notice::Notice;

/// What the file begins with; the digit is the version of the layout.
pub(super) const HEADER: &[u8] = b"damper spill 1\n";
/// Bytes of one record at most; a page with all its labels is a few thousand.
const MOST: usize = 4 << 20;

/// How a record's text begins, by its kind.
const BEGINNINGS: [&[u8]; 3] = [b"{\"Told\":", b"{\"StandIn\":", b"{\"Taken\":"];
/// Places at most at which a record is looked for behind one that cannot be read.
const PLACES: usize = 100;

/// One thing that must not be forgotten while the store takes nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Record {
    /// A page that its receivers are told from memory.
    Told(Box<Told>),
    /// A page that another receiver is told in one's stead.
    StandIn {
        /// What it is told.
        notice: Box<Notice>,
        /// The id of the message it stands in for.
        fallback_of: String,
        /// When, in milliseconds since the epoch.
        at: i64,
    },
    /// A receiver has it.
    Taken {
        /// The id of the message.
        id: String,
        /// When, in milliseconds since the epoch.
        at: i64,
    },
}

/// Length and checksum, four bytes each with the lowest first, and the record as JSON.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let body = serde_json::to_vec(record).unwrap_or_default();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(body.len() + 8);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// A file of these records.
pub(super) fn file(records: &[Record]) -> Vec<u8> {
    let body: Vec<u8> = records.iter().flat_map(encode).collect();
    [HEADER, &body].concat()
}

/// What a file holds.
#[derive(PartialEq, Default, Debug)]
pub(super) struct Found {
    /// What can be read.
    pub records: Vec<Record>,
    /// Bytes to the end of the last one; what follows was cut, or is no record. Nothing of another
    /// layout.
    pub whole: usize,
    /// Bytes before that which cannot be read: damage, or all of another layout.
    pub unread: usize,
}

/// Reads a file.
pub(super) fn decode(bytes: &[u8]) -> Found {
    let Some(mut rest) = bytes.strip_prefix(HEADER) else {
        // One that died when it made the file left nothing in it.
        let unread = if HEADER.starts_with(bytes) { 0 } else { bytes.len() };
        return Found { unread, ..Found::default() };
    };
    let mut found = Found { whole: HEADER.len(), ..Found::default() };
    while let Some((before, record, after)) = first(rest) {
        let taken = rest.len() - after.len();
        found.unread += before;
        match record {
            Some(record) => found.records.push(record),
            None => found.unread += taken - before,
        }
        found.whole += taken;
        rest = after;
    }
    found
}

/// The whole records of a file, written again; and how many there are.
pub(crate) fn again(bytes: &[u8]) -> (Vec<u8>, usize) {
    let records = decode(bytes).records;
    (file(&records), records.len())
}

/// The first record that is whole, how many bytes lie before it, and what follows it.
fn first(bytes: &[u8]) -> Option<(usize, Option<Record>, &[u8])> {
    let at = |at: usize| next(bytes.get(at..)?).map(|(record, after)| (at, record, after));
    let begins = |at: &usize| {
        let text = bytes.get(at + 8..).unwrap_or_default();
        BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
    };
    at(0).or_else(|| (1..bytes.len()).filter(begins).take(PLACES).find_map(at))
}

/// The record at the beginning, if it is whole; one of another version cannot be read.
fn next(bytes: &[u8]) -> Option<(Option<Record>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let length =
        usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| (1..=MOST).contains(length))?;
    let (body, rest) = rest.split_at_checked(length)?;
    (crc32fast::hash(body) == u32::from_le_bytes(*sum)).then_some(())?;
    Some((serde_json::from_slice(body).ok(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::notice::Event;
    use crate::service::testing::page;

    fn taken(id: &str) -> Record {
        Record::Taken { id: id.into(), at: 7 }
    }

    #[test]
    fn what_was_written_whole_is_read_wherever_the_rest_was_cut() {
        let (one, both) = (file(&[taken("a")]), file(&[taken("a"), taken("b")]));
        for cut in 0..=both.len() {
            let found = decode(&both[..cut]);
            let expected = if cut < one.len() { 0 } else { 1 + usize::from(cut == both.len()) };
            assert_eq!(found.records.len(), expected, "cut at {cut}");
            assert!(found.whole <= cut && found.unread == 0);
            assert_eq!(decode(&both[..found.whole]), found);
        }
    }

    #[test]
    fn what_is_damaged_is_not_believed_and_what_stands_behind_it_is_read() {
        let stand_in = Record::StandIn {
            notice: Box::new(page("other", Event::Firing)),
            fallback_of: "b".into(),
            at: 8,
        };
        let all = [taken("a"), stand_in, taken("c"), taken("d")];
        let whole = file(&all);
        assert_eq!(decode(&whole), Found { records: all.to_vec(), whole: whole.len(), unread: 0 });
        let ends: Vec<usize> = (0..=all.len()).map(|count| file(&all[..count]).len()).collect();
        for at in HEADER.len()..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            let hit = ends.iter().filter(|end| **end <= at).count() - 1;
            let mut left = all.to_vec();
            left.remove(hit);
            let is_last = hit + 1 == all.len();
            let found = decode(&bytes);
            assert_eq!(found.records, left, "byte {at}");
            assert_eq!(found.unread, if is_last { 0 } else { ends[hit + 1] - ends[hit] }, "byte {at}");
        }
    }

    #[test]
    fn what_is_of_another_version_is_not_read_and_not_taken_for_nothing() {
        for other in ["something else", "damper spill 2\n"] {
            let found = decode(other.as_bytes());
            assert_eq!(found, Found { unread: other.len(), ..Found::default() });
        }
        for nothing in ["", "damper sp"] {
            assert_eq!(decode(nothing.as_bytes()), Found::default());
        }
        let body = br#"{"Later":1}"#;
        let (length, sum) = (u32::try_from(body.len()).unwrap(), crc32fast::hash(body));
        let later = [&length.to_le_bytes()[..], &sum.to_le_bytes(), body].concat();
        let bytes = [file(&[taken("a")]), later.clone()].concat();
        let found = decode(&bytes);
        assert_eq!(found, Found { records: vec![taken("a")], whole: bytes.len(), unread: later.len() });
        // A disk that lost power leaves zeros.
        let bytes = [file(&[taken("a")]), vec![0; 4096]].concat();
        assert_eq!(decode(&bytes).unread, 0);
    }
}
