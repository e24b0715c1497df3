//! What the store and the spill file give back: images of series, pages of the journal, alerts,
//! messages, records. The first byte says which of them; the others are as they stand on the disk.
//!
//! A blob has a good checksum when it gets here, so this is what another version, a clock that went
//! wrong or a tampered file would do: it is refused, or what it says can be lived with.

use damper::doors;
use damper::engine::alert::{AlertKey, AlertState};
use damper::engine::ledger::{Ledger, Series, SeriesImage};
use damper::engine::notice::Notice;
use damper::engine::step::Control;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::parts;
use super::world::{is_sound, ledger};

pub fn run(data: &[u8]) {
    let Some((kind, blob)) = data.split_first() else { return };
    match kind {
        b'i' => image(blob),
        b'p' => page(blob),
        b's' => spill(blob),
        b'a' => alert(blob),
        b'n' => {
            reads_as_written::<Notice>(blob);
        }
        _ => {
            let mut parts = parts(blob).map(String::from_utf8_lossy);
            let (key, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let _ = doors::state_is_readable(&key, &body);
        }
    }
}

/// The image of those series whose bits the first byte has. What follows lacks the id, which is a
/// hash: no input could be that of a series that is wanted.
fn image(blob: &[u8]) {
    let Some((which, blob)) = blob.split_first() else { return };
    let mut ledger = ledger();
    let ids: Vec<u64> = ledger.all().iter().map(Series::id).collect();
    for id in ids.iter().enumerate().filter(|(place, _)| which >> (place % 8) & 1 == 1).map(|(_, id)| *id) {
        let Ok(image) = SeriesImage::from_bytes(&with_id(blob, id)) else { return };
        assert_eq!(SeriesImage::from_bytes(&image.to_bytes()).as_ref(), Ok(&image), "written as another");
        if ledger.restore(image) != Ok(true) {
            return;
        }
    }
    is_kept(&ledger);
    is_sound(&ledger, &mut Control::default());
}

/// What is known is written, and read as the same.
fn is_kept(ledger: &Ledger) {
    let mut other = self::ledger();
    for series in ledger.all() {
        let image = SeriesImage::of(series);
        let read = SeriesImage::from_bytes(&image.to_bytes());
        assert_eq!(read.as_ref(), Ok(&image), "written by ourselves, and refused");
        assert_eq!(read.and_then(|image| other.restore(image)), Ok(true));
    }
    let images = |ledger: &Ledger| ledger.all().iter().map(SeriesImage::of).collect::<Vec<_>>();
    assert_eq!(images(&other), images(ledger), "not what it was");
}

/// Version, id, and everything else: the id as the encoding has it, seven bits in a byte.
fn with_id(blob: &[u8], mut id: u64) -> Vec<u8> {
    let (version, rest) = blob.split_at(blob.len().min(1));
    let mut bytes = version.to_vec();
    while id >= 0x80 {
        bytes.push(id.to_le_bytes()[0] | 0x80);
        id >>= 7;
    }
    bytes.push(id.to_le_bytes()[0]);
    bytes.extend(rest);
    bytes
}

fn page(blob: &[u8]) {
    let mut ledger = ledger();
    if doors::turn(blob, &mut ledger) {
        is_kept(&ledger);
        is_sound(&ledger, &mut Control::default());
    }
}

fn spill(blob: &[u8]) {
    let (again, records) = doors::spilled(blob);
    if records > 0 {
        assert_eq!(doors::spilled(&again), (again.clone(), records));
    }
}

/// The state of an alert, under its key.
fn alert(blob: &[u8]) {
    let mut parts = parts(blob);
    let (key, state) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let key = std::str::from_utf8(key).ok().and_then(AlertKey::from_text);
    let (Some(key), Some(state)) = (key, reads_as_written::<AlertState>(state)) else { return };
    assert_eq!(AlertKey::from_text(&key.to_text()).as_ref(), Some(&key));
    let mut control = Control::default();
    control.put(key, state);
    is_sound(&ledger(), &mut control);
}

/// What can be read is written so that it is read as the same.
fn reads_as_written<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(blob: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(blob).ok()?;
    let text = serde_json::to_string(&read).unwrap_or_default();
    assert_eq!(serde_json::from_str::<T>(&text).ok().as_ref(), Some(&read), "{text}");
    Some(read)
}
