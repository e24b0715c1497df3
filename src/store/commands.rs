//! Commands: what people asked for through the API of any replica, until the leader's next step
//! consumes it. They are deleted by the decision commit that carries them out.

use super::PAGE;
use super::backend::both;
use super::error::Fault;

/// For the transaction that carries some out.
pub(super) const THESE_COMMANDS: &str = "delete from commands where id in (";

/// One thing asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Ascends with time.
    pub id: i64,
    /// What kind.
    pub kind: String,
    /// JSON.
    pub body: String,
    /// When, in milliseconds since the epoch.
    pub created_at: i64,
}

both! {
    /// Adds a command and returns its id. Needs no lease. Refused when too many wait.
    pub async fn put_command(&self, kind: &str, body: &str, created_at_ms: i64) -> Result<i64>
    while "adding a command" {
        let mut tx = self.begin().await?;
        let id = Self::reserve(&mut tx, "commands", 1).await?;
        let waiting: i64 = sqlx::query_scalar("select count(*) from commands").fetch_one(&mut *tx).await?;
        let limit = self.options.command_rows;
        if waiting >= limit {
            return Err(Fault::Full { what: "the command queue", limit });
        }
        sqlx::query("insert into commands (id, kind, body, created_at) values ($1, $2, $3, $4)")
            .bind(id)
            .bind(kind)
            .bind(body)
            .bind(created_at_ms)
            .execute(&mut *tx)
            .await?;
        Self::end(tx).await?;
        Ok(id)
    }

    /// The oldest commands that wait, at most [`PAGE`].
    pub async fn commands(&self, limit: i64) -> Result<Vec<Command>>
    while "reading commands" {
        let rows: Vec<(i64, String, String, i64)> =
            sqlx::query_as("select id, kind, body, created_at from commands order by id limit $1")
                .bind(limit.clamp(1, PAGE))
                .fetch_all(&self.queue)
                .await?;
        let command = |(id, kind, body, created_at)| Command { id, kind, body, created_at };
        Ok(rows.into_iter().map(command).collect())
    }
}
