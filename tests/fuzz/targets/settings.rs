//! Settings files with what the environment adds: lines of `#env NAME=VALUE`.

use damper::settings::Settings;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let variables = text.lines().filter_map(|line| line.strip_prefix("#env ")?.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    match Settings::parse("damper.yaml", text, variables, &[]) {
        Ok(settings) => {
            assert!(!settings.sources.is_empty() && !settings.definitions.is_empty());
            assert!(settings.step.secs() >= 5);
            let _ = settings.context();
        }
        Err(error) => assert!(!error.to_string().trim().is_empty(), "refused without a word"),
    }
}
