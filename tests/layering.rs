//! What may name what: `slo` ← `engine` ← {`prometheus`, `notify`, `cluster`, `store`} ← `service` ←
//! {`api`, `ui`, `cli`} ← `main`. `http` lies beside `engine`, for the I/O modules to share. The compiler
//! cannot check this inside one crate.

use std::path::{Path, PathBuf};

/// Folders under `src`, and what their files may not contain.
const RULES: [(&[&str], &[&str]); 5] = [
    // Pure: no I/O, no clock, no async, no randomness.
    (
        &["slo", "engine"],
        &[
            "tokio",
            "futures_util",
            "reqwest",
            "sqlx",
            "axum",
            "lettre",
            "kube::",
            "notify::",
            "arc_swap",
            "tower",
            "::now(",
            "rand::",
            "std::fs",
            "std::net",
            "std::env",
            "std::thread",
            "std::process",
            "std::io",
            "async fn",
            "async {",
            "async move",
            ".await",
            "crate::http",
            "crate::prometheus",
            "crate::notify",
            "crate::cluster",
            "crate::store",
            "crate::service",
            "crate::api",
            "crate::ui",
            "crate::cli",
            "crate::settings",
            "crate::telemetry",
        ],
    ),
    (&["slo"], &["crate::engine"]),
    (
        &["http"],
        &[
            "crate::engine",
            "crate::prometheus",
            "crate::notify",
            "crate::cluster",
            "crate::store",
            "crate::service",
            "crate::api",
            "crate::ui",
            "crate::cli",
        ],
    ),
    (
        &["prometheus", "notify", "cluster", "store"],
        &[
            "crate::prometheus",
            "crate::notify",
            "crate::cluster",
            "crate::store",
            "crate::service",
            "crate::api",
            "crate::ui",
            "crate::cli",
        ],
    ),
    (&["service"], &["crate::api", "crate::ui", "crate::cli"]),
];

#[test]
fn modules_name_only_what_lies_below_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut files = 0;
    for (modules, forbidden) in RULES {
        for module in modules {
            for file in rust_files(&source, module) {
                files += 1;
                let text = std::fs::read_to_string(&file).unwrap();
                wrong.extend(
                    offences(module, &text, forbidden).iter().map(|o| format!("{}:{o}", file.display())),
                );
            }
        }
    }
    assert!(files > 20, "only {files} files found: does this test still look in the right place?");
    assert!(wrong.is_empty(), "forbidden by design:\n{}", wrong.join("\n"));
}

#[test]
fn a_forbidden_name_is_found_however_it_is_written() {
    let (_, pure) = RULES[0];
    let (_, outer) = RULES[3];
    for (module, forbidden, text) in [
        ("engine", pure, "use tokio::time::sleep;"),
        ("engine", pure, "let t = chrono::Utc::now();"),
        ("engine", pure, "use crate::store::Store;"),
        ("engine", pure, "use crate::{\n    slo::unit::Objective,\n    store::Store,\n};"),
        ("engine", pure, "use super::super::store::Store;"),
        ("notify", outer, "use crate::{store, engine};"),
        ("store", outer, "fn f(s: &crate::service::Clock) {}"),
        ("store", outer, "#[cfg(test)]\nmod some_tests;\nuse crate::notify::Sender;"),
    ] {
        assert!(!offences(module, text, forbidden).is_empty(), "not found: {text}");
    }
}

#[test]
fn comments_tests_and_the_own_module_are_no_offence() {
    let (_, pure) = RULES[0];
    let (_, outer) = RULES[3];
    for (module, forbidden, text) in [
        ("engine", pure, "//! no tokio here"),
        ("engine", pure, "use crate::slo::{unit, time};"),
        ("engine", pure, "let x = 1; // tokio would be wrong"),
        ("engine", pure, "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}"),
        ("store", outer, "use crate::store::migrate;"),
        ("notify", outer, "use crate::engine::notice::{Notice, Event};"),
    ] {
        assert_eq!(offences(module, text, forbidden), Vec::<String>::new(), "{text}");
    }
}

/// `line: text` of everything in a file of `module` that names what is forbidden.
fn offences(module: &str, text: &str, forbidden: &[&str]) -> Vec<String> {
    let own = format!("crate::{module}");
    let mut found = Vec::new();
    // What a file's own tests need, they may use; tests stand at its foot.
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut braces = String::new();
    for (number, line) in code.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default();
        // `use crate::{a, b}` may span lines: each name in it counts as `crate::name`.
        let line = line.replace("super::super::", "crate::");
        let names = expand(&line, &mut braces);
        let bad =
            forbidden.iter().find(|name| **name != own && (line.contains(**name) || names.contains(**name)));
        if let Some(name) = bad {
            found.push(format!("{}: {name}: {}", number + 1, line.trim()));
        }
    }
    found
}

/// Names of a grouped `use crate::{…}` on this line, each with its `crate::`; `open` carries an unfinished group on.
fn expand(line: &str, open: &mut String) -> String {
    let inside = match line.split_once("crate::{") {
        Some((_, rest)) => rest,
        None if !open.is_empty() => line,
        None => return String::new(),
    };
    "{".clone_into(open);
    if line.contains("};") {
        open.clear();
    }
    let names = inside.split([',', '{', '}', ';']).map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| format!("crate::{name} ")).collect()
}

/// `src/module.rs` and everything below `src/module/`.
fn rust_files(source: &Path, module: &str) -> Vec<PathBuf> {
    let mut files = Vec::from_iter(Some(source.join(format!("{module}.rs"))).filter(|file| file.exists()));
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                files.push(path);
            }
        }
    }
    files
}

/// `tests.rs`, `x_tests.rs` or anything in a folder `tests`: compiled for tests only.
fn is_test(file: &Path) -> bool {
    let named =
        file.file_stem().is_some_and(|stem| stem == "tests" || stem.to_string_lossy().ends_with("_tests"));
    named || file.components().any(|part| part.as_os_str() == "tests")
}
