//! Until when SLOs were judged: written by the decision commit, read at a restart.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Transaction};

use super::backend::{both, each};
use super::decisions::CHUNK;
use super::error::Fault;

/// Until when one SLO was judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JudgedPut {
    /// `service/name`.
    pub slo: String,
    /// The end of the newest slice judged, in milliseconds since the epoch.
    pub at: i64,
}

both! {
    /// Until when each SLO was judged at the last decision about it.
    pub async fn judged(&self) -> Result<Vec<JudgedPut>>
    while "reading until when was judged" {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select slo, at from judged order by slo").fetch_all(&self.queue).await?;
        Ok(rows.into_iter().map(|(slo, at)| JudgedPut { slo, at }).collect())
    }
}

each! {
    impl super::backend::Db<Database> {
        pub(super) async fn put_judged(
            tx: &mut Transaction<'static, Database>,
            puts: &[JudgedPut],
        ) -> Result<(), Fault> {
            // PostgreSQL refuses to update one row twice in a statement: the last one counts.
            let unique: BTreeMap<&str, i64> = puts.iter().map(|put| (&*put.slo, put.at)).collect();
            let rows: Vec<(&str, i64)> = unique.into_iter().collect();
            for chunk in rows.chunks(CHUNK) {
                QueryBuilder::<Database>::new("insert into judged (slo, at) ")
                    .push_values(chunk, |mut row, (slo, at)| {
                        row.push_bind(*slo).push_bind(*at);
                    })
                    .push(" on conflict (slo) do update set at = excluded.at")
                    .build()
                    .persistent(false)
                    .execute(&mut **tx)
                    .await?;
            }
            Ok(())
        }
    }
}
