//! What comes from outside, as bytes that nobody meant: `targets` say what must hold, `replay` tries
//! them in `make test`, and the package beside it (`main.rs`) lets libFuzzer look for more.

mod replay;
mod targets;
