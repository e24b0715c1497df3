//! The schema, as numbered steps that both databases understand.

use super::backend::each;
use super::error::Fault;

/// One step, with its number; numbers ascend by one and are never reused.
struct Migration {
    version: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("migrations/0001_start.sql") },
    Migration { version: 2, sql: include_str!("migrations/0002_severity.sql") },
    Migration { version: 3, sql: include_str!("migrations/0003_subject.sql") },
    Migration { version: 4, sql: include_str!("migrations/0004_judged.sql") },
    Migration { version: 5, sql: include_str!("migrations/0005_found.sql") },
];

/// The newest schema this program knows.
pub(super) fn known() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0)
}

each! {
    impl super::backend::Db<Database> {
        /// Applies what is missing, all of it or nothing. Refuses a schema newer than it knows.
        pub(super) async fn migrate(&self) -> Result<(), Fault> {
            let mut tx = self.begin().await?;
            sqlx::query(Self::ONE_AT_A_TIME).execute(&mut *tx).await?;
            sqlx::query(
                "create table if not exists schema_version (version bigint primary key, name text not null)",
            )
            .execute(&mut *tx)
            .await?;
            let found: Option<i64> =
                sqlx::query_scalar("select max(version) from schema_version").fetch_one(&mut *tx).await?;
            let found = found.unwrap_or(0);
            if found > known() {
                return Err(Fault::NewerSchema { found, known: known() });
            }
            for step in MIGRATIONS.iter().filter(|step| step.version > found) {
                sqlx::raw_sql(step.sql).execute(&mut *tx).await?;
                sqlx::query("insert into schema_version (version, name) values ($1, $2)")
                    .bind(step.version)
                    .bind(env!("CARGO_PKG_VERSION"))
                    .execute(&mut *tx)
                    .await?;
            }
            Ok(tx.commit().await?)
        }
    }
}

// The only two statements that differ between the databases.
impl super::backend::Db<sqlx::Sqlite> {
    /// Takes the write lock at once: a read that turns into a write fails however long it waits (code 517).
    pub(super) const BEGIN: &'static str = "begin immediate";
    /// The write lock is enough.
    const ONE_AT_A_TIME: &'static str = "select 1";
}

impl super::backend::Db<sqlx::Postgres> {
    /// Row locks do the rest.
    pub(super) const BEGIN: &'static str = "begin";
    /// Replicas that start together migrate one after the other. The number is arbitrary but fixed.
    const ONE_AT_A_TIME: &'static str = "select pg_advisory_xact_lock(7240512033)";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_from_one_without_gaps() {
        for (expected, step) in (1..).zip(MIGRATIONS) {
            assert_eq!(step.version, expected);
        }
    }
}
