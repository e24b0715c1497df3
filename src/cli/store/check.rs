//! `damper store check`.

use serde_json::{Value, json};

use super::{PROBLEMS, Place, PlaceArgs, USAGE, size};
use crate::cli::CommandError;
use crate::cli::moment::Moment;
use crate::cli::table::plain;
use crate::service::examine::{Examined, Finding, examine};
use crate::slo::time::Ts;
use crate::store::{Backup, Store};

/// Checks; gives the exit code.
pub(super) async fn run(args: &PlaceArgs) -> Result<u8, CommandError> {
    let Place { address, options } = match args.place() {
        Ok(place) => place,
        Err(why) => return args.refuse(USAGE, &why),
    };
    let store = match Store::look(address.expose(), options).await {
        Ok(store) => store,
        Err(error) => return args.refuse(PROBLEMS, &error.to_string()),
    };
    let mut seen = Seen {
        name: store.name().to_owned(),
        bytes: store.bytes(),
        used_by: store.used_by(),
        folder: store.backup_folder().map(|folder| folder.display().to_string()),
        newest: store.newest_backup(),
        found: examine(&store).await,
    };
    store.close().await;
    seen.note_schema();
    args.tell(&seen.text(&Moment::now()), &seen.json())?;
    Ok(if seen.found.findings.is_empty() { 0 } else { PROBLEMS })
}

struct Seen {
    name: String,
    bytes: Option<u64>,
    used_by: Option<String>,
    folder: Option<String>,
    newest: Option<Backup>,
    found: Examined,
}

impl Seen {
    /// A newer schema is a problem; an older one is brought up to date by the next start.
    fn note_schema(&mut self) {
        if let Some(schema) = self.found.schema.filter(|schema| schema.found > schema.known) {
            self.found.findings.push(Finding {
                place: "schema",
                what: format!(
                    "it is version {}, this Damper knows versions up to {}",
                    schema.found, schema.known
                ),
                means: "this Damper does not start on it, and could not look at its rows",
                todo: "run the newer Damper, or restore the backup from before the upgrade".to_owned(),
            });
        }
    }

    fn text(&self, moment: &Moment) -> String {
        let Self { name, found, .. } = self;
        let mut lines = vec![name.clone()];
        if let Some(bytes) = self.bytes {
            let by = match &self.used_by {
                Some(by) => format!("; a Damper{by} uses it"),
                None => "; no Damper uses it".to_owned(),
            };
            lines.push(format!("  {}{by}", size(bytes)));
        }
        if !found.rows.is_empty() {
            let rows: Vec<String> =
                found.rows.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
            lines.push(format!("  rows: {}", rows.join(", ")));
        }
        if let Some(last) = found.last {
            lines.push(format!("  counted until {}", moment.tell(Ts(last))));
        }
        if let Some(schema) = found.schema.filter(|schema| schema.found < schema.known) {
            lines.push(format!(
                "  its schema is version {}; the next start brings it to {}, and rows can be looked at then",
                schema.found, schema.known
            ));
        }
        lines.extend(self.backups(moment).map(|backups| format!("  {backups}")));
        for Finding { place, what, means, todo } in &found.findings {
            lines.push(format!("problem: {place}: {}", plain(what)));
            lines.push(format!("  means: {means}"));
            lines.push(format!("  do:    {todo}"));
        }
        lines.push(match found.findings.len() {
            0 => "good: all of it can be read".to_owned(),
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        });
        lines.join("\n") + "\n"
    }

    fn backups(&self, moment: &Moment) -> Option<String> {
        let folder = self.folder.as_ref()?;
        Some(match &self.newest {
            Some(Backup { at, path }) => {
                format!("newest backup: {}, of {}", path.display(), moment.tell(Ts(at.timestamp())))
            }
            None => format!("no backup in {folder}"),
        })
    }

    fn json(&self) -> Value {
        let found = &self.found;
        json!({
            "store": self.name,
            "bytes": self.bytes,
            "inUse": self.used_by.is_some(),
            "schema": found.schema.map(|schema| schema.found),
            "rows": found.rows,
            "countedUntil": found.last,
            "newestBackup": self.newest.as_ref().map(|backup| json!({
                "path": backup.path,
                "at": backup.at.timestamp(),
            })),
            "problems": found.findings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::moment::tests::AT;
    use crate::store::Schema;

    fn seen() -> Seen {
        let found = Examined {
            schema: Some(Schema { found: 5, known: 5 }),
            rows: [("states", 3), ("images", 120)].into(),
            last: Some(AT.now.0 - 60),
            ..Examined::default()
        };
        Seen {
            name: "SQLite store /d/damper.db".into(),
            bytes: Some(41_300_000),
            used_by: Some(" (process 7)".into()),
            folder: Some("/d/backups".into()),
            newest: None,
            found,
        }
    }

    #[test]
    fn a_good_store_says_so() {
        insta::assert_snapshot!(seen().text(&AT), @r"
        SQLite store /d/damper.db
          41 MB; a Damper (process 7) uses it
          rows: images 120, states 3
          counted until 18:19:00 UTC, 1m ago
          no backup in /d/backups
        good: all of it can be read
        ");
    }

    #[test]
    fn each_problem_says_what_it_means_and_what_to_do() {
        let mut seen = seen();
        (seen.used_by, seen.bytes) = (None, Some(1234));
        let at = chrono::DateTime::from_timestamp(AT.now.0 - 7200, 0).unwrap();
        seen.newest = Some(Backup { at, path: "/d/backups/x.db".into() });
        seen.found.findings = vec![Finding {
            place: "images",
            what: "1 of 120 rows cannot be read or are not what was written, the first: series 5".into(),
            means: "the history is asked again",
            todo: "nothing".into(),
        }];
        seen.found.schema = Some(Schema { found: 9, known: 5 });
        seen.note_schema();
        insta::assert_snapshot!(seen.text(&AT), @r"
        SQLite store /d/damper.db
          2 kB; no Damper uses it
          rows: images 120, states 3
          counted until 18:19:00 UTC, 1m ago
          newest backup: /d/backups/x.db, of 16:20:00 UTC, 2h ago
        problem: images: 1 of 120 rows cannot be read or are not what was written, the first: series 5
          means: the history is asked again
          do:    nothing
        problem: schema: it is version 9, this Damper knows versions up to 5
          means: this Damper does not start on it, and could not look at its rows
          do:    run the newer Damper, or restore the backup from before the upgrade
        2 problems
        ");
    }
}
