//! Looks through a store: whether every page is whole and every row is what Damper can read, and what
//! it means where one is not.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{journal, kinds};
use crate::engine::alert::{AlertKey, AlertState};
use crate::engine::digest::Digest;
use crate::engine::ledger::SeriesImage;
use crate::engine::notice::Notice;
use crate::slo::listed::listed;
use crate::store::{OutboxFilter, Schema, Status, Store, StoreError};

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// A table, `pages` or `schema`.
    pub place: &'static str,
    /// What was found.
    pub what: String,
    /// What follows from it.
    pub means: &'static str,
    /// What to do.
    pub todo: String,
}

impl Finding {
    /// Whether decisions rest on what it is about.
    pub(super) fn matters(&self) -> bool {
        !LEDGER.contains(&self.place) && !LOOKED_UP.contains(&self.place)
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Examined {
    /// The version of the schema; `None` where it cannot be read.
    pub schema: Option<Schema>,
    /// Rows by table, as many as could be read.
    pub rows: BTreeMap<&'static str, u64>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The last moment that was journaled, in seconds since the epoch.
    pub last: Option<i64>,
    /// Alerts that fire.
    pub firing: u64,
    /// Messages that wait.
    pub waiting: u64,
}

/// What is wrong with pages that one finding names.
const NAMED: usize = 3;
/// Tables whose rows can be asked of Prometheus again.
const LEDGER: [&str; 2] = ["images", "journal"];
/// Tables that people look things up in; nothing is decided by them.
const LOOKED_UP: [&str; 2] = ["history", "revisions"];

impl Examined {
    /// Whether all that decisions rest on can be read; what is wrong with the ledger costs questions
    /// only. Damaged pages may be anywhere.
    pub fn has_decisions(&self) -> bool {
        !self.findings.iter().any(Finding::matters)
    }

    /// The same of what was read, whichever pages are damaged.
    pub(super) fn has_decisions_but_for_pages(&self) -> bool {
        !self.findings.iter().any(|finding| finding.matters() && finding.place != "pages")
    }
}

/// Looks through all of a store.
pub async fn examine(store: &Store) -> Examined {
    let mut look = Look { store, mended_by: store.mended_by(), found: Examined::default() };
    match store.schema().await {
        Ok(schema) => look.found.schema = Some(schema),
        Err(error) => look.unread("schema", &error),
    }
    match store.wrong_pages().await {
        Ok(lines) => look.pages(&lines),
        Err(error) => look.unread("pages", &error),
    }
    // Rows of another version are read when its schema is brought up to date.
    if look.found.schema.is_some_and(|schema| schema.found == schema.known) {
        Box::pin(look.tables()).await;
    }
    look.found
}

struct Look<'s> {
    store: &'s Store,
    mended_by: String,
    found: Examined,
}

/// Rows of a table that are not what Damper can read.
#[derive(Default)]
struct Rows {
    read: u64,
    wrong: u64,
    first: Option<String>,
}

impl Rows {
    fn see(&mut self, is_good: bool, name: impl FnOnce() -> String) {
        self.read += 1;
        if !is_good {
            self.wrong += 1;
            self.first.get_or_insert_with(name);
        }
    }
}

impl Look<'_> {
    async fn tables(&mut self) {
        let states = self.states().await;
        self.note("states", states);
        let outbox = self.outbox().await;
        self.note("outbox", outbox);
        let levels = self.levels().await;
        self.note("levels", levels);
        let judged = self.store.judged().await;
        self.note("judged", judged.map(|rows| all_good(rows.len())));
        let documents = self.documents().await;
        self.note("documents", documents);
        let revisions = self.store.revisions(crate::store::PAGE).await;
        self.note("revisions", revisions.map(|rows| all_good(rows.len())));
        let commands = self.commands().await;
        self.note("commands", commands);
        let history = self.history().await;
        self.note("history", history);
        let images = self.images().await;
        self.note("images", images);
        let journal = self.journal().await;
        self.note("journal", journal);
    }

    fn note(&mut self, place: &'static str, rows: Result<Rows, StoreError>) {
        match rows {
            Ok(rows) => {
                self.found.rows.insert(place, rows.read);
                if let Some(first) = rows.first {
                    let what = format!(
                        "{} of {} rows cannot be read or are not what was written, the first: {first}",
                        rows.wrong, rows.read
                    );
                    self.find(place, what);
                }
            }
            Err(error) => self.unread(place, &error),
        }
    }

    fn unread(&mut self, place: &'static str, error: &StoreError) {
        let what = match error {
            StoreError::Corrupt { detail, .. } => format!("cannot be read: {detail}"),
            error => format!("cannot be read: {error}"),
        };
        self.find(place, what);
    }

    fn pages(&mut self, lines: &[String]) {
        if !lines.is_empty() {
            self.find("pages", listed(lines, NAMED));
        }
    }

