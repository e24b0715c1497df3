//! Last good definitions, one text per document, and the revisions they made: a restart starts
//! whole even while a file is broken.

use sqlx::{QueryBuilder, Transaction};

use super::PAGE;
use super::backend::{both, each};
use super::commands::THESE_COMMANDS;
use super::decisions::CHUNK;
use super::error::Fault;

/// Revisions kept.
const REVISIONS: i64 = 1000;
/// Bytes of texts in one statement; a longer one is alone in it.
const TEXTS: usize = 1024 * 1024;

/// One definition as it was last accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// Identity of the document.
    pub doc_id: String,
    /// The revision that accepted this text.
    pub revision: i64,
    /// Hash of the text.
    pub hash: String,
    /// The text.
    pub text: String,
    /// Where it came from.
    pub file: String,
    /// When, in milliseconds since the epoch.
    pub accepted_at: i64,
}

/// One accepted set of definitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// Ascends.
    pub number: i64,
    /// Hash of the set.
    pub hash: String,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// What changed, for people.
    pub summary: String,
}

both! {
    /// Records an accepted set: the documents that changed and the ids of those that went away,
    /// together, with the commands that are carried out by it. Documents not named stay; none is named
    /// twice. A number already there is overwritten.
    pub async fn accept(
        &self,
        epoch: i64,
        revision: &Revision,
        changed: &[Document],
        removed: &[String],
        commands_done: &[i64],
    ) -> Result<()>
    while "recording definitions" {
        let mut tx = self.begin_under(epoch).await?;
        sqlx::query(
            "insert into revisions (number, hash, at, summary) values ($1, $2, $3, $4)
             on conflict (number) do update set hash = excluded.hash, at = excluded.at, summary = excluded.summary",
        )
        .bind(revision.number)
        .bind(&revision.hash)
        .bind(revision.at)
        .bind(&revision.summary)
        .execute(&mut *tx)
        .await?;
        Self::remove(&mut tx, "delete from documents where doc_id in (", removed).await?;
        Self::put_documents(&mut tx, changed).await?;
        Self::remove(&mut tx, THESE_COMMANDS, commands_done).await?;
        sqlx::query("delete from revisions where number <= $1")
            .bind(revision.number.saturating_sub(REVISIONS))
            .execute(&mut *tx)
            .await?;
        Self::end(tx).await
    }

    /// Every document as last accepted.
    pub async fn documents(&self) -> Result<Vec<Document>>
    while "reading definitions" {
        let rows: Vec<(String, i64, String, String, String, i64)> = sqlx::query_as(
            "select doc_id, revision, hash, text, file, accepted_at from documents order by doc_id",
        )
        .fetch_all(&self.reader)
        .await?;
        let document =
            |(doc_id, revision, hash, text, file, accepted_at)| Document { doc_id, revision, hash, text, file, accepted_at };
        Ok(rows.into_iter().map(document).collect())
    }

    /// The newest revisions, newest first, at most [`PAGE`]; the last 1,000 are kept.
    pub async fn revisions(&self, limit: i64) -> Result<Vec<Revision>>
    while "reading revisions" {
        let rows: Vec<(i64, String, i64, String)> =
            sqlx::query_as("select number, hash, at, summary from revisions order by number desc limit $1")
                .bind(limit.clamp(1, PAGE))
                .fetch_all(&self.reader)
                .await?;
        let revision = |(number, hash, at, summary)| Revision { number, hash, at, summary };
        Ok(rows.into_iter().map(revision).collect())
    }
}

/// What one statement takes.
fn chunks(documents: &[Document]) -> impl Iterator<Item = &[Document]> {
    let (mut rows, mut bytes) = (0, 0);
    documents.chunk_by(move |before, next| {
        (rows, bytes) = (rows + 1, bytes + before.text.len());
        let fits = rows < CHUNK && bytes + next.text.len() <= TEXTS;
        if !fits {
            (rows, bytes) = (0, 0);
        }
        fits
    })
}

each! {
    impl super::backend::Db<Database> {
        /// Many in a statement: one each takes longer for 100,000 than a statement may.
        async fn put_documents(
            tx: &mut Transaction<'static, Database>,
            documents: &[Document],
        ) -> Result<(), Fault> {
            for chunk in chunks(documents) {
                QueryBuilder::<Database>::new(
                    "insert into documents (doc_id, revision, hash, text, file, accepted_at) ",
                )
                .push_values(chunk, |mut row, document| {
                    row.push_bind(&document.doc_id)
                        .push_bind(document.revision)
                        .push_bind(&document.hash)
                        .push_bind(&document.text)
                        .push_bind(&document.file)
                        .push_bind(document.accepted_at);
                })
                .push(
                    " on conflict (doc_id) do update
                         set revision = excluded.revision, hash = excluded.hash, text = excluded.text,
                             file = excluded.file, accepted_at = excluded.accepted_at",
                )
                .build()
                .persistent(false)
                .execute(&mut **tx)
                .await?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_takes_so_many_rows_and_bytes() {
        let document = |length: usize| Document {
            doc_id: String::new(),
            revision: 1,
            hash: String::new(),
            text: "x".repeat(length),
            file: String::new(),
            accepted_at: 0,
        };
        let lengths = |documents: &[Document]| chunks(documents).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&vec![document(9); 2 * CHUNK + 1]), [CHUNK, CHUNK, 1]);
        let half = TEXTS / 2;
        let long = [half, half, 1, TEXTS, TEXTS + 1, 1, 1].map(document);
        assert_eq!(lengths(&long), [2, 1, 1, 1, 2]);
        assert!(lengths(&[]).is_empty());
    }
}
