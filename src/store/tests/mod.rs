//! Every promise of the store, on both databases: a test is a function of a [`home::Home`], and
//! `on_both!` runs it on a new SQLite file and on a new database of a real PostgreSQL.

mod crash;
mod decisions;
mod doubt;
mod faults;
mod home;
mod keep;
mod lease;
mod levels;
mod outbox;
#[path = "../../../tests/support/postgres.rs"]
mod postgres;
mod rest;
mod shed;
mod slices;
mod standin;
mod used;

/// Makes two tests of each function: `sqlite::name` and `postgres::name`.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            use super::super::home::Home;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(&Home::sqlite()).await;
                }
            )*
        }
        mod postgres {
            use super::super::home::Home;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(&Home::postgres()).await;
                }
            )*
        }
    };
}
use on_both;
