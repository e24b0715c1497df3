//! Damage in the write-ahead log. SQLite ends the log at the first frame whose checksum does not fit,
//! as that is how a write that was cut short looks, and forgets in silence what was committed after
//! it. Commits that still stand behind such a frame prove that it was no write cut short.
//!
//! Each commit is on the disk before the next one begins. So what a crash cuts short is the last
//! commit alone: two or more behind a bad frame were committed, and are lost.
//!
//! The format is that of sqlite.org/fileformat2.html#walformat.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME: usize = 24;
/// As large as SQLite's pages are where nobody says otherwise.
const PAGE: u32 = 4096;

/// Commits that are lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Damage {
    /// The frame that does not fit, from 1; 0 is the header of the log.
    pub(super) frame: u64,
    /// Commits behind it.
    pub(super) commits: u64,
}

/// Looks through a log that nobody writes to. A log that is not there is whole.
pub(super) fn damage(path: &Path) -> io::Result<Option<Damage>> {
    match File::open(path) {
        Ok(file) => scan(&mut BufReader::with_capacity(1 << 20, file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn scan(log: &mut impl Read) -> io::Result<Option<Damage>> {
    let mut header = [0; HEADER];
    if !fill(log, &mut header)? {
        return Ok(None);
    }
    let word = |at: usize| be(&header, at);
    let mut sum = Sum { big: word(0) & 1 == 1, a: 0, b: 0 };
    sum.add(header.get(..24).unwrap_or_default());
    let page = Some(word(8)).filter(|page| page.is_power_of_two() && (512..=65536).contains(page));
    let is_good = word(0) & !1 == 0x377f_0682 && (sum.a, sum.b) == (word(24), word(28)) && page.is_some();
    // Of a header that is damaged the log's salt is that of its first frame.
    let mut salt = is_good.then(|| (word(16), word(20)));
    let page = usize::try_from(page.unwrap_or(PAGE)).unwrap_or(0);

    let mut bad = (!is_good).then_some(0);
    let (mut frame, mut data) = ([0; FRAME], vec![0; page]);
    let (mut number, mut commits) = (0, 0);
    while fill(log, &mut frame)? && fill(log, &mut data)? {
        number += 1;
        let found = (be(&frame, 8), be(&frame, 12));
        let is_of_this_log = *salt.get_or_insert(found) == found;
        if bad.is_none() {
            sum.add(frame.get(..8).unwrap_or_default());
            sum.add(&data);
            if is_of_this_log && (sum.a, sum.b) == (be(&frame, 16), be(&frame, 20)) {
                continue;
            }
            bad = Some(number);
        } else if is_of_this_log && be(&frame, 0) > 0 && be(&frame, 4) > 0 {
            commits += 1;
        }
    }
    Ok(bad.filter(|_| commits >= 2).map(|frame| Damage { frame, commits }))
}

/// SQLite's checksum over pairs of words, in the byte order of the machine that made the log.
struct Sum {
    big: bool,
    a: u32,
    b: u32,
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let word = |bytes: &[u8]| {
            let bytes = bytes.try_into().unwrap_or_default();
            if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        let (mut a, mut b) = (self.a, self.b);
        for pair in bytes.chunks_exact(8) {
            let (first, second) = pair.split_at(4);
            a = a.wrapping_add(word(first)).wrapping_add(b);
            b = b.wrapping_add(word(second)).wrapping_add(a);
        }
        (self.a, self.b) = (a, b);
    }
}

fn be(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_be_bytes(word.unwrap_or_default())
}

/// Whether there was enough for all of `bytes`.
fn fill(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with these frames: page number and, at a commit, the size of the database.
    fn log(frames: &[(u32, u32)], salt: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [0x377f_0682, 3_007_000, 512, 0, salt, 7] {
            bytes.extend(u32::to_be_bytes(word));
        }
        let mut sum = Sum { big: false, a: 0, b: 0 };
        sum.add(&bytes);
        bytes.extend(sum.a.to_be_bytes().into_iter().chain(sum.b.to_be_bytes()));
        for (page, size) in frames {
            let mut head: Vec<u8> = page.to_be_bytes().into_iter().chain(size.to_be_bytes()).collect();
            let data = vec![u8::try_from(*page).unwrap(); 512];
            sum.add(&head);
            sum.add(&data);
            for word in [salt, 7, sum.a, sum.b] {
                head.extend(word.to_be_bytes());
            }
            bytes.extend(head.into_iter().chain(data));
        }
        bytes
    }

    const FRAMES: [(u32, u32); 6] = [(1, 0), (2, 2), (1, 2), (3, 0), (1, 3), (2, 3)];
    const LENGTH: usize = FRAME + 512;

    fn scanned(bytes: &[u8]) -> Option<Damage> {
        scan(&mut &*bytes).unwrap()
    }

    #[test]
    fn a_log_that_is_whole_or_cut_short_is_not_damaged() {
        let whole = log(&FRAMES, 5);
        for length in [0, 10, HEADER, HEADER + LENGTH, whole.len() - 1, whole.len() - LENGTH, whole.len()] {
            assert_eq!(scanned(&whole[..length]), None, "{length}");
        }
        // The last commit was cut short in its midst, though its end is there.
        let mut cut = whole;
        cut[HEADER + 3 * LENGTH + 100] ^= 1;
        cut.truncate(HEADER + 5 * LENGTH);
        assert_eq!(scanned(&cut), None);
    }

    #[test]
    fn what_an_earlier_log_left_behind_the_end_is_no_damage() {
        let (earlier, now) = (log(&FRAMES, 4), log(&FRAMES[..2], 5));
        let mut bytes = now.clone();
        bytes.extend(&earlier[now.len()..]);
        assert_eq!(scanned(&bytes), None);
    }

    #[test]
    fn commits_behind_a_bad_frame_are_lost() {
        let whole = log(&FRAMES, 5);
        for (at, frame, commits) in [
            (HEADER + 100, 1, 4),
            (HEADER + 2 * LENGTH + 20, 3, 2),
            (HEADER + 2 * LENGTH + 3, 3, 2),
            (HEADER + 2 * LENGTH + 8, 3, 2),
        ] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xa5;
            assert_eq!(scanned(&bytes), Some(Damage { frame, commits }), "{at}");
        }
        let mut header = whole.clone();
        header[18] ^= 0xa5;
        assert_eq!(scanned(&header), Some(Damage { frame: 0, commits: 4 }));
        let mut noise = whole;
        noise[HEADER..HEADER + 3 * LENGTH].fill(0xa5);
        assert_eq!(scanned(&noise), Some(Damage { frame: 1, commits: 2 }));
    }
}