    fn find(&mut self, place: &'static str, what: String) {
        let mended_by = &self.mended_by;
        let todo = if LEDGER.contains(&place) && what.contains("rows") {
            "nothing: Damper writes it anew within some hours".to_owned()
        } else {
            format!("stop Damper, then: {mended_by}")
        };
        self.found.findings.push(Finding { place, what, means: means(place), todo });
    }

    async fn states(&mut self) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        for (key, body) in self.store.states().await? {
            let is_good = kinds::is_readable(&key, &body).unwrap_or_else(|| {
                let state = serde_json::from_str::<AlertState>(&body);
                self.found.firing += u64::from(state.as_ref().is_ok_and(|state| state.firing.is_some()));
                AlertKey::from_text(&key).is_some() && state.is_ok()
            });
            rows.see(is_good, || key);
        }
        Ok(rows)
    }

    async fn outbox(&mut self) -> Result<Rows, StoreError> {
        let (mut rows, mut before) = (Rows::default(), None);
        loop {
            let page = self.store.outbox(&OutboxFilter::default(), before, crate::store::PAGE).await?;
            for row in page.items {
                let waits = row.status == Status::Pending;
                self.found.waiting += u64::from(waits);
                // What is done is kept for people to look up.
                rows.see(!waits || serde_json::from_str::<Notice>(&row.payload).is_ok(), || row.id);
            }
            match page.next {
                Some(next) => before = Some(next),
                None => return Ok(rows),
            }
        }
    }

    async fn levels(&self) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        loop {
            let page = self.store.levels(i64::try_from(rows.read).unwrap_or(i64::MAX)).await?;
            if page.is_empty() {
                return Ok(rows);
            }
            for row in page {
                let is_good = serde_json::from_str::<Notice>(&row.payload).is_ok();
                rows.see(is_good, || format!("{} at {}", row.incident, row.receiver));
            }
        }
    }

    async fn documents(&self) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        for document in self.store.documents().await? {
            rows.see(Digest::of(&[&document.text]).hex() == document.hash, || document.doc_id);
        }
        Ok(rows)
    }

    async fn commands(&self) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        for command in self.store.commands(crate::store::PAGE).await? {
            rows.see(is_json(&command.body), || format!("{} {}", command.kind, command.id));
        }
        Ok(rows)
    }

    async fn history(&self) -> Result<Rows, StoreError> {
        let (mut rows, mut before) = (Rows::default(), None);
        loop {
            let page = self.store.history(None, before, crate::store::PAGE).await?;
            for row in page.items {
                rows.see(is_json(&row.body), || format!("{} of {}", row.kind, row.subject));
            }
            match page.next {
                Some(next) => before = Some(next),
                None => return Ok(rows),
            }
        }
    }

    async fn images(&mut self) -> Result<Rows, StoreError> {
        let (mut rows, mut after) = (Rows::default(), None);
        loop {
            let page = self.store.load_images(after).await?;
            for id in page.damaged {
                rows.see(false, || format!("series {id}"));
            }
            for row in page.images {
                self.found.last = self.found.last.max(Some(row.at));
                rows.see(SeriesImage::from_bytes(&row.blob).is_ok(), || format!("series {}", row.id));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(rows),
            }
        }
    }

    async fn journal(&mut self) -> Result<Rows, StoreError> {
        let (mut rows, mut after) = (Rows::default(), 0);
        loop {
            let page = self.store.load_slices(0, i64::MIN, after).await?;
            for damaged in page.damaged {
                rows.see(false, || format!("page {}", damaged.seq));
            }
            for row in page.slices {
                self.found.last = self.found.last.max(Some(row.at));
                rows.see(journal::is_readable(&row.blob), || format!("page {}", row.seq));
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(rows),
            }
        }
    }
}

fn all_good(read: usize) -> Rows {
    Rows { read: u64::try_from(read).unwrap_or(u64::MAX), ..Rows::default() }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

/// What follows where something of a table cannot be read.
fn means(place: &str) -> &'static str {
    match place {
        "schema" => "nothing of it can be used",
        "pages" => {
            "parts of the file cannot be read, or may give what was never written; Damper does not start on it"
        }
        "states" => {
            "these alerts and policies begin anew: what fires is told again under another key, a cooldown, a \
             pause or what was raised is forgotten"
        }
        "outbox" => "messages that wait there reach nobody",
        "levels" => "an Alertmanager is not told any more that these alerts fire",
        "judged" => "after a restart moments may be judged again that were judged before",
        "documents" => "these definitions are in force only once their files are read again",
        "commands" => "what people asked for there is not carried out; ask again",
        "history" | "revisions" => "people cannot look it up; nothing is decided by it",
        "images" => "the history of these series is asked of Prometheus again, as far back as it keeps it",
        "journal" => "what was counted in the last hours is asked of Prometheus again",
        _ => "it cannot be used",
    }
}
