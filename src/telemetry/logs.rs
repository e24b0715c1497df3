//! Logs: lines of text or JSON on stderr. JSON lines all carry `service_version`.
//!
//! Nothing secret is logged: secrets are a type that does not print itself, and addresses are
//! logged without path and query.

use std::fmt;
use std::io;
use std::str::FromStr;

use tracing::{Event, Span, Subscriber, info_span};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::slo::time::Ts;

/// This Damper's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Libraries that talk at `info` about every connection.
const QUIET: [&str; 6] = ["hyper", "h2", "sqlx", "rustls", "reqwest", "tower_http"];

/// Calls each answer that is no success an error; what one means is told by who asked.
const SILENT: &str = "kube_client";

/// `log:` in the settings.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines there are.
    pub level: LogFilter,
}

/// How a line looks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json"),
        }
    }
}

/// Which lines there are: `info`, or a level per part, `info,damper::service=debug`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogFilter(String);

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".into())
    }
}

impl FromStr for LogFilter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // A misspelt level would be taken for the name of a part, and silence the rest.
        let level = |text: &str| matches!(text, "off" | "error" | "warn" | "info" | "debug" | "trace");
        let part =
            |part: &str| part.split_once('=').map_or_else(|| level(part), |(_, text)| level(text.trim()));
        if text.len() > 1000 || !text.split(',').map(str::trim).all(part) {
            return Err("must be off, error, warn, info, debug or trace; or for parts too, as info,damper::service=debug".into());
        }
        EnvFilter::builder().parse(text).map_err(|error| error.to_string())?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LogFilter {
    /// Quiet libraries first; what is written overrides them when it names them.
    fn build(&self) -> EnvFilter {
        let quiet: Vec<String> = QUIET.iter().map(|name| format!("{name}=warn")).collect();
        EnvFilter::new(format!("{},{SILENT}=off,{}", quiet.join(","), self.0))
    }
}

/// Sends logs to stderr from here on; once per process.
///
/// # Errors
/// When something else takes the logs already.
pub fn start(settings: &LogSettings) -> Result<(), String> {
    let subscriber = subscriber(settings, io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(|error| format!("cannot log: {error}"))
}

fn subscriber<W>(settings: &LogSettings, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    let layer = match settings.format {
        LogFormat::Json => layer.event_format(Versioned::new()).fmt_fields(JsonFields::new()).boxed(),
        LogFormat::Text => layer.with_target(false).boxed(),
    };
    Registry::default().with(settings.level.build()).with(layer)
}

/// The span of one tick; its id is the end of its slice.
pub fn tick_span(at: Ts) -> Span {
    info_span!("tick", tick = %at)
}

/// The span of one request.
pub fn request_span(id: &str, method: &str, path: &str) -> Span {
    info_span!("request", request_id = id, method, path)
}

/// JSON lines that begin with the version.
struct Versioned(Format<Json, SystemTime>);

impl Versioned {
    fn new() -> Self {
        Self(Format::default().json().flatten_event(true).with_current_span(false).with_span_list(true))
    }
}

impl<S, N> FormatEvent<S, N> for Versioned
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let rest = line.strip_prefix('{').unwrap_or(&line);
        write!(writer, "{{\"service_version\":\"{VERSION}\",{rest}")
    }
}

/// What is logged, as text.
#[cfg(test)]
pub(crate) mod testing {
    use std::sync::{Arc, Mutex};

    use super::{LogFormat, LogSettings, io, subscriber};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn logged(format: LogFormat, level: &str, talk: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let settings = LogSettings { format, level: level.parse().unwrap() };
        tracing::subscriber::with_default(subscriber(&settings, move || writer.clone()), talk);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::logged;
    use super::*;

    #[test]
    fn a_json_line_has_the_version_and_the_tick() {
        let text = logged(LogFormat::Json, "info", || {
            let _tick = tick_span(Ts(1_700_000_000)).entered();
            let _request = request_span("abc", "GET", "/api/v1/slos").entered();
            tracing::warn!(source = "global", "a query \"failed\"\nbadly");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["service_version"], VERSION);
        assert_eq!(
            (&line["level"], &line["message"], &line["source"]),
            (&"WARN".into(), &"a query \"failed\"\nbadly".into(), &"global".into())
        );
        assert_eq!(line["spans"][0]["tick"], "2023-11-14T22:13:20Z");
        assert_eq!(line["spans"][1]["request_id"], "abc");
        assert!(line["timestamp"].is_string());
    }

    #[test]
    fn text_lines_are_plain_and_carry_the_tick() {
        let text = logged(LogFormat::Text, "info", || {
            let _tick = tick_span(Ts(0)).entered();
            tracing::info!("decided");
        });
        assert!(text.contains("tick{tick=1970-01-01T00:00:00Z}") && text.contains("decided"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn libraries_are_quiet_even_at_debug_unless_named() {
        let talk = || {
            tracing::info!(target: "sqlx::query", "chatter");
            tracing::warn!(target: "hyper::client", "trouble");
            tracing::debug!("ours");
        };
        let quiet = logged(LogFormat::Text, "debug", talk);
        assert!(!quiet.contains("chatter") && quiet.contains("trouble") && quiet.contains("ours"), "{quiet}");
        assert!(logged(LogFormat::Text, "info,sqlx=debug", talk).contains("chatter"));
        assert!(!logged(LogFormat::Text, "info", talk).contains("ours"));
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for wrong in ["inof", "info,damper=loud", "", "damper", "[x=info"] {
            assert!(wrong.parse::<LogFilter>().is_err(), "{wrong}");
        }
        for good in ["info", "off", "warn,damper::service=trace"] {
            assert_eq!(good.parse::<LogFilter>().unwrap().to_string(), good);
        }
    }
}
