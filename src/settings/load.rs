//! From the file, the environment and flags to [`Settings`].

use std::path::Path;

use config::{Config, Map, Source as _, Value, ValueKind};

use super::Settings;
use super::check::Check;
use super::environment::Environment;
use super::file::{File, MAX_FILE};
use super::merged::Merged;
use super::place::Place;
use super::problem::{SettingsError, SettingsProblem};
use super::written::Written;
use crate::secret::read_capped;

/// A setting given by a flag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flag {
    /// The setting's key: `log.level`.
    pub key: &'static str,
    /// For messages: `--log-level`.
    pub name: &'static str,
    /// What was given.
    pub text: String,
}

impl Settings {
    /// Reads the file, the process's environment and the flags.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn load(path: &Path, flags: &[Flag]) -> Result<Self, SettingsError> {
        let file = path.display().to_string();
        let text = read(path).map_err(|what| {
            let problem = SettingsProblem { place: Place::START, key: String::new(), what };
            SettingsError::new(&file, vec![problem])
        })?;
        let text_only = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self::parse(&file, &text, std::env::vars_os().filter_map(text_only), flags)
    }

    /// The same from texts; `file` is for messages.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn parse(
        file: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: &[Flag],
    ) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let layer = File::read(text, &mut problems);
        let unreadable = problems.iter().any(|problem| problem.key.is_empty()) && layer.is_empty();
        let environment = Environment::read(variables, &mut problems);
        if unreadable {
            // Nothing is known of the rest: to tell that everything is missing would mislead.
            return Err(SettingsError::new(file, problems));
        }
        let merged = match merge(layer, environment, flags) {
            Ok(merged) => merged,
            Err(error) => {
                let what = error.to_string();
                problems.push(SettingsProblem { place: Place::START, key: String::new(), what });
                return Err(SettingsError::new(file, problems));
            }
        };
        let written: Option<Written> = merged.read(&mut problems);
        let mut check = Check { merged: &merged, problems };
        let settings = written.and_then(|written| check.settings(written));
        settings.ok_or_else(|| SettingsError::new(file, check.problems))
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = read_capped(path, MAX_FILE)
        .map_err(|error| format!("cannot be read: {error}; name the settings file with --config FILE"))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("is not UTF-8 text, from byte {at} on; save it as UTF-8")
    })
}

fn merge(file: File, environment: Environment, flags: &[Flag]) -> Result<Merged, config::ConfigError> {
    let written = file.collect()?;
    let mut builder = Config::builder().add_source(file).add_source(environment);
    for flag in flags {
        let origin = Place::Outside(format!("flag {}", flag.name)).origin();
        let value = Value::new(Some(&origin), ValueKind::String(flag.text.clone()));
        builder = builder.set_override(flag.key, value)?;
    }
    let mut root: Map<String, Value> = builder.build()?.collect()?;
    // The short form of a single source need not name it.
    if let Some(ValueKind::Table(source)) = root.get_mut("prometheus").map(|value| &mut value.kind) {
        source.entry("name".into()).or_insert_with(|| Value::from("prometheus"));
    }
    Ok(Merged::new(root, written))
}
