//! The corpus, and mutations of it that are the same every time: a second or two for each target.
//! What `make fuzz` finds is added to the corpus, so that it stays mended.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::targets::{ALL, Target, requests};
use crate::support::random::Random;

/// Mutations of the corpus, in all.
const MUTATIONS: usize = 120;
/// Bytes of an input at most.
const MOST: usize = 64 * 1024;

#[test]
fn no_definition_makes_reading_panic_or_is_read_as_another() {
    replay("definitions");
}

#[test]
fn no_settings_make_reading_panic() {
    replay("settings");
}

#[test]
fn no_query_makes_reading_panic_or_is_asked_as_another() {
    replay("promql");
}

#[test]
fn no_answer_of_a_source_makes_counting_panic_or_counts_more_than_it_holds() {
    replay("answers");
}

#[test]
fn no_request_is_left_without_its_answer() {
    replay("requests");
    requests::end();
}

#[test]
fn no_reply_makes_reading_panic() {
    replay("replies");
}

#[test]
fn no_blob_makes_reading_panic_or_is_read_as_another() {
    replay("blobs");
}

fn replay(name: &str) {
    let target = ALL.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(name);
    for (file, input) in &corpus {
        attempt(target, input, file);
    }
    let mut random = Random::of(0x5eed);
    for number in 0..MUTATIONS {
        let mut input = random.pick(&corpus).1.clone();
        for _ in 0..=below(&mut random, 4) {
            mutate(&mut input, &corpus, &mut random);
        }
        input.truncate(MOST);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{number}"));
        attempt(target, &input, &file);
    }
}

/// Tries one input; one that fails is left in a file.
fn attempt(target: &Target, input: &[u8], file: &Path) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        fs::write(file, input).unwrap();
        let file = file.display();
        panic!("{file} does not hold; try it alone: make fuzz TARGET={} INPUT={file}", target.name);
    }
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

fn mutate(input: &mut Vec<u8>, corpus: &[(PathBuf, Vec<u8>)], random: &mut Random) {
    const ODD: [&str; 14] = [
        "1e400",
        "NaN",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "\0",
        "\u{202e}",
        "{{.window}}",
        "[9999999y]",
        "&a [*a,*a]",
        "((((((((",
        "\"",
        "\n",
        "99999999999999999999999999",
    ];
    let from = below(random, input.len() + 1);
    let to = (from + below(random, 12)).min(input.len());
    match below(random, 6) {
        0 if from < input.len() => input[from] ^= 1 << below(random, 8),
        1 => drop(input.drain(from..to)),
        2 => {
            let again = input[from..to].to_vec();
            input.splice(from..from, again);
        }
        3 => {
            let other = &random.pick(corpus).1;
            let start = below(random, other.len() + 1);
            let end = (start + below(random, 40)).min(other.len());
            input.splice(from..to, other[start..end].iter().copied());
        }
        4 => drop(input.splice(from..to, random.pick(&ODD).bytes())),
        _ => input.truncate(from.max(1)),
    }
}

fn below(random: &mut Random, end: usize) -> usize {
    usize::try_from(random.between(0, i64::try_from(end).unwrap())).unwrap()
}
