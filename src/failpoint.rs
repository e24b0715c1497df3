//! Moments at which a test lets this process die as `kill -9` would: nothing is flushed, no destructor
//! runs. In release builds the macros are empty and everything else of this file is not there.
//!
//! `FAILPOINTS` names a file. While it holds `PLACE/WHAT:N`, the process dies when it comes to this
//! place of doing that for the Nth time; the file is gone then, so that the next process lives.

/// The process may die here: a [`Place`], and what is being done.
#[cfg(debug_assertions)]
macro_rules! reach {
    ($place:ident, $doing:expr) => {
        $crate::failpoint::reach($crate::failpoint::Place::$place, $doing)
    };
}
#[cfg(not(debug_assertions))]
macro_rules! reach {
    ($place:ident, $doing:expr) => {};
}

/// One transaction, which is what its errors say, unless [`during!`] says it more closely.
#[cfg(debug_assertions)]
macro_rules! transaction {
    ($doing:expr, $work:expr) => {
        $crate::failpoint::transaction($doing, Box::pin($work))
    };
}
#[cfg(not(debug_assertions))]
macro_rules! transaction {
    ($doing:expr, $work:expr) => {
        $work
    };
}

/// A future, and what transactions in it are about.
#[cfg(debug_assertions)]
macro_rules! during {
    ($doing:expr, $work:expr) => {
        $crate::failpoint::during($doing, Box::pin($work))
    };
}
#[cfg(not(debug_assertions))]
macro_rules! during {
    ($doing:expr, $work:expr) => {
        $work
    };
}

#[cfg(debug_assertions)]
pub use live::{Place, VARIABLE};
#[cfg(debug_assertions)]
pub(crate) use live::{during, inside, reach, transaction};

#[cfg(debug_assertions)]
mod live {
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// The environment variable that names the file.
    pub const VARIABLE: &str = "FAILPOINTS";

    tokio::task_local! {
        static DOING: &'static str;
    }

    macro_rules! places {
        ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
            /// Where the process may die.
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
            pub enum Place {
                $($(#[doc = $doc])+ $name,)+
            }

            impl Place {
                /// All of them.
                pub const ALL: &'static [Self] = &[$(Self::$name),+];

                /// As in the file.
                pub const fn name(self) -> &'static str {
                    match self { $(Self::$name => $text),+ }
                }
            }
        };
    }

    places! {
        /// Before a transaction begins: nothing of it is in the store.
        Begin = "begin",
        /// All statements of a transaction are made, and it is not committed.
        Inside = "inside",
        /// After the commit, before memory changes and anybody is woken.
        Committed = "committed",
        /// Before a request leaves that tells somebody or moves something.
        Send = "send",
        /// The other side has taken it, and nobody has written that down.
        Taken = "taken",
        /// An answer about events is there, and not in the ledger.
        Asked = "asked",
        /// Events are in the ledger in memory, and not in the store.
        Booked = "booked",
        /// A new plan is stored, and the old one in force.
        Swap = "swap",
        /// A new plan is in force, and what the store kept of its series not read.
        Swapped = "swapped",
    }

    pub(crate) async fn transaction<T, E>(
        own: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let doing = DOING.try_with(|doing| *doing).unwrap_or(own);
        reach(Place::Begin, doing);
        let done = DOING.scope(doing, work).await;
        if done.is_ok() {
            reach(Place::Committed, doing);
        }
        done
    }

    /// What the transaction at hand does.
    pub(crate) fn inside() -> &'static str {
        DOING.try_with(|doing| *doing).unwrap_or_default()
    }

    pub(crate) async fn during<T>(doing: &'static str, work: impl Future<Output = T>) -> T {
        DOING.scope(doing, work).await
    }

    pub(crate) fn reach(place: Place, doing: &str) {
        static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
        static REACHED: Mutex<(String, u32)> = Mutex::new((String::new(), 0));
        let Some(file) = FILE.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from)) else { return };
        let Ok(armed) = std::fs::read_to_string(file) else { return };
        let Some((name, nth)) = armed.trim().rsplit_once(':') else { return };
        if name.split_once('/') != Some((place.name(), doing)) {
            return;
        }
        // Held to the end: of two threads that come here at once one lets the process die.
        let mut reached = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
        let count = if reached.0 == armed { reached.1 + 1 } else { 1 };
        if nth.parse().is_ok_and(|nth: u32| count >= nth) && std::fs::remove_file(file).is_ok() {
            std::process::abort();
        }
        *reached = (armed, count);
    }
}
