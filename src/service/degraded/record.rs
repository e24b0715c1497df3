//! Records of the spill file: each with its length and checksum before it, so that a tail that was cut
//! or never written is found out. Pure.

use serde::{Deserialize, Serialize};

use super::memory::Told;
use crate::engine::notice::Notice;

/// What the file begins with; the digit is the version of the layout.
pub(super) const HEADER: &[u8] = b"damper spill 1\n";
/// Bytes of one record at most; a page with all its labels is a few thousand.
const MOST: usize = 4 << 20;

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

/// The records of a file, and how many of its bytes they take: what follows is not whole.
pub(super) fn decode(bytes: &[u8]) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    let Some(mut rest) = bytes.strip_prefix(HEADER) else { return (records, 0) };
    let mut whole = HEADER.len();
    while let Some((record, after)) = next(rest) {
        records.push(record);
        whole += rest.len() - after.len();
        rest = after;
    }
    (records, whole)
}

/// The whole records of a file, written again; and how many there are.
pub(crate) fn again(bytes: &[u8]) -> (Vec<u8>, usize) {
    let (records, _) = decode(bytes);
    let body: Vec<u8> = records.iter().flat_map(encode).collect();
    ([HEADER, &body].concat(), records.len())
}

fn next(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= MOST)?;
    let (body, rest) = rest.split_at_checked(length)?;
    (crc32fast::hash(body) == u32::from_le_bytes(*sum)).then_some(())?;
    Some((serde_json::from_slice(body).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(id: &str) -> Record {
        Record::Taken { id: id.into(), at: 7 }
    }

    fn file(records: &[Record]) -> Vec<u8> {
        [HEADER.to_vec(), records.iter().flat_map(encode).collect()].concat()
    }

    #[test]
    fn what_was_written_whole_is_read_wherever_the_rest_was_cut() {
        let (one, both) = (file(&[taken("a")]), file(&[taken("a"), taken("b")]));
        for cut in 0..=both.len() {
            let (records, whole) = decode(&both[..cut]);
            let expected = if cut < one.len() { 0 } else { 1 + usize::from(cut == both.len()) };
            assert_eq!(records.len(), expected, "cut at {cut}");
            assert!(whole <= cut);
            assert_eq!(decode(&both[..whole]).0, records);
        }
    }

    #[test]
    fn no_flipped_bit_is_believed() {
        let whole = file(&[taken("a"), taken("b")]);
        for at in HEADER.len()..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            assert!(decode(&bytes).0.len() < 2, "byte {at}");
        }
        assert_eq!(decode(b"something else").0, []);
        assert_eq!(decode(b"").0, []);
    }
}
