//! What is fuzzed: each target takes any bytes, does with them what Damper does with what comes from
//! outside, and panics where something does not hold. Called by the fuzzer (`../main.rs`) and by an
//! ordinary test (`../replay.rs`).

pub mod answers;
pub mod blobs;
pub mod definitions;
pub mod plans;
pub mod promql;
pub mod replies;
pub mod requests;
pub mod settings;
pub mod world;

/// One kind of input.
pub struct Target {
    /// Its name: of the folder with its corpus, too.
    pub name: &'static str,
    /// Tries one input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const ALL: [Target; 7] = [
    Target { name: "definitions", run: definitions::run },
    Target { name: "settings", run: settings::run },
    Target { name: "promql", run: promql::run },
    Target { name: "answers", run: answers::run },
    Target { name: "requests", run: requests::run },
    Target { name: "replies", run: replies::run },
    Target { name: "blobs", run: blobs::run },
];

/// Splits at lines that hold only `---8<---`: one input may hold several things.
pub fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    const CUT: &[u8] = b"\n---8<---\n";
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let now = rest?;
        let at = now.windows(CUT.len()).position(|window| window == CUT);
        rest = at.and_then(|at| now.get(at + CUT.len()..));
        Some(at.and_then(|at| now.get(..at)).unwrap_or(now))
    })
}
