//! The fuzzer: libFuzzer calls one target with what it made up. `make fuzz` runs it; `run.sh` says how
//! a single input is tried again.

#![no_main]
#![allow(clippy::disallowed_methods, reason = "targets live in real time, as tests do")]

mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use targets::{ALL, Target};

static TARGET: OnceLock<&Target> = OnceLock::new();

/// The target that `DAMPER_FUZZ` names.
fn target() -> &'static Target {
    let name = std::env::var("DAMPER_FUZZ").unwrap_or_default();
    let found = ALL.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("DAMPER_FUZZ={name:?} is no target"))
}

fuzz_target!(
    init: {
        TARGET.get_or_init(target);
        // A panic that is caught, as those of the PromQL parser are, is none: what leaves the target
        // ends the process without this hook's help.
        std::panic::set_hook(Box::new(|panic| {
            let of_parser = panic.location().is_some_and(|at| at.file().contains("promql-parser"));
            if !of_parser {
                eprintln!("{panic}");
            }
        }));
    },
    |data: &[u8]| {
        (TARGET.get_or_init(target).run)(data);
    }
);
