//! What their alerts did, as Prometheus recorded it in `ALERTS`.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use super::Notes;
use super::episode::{Episode, Stretches, Weight};
use super::matchers::Matchers;
use crate::cli::CommandError;
use crate::cli::args::RemoteArgs;
use crate::engine::sample::{Answer, FailureKind, Frame, Query};
use crate::prometheus::{Client, SourceConfig, SourceSettings};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

/// The longest one question may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is asked at once, at first; halved where an answer is too long or too slow.
const PIECE: Span = Span::from_hours(6);
const LEAST_PIECE: Span = Span::from_mins(15);
/// Points of one series in one answer: Prometheus gives at most 11,000.
const POINTS: i64 = 10_000;
/// Different alerts at most.
const MOST: usize = 50_000;
/// Moments at which it is looked whether a source has data at all.
const LOOKS: i64 = 300;

/// What is read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) every: Span,
    pub(super) from: Ts,
    pub(super) to: Ts,
    pub(super) only: Option<&'a Matchers>,
}

/// What the sources recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    stretches: Stretches,
    asked: (Ts, Ts),
    /// When the data of the youngest source with alerts begins.
    pub(super) begins: Option<Ts>,
}

impl Recorded {
    /// As episodes.
    pub(super) fn episodes(&self, weigh: impl Fn(&Labels) -> Weight) -> Vec<Episode> {
        self.stretches.episodes(self.asked, weigh)
    }

    /// What fires at the end.
    pub(super) fn firing(&self) -> impl Iterator<Item = &Labels> {
        self.stretches.firing(self.asked.1)
    }
}

/// One that a flag names.
pub(super) fn named(url: &str) -> Result<SourceConfig, String> {
    SourceConfig::check(SourceSettings::new("prometheus", url)).map_err(|problems| {
        let all: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
        all.join("; ")
    })
}

/// Those named, or those of the settings.
pub(super) fn sources(named: &[SourceConfig], remote: &RemoteArgs) -> Result<Vec<Client>, CommandError> {
    let configs = if named.is_empty() {
        let settings = remote.settings()?.ok_or(
            "where are their alerts recorded? There is no damper.yaml here; name the settings with --config FILE, or --prometheus URL",
        )?;
        settings.sources
    } else {
        named.to_vec()
    };
    Ok(configs.into_iter().map(Client::new).collect::<Result<_, _>>()?)
}

/// Asks all of them; what cannot be read is noted.
pub(super) async fn ask(sources: &[Client], read: &Reading<'_>, notes: &mut Notes) -> Recorded {
    let first = Ts(read.from.0.div_euclid(read.every.secs()) * read.every.secs());
    let last = Ts(read.to.0.div_euclid(read.every.secs()) * read.every.secs());
    let mut recorded = Recorded { stretches: Stretches::new(read.every), asked: (first, last), begins: None };
    let mut any = false;
    for source in sources {
        let before = recorded.stretches.len();
        let mut seen = false;
        match alerts(source, read, &mut recorded, &mut seen).await {
            Ok(()) => {}
            Err(why) => notes.lack(format!("not all of their alerts could be read: {why}")),
        }
        any |= seen;
        if seen || recorded.stretches.len() > before {
            let name = source.config().name();
            let begins = begins(source, first, last).await.unwrap_or_else(|why| {
                notes.lack(format!("it is not known since when source `{name}` has data: {why}"));
                None
            });
            if let Some(begins) = begins {
                notes.say(format!(
                    "the data of source `{name}` begins only at {begins}; what was before is not compared"
                ));
            }
            recorded.begins = recorded.begins.max(begins);
        }
    }
    if !any {
        let what = "no source recorded an alert of theirs: either none fired, or their rules run elsewhere; Prometheus records ALERTS where its rules run, vmalert with -remoteWrite.url";
        notes.lack(what.to_owned());
    }
    recorded
}

async fn alerts(
    source: &Client,
    read: &Reading<'_>,
    recorded: &mut Recorded,
    seen: &mut bool,
) -> Result<(), String> {
    let only = read.only.map_or_else(String::new, |only| format!(",{}", only.text));
    let promql = format!("ALERTS{{alertstate=\"firing\"{only}}}");
    let (first, last) = recorded.asked;
    let (mut at, mut piece) = (first, PIECE.secs().min(POINTS * read.every.secs()));
    let shows = io::stderr().is_terminal();
    while at <= last {
        if shows {
            let share = 100 * at.since(first).secs() / last.since(first).secs().max(1);
            // Whoever looks at it sees that it is gone when stderr is.
            let _ = write!(io::stderr(), "\r\x1b[Kread {share}% of `{}`", source.config().name());
            let _ = io::stderr().flush();
        }
        let steps = (piece / read.every.secs()).max(1);
        let end = Ts(at.0.saturating_add(steps * read.every.secs())).min(last);
        match frames(source, &promql, (at, end), read.every).await {
            Ok(frames) => {
                for frame in frames {
                    *seen |= !frame.points.is_empty();
                    recorded.stretches.add(frame.labels, frame.points.into_iter().map(|(at, _)| at));
                }
            }
            Err((kind, _))
                if matches!(kind, FailureKind::TooLarge | FailureKind::Timeout | FailureKind::QueryError)
                    && piece > LEAST_PIECE.secs() =>
            {
                piece /= 2;
                continue;
            }
            Err((_, why)) => return Err(why),
        }
        if recorded.stretches.len() > MOST {
            return Err(format!("there are more than {MOST} different alerts; narrow them with --theirs"));
        }
        at = end.plus(read.every);
    }
    if shows {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    Ok(())
}

/// When its data begins, if that is later than the first moment; as `up` shows it, where it has that.
async fn begins(source: &Client, first: Ts, last: Ts) -> Result<Option<Ts>, String> {
    let every = Span::from_secs_saturating((last.since(first).secs() / LOOKS).max(60));
    let frames = frames(source, "max(up)", (first, last), every).await.map_err(|(_, why)| why)?;
    let begins = frames.first().and_then(|frame| frame.points.first()).map(|(begins, _)| *begins);
    Ok(begins.filter(|begins| *begins > first.plus(every)))
}

async fn frames(
    source: &Client,
    promql: &str,
    (start, end): (Ts, Ts),
    every: Span,
) -> Result<Vec<Frame>, (FailureKind, String)> {
    let query =
        Query { source: source.config().name().to_owned(), promql: promql.to_owned(), start, end, every };
    match source.ask(&query, PATIENCE).await {
        Answer::Frames { frames, .. } => Ok(frames),
        Answer::Failed(failure) => Err((failure.kind, failure.message)),
    }
}
