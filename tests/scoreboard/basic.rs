//! The bare basic rule: the burn rate of one window of five minutes, compared and acted on. It has
//! bounds and cooldowns, in memory, and nothing else; a window without data reads as no burn, as
//! `or vector(0)` does.

use damper::engine::burn::burn;
use damper::engine::ledger::Ledger;
use damper::engine::plan::Planned;
use damper::engine::window::Book;
use damper::slo::model::Labels;
use damper::slo::time::{Span, Ts};

use super::Bounds;

/// The rule's memory.
pub struct Basic {
    bounds: Bounds,
    cooldown_until: i64,
}

impl Basic {
    /// One that has done nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, cooldown_until: 0 }
    }

    /// Forgets what lives in memory.
    pub fn restart(&mut self) {
        self.cooldown_until = 0;
    }

    /// The replicas it wants now.
    pub fn decide(&mut self, now: i64, at: Ts, ledger: &Ledger, planned: &Planned, current: u32) -> u32 {
        if now < self.cooldown_until {
            return current;
        }
        let book = Book::open(ledger, &planned.bad, &planned.total, &Labels::new()).unwrap();
        let rate = burn(&book.window(Span::from_mins(5), at), planned.slo.objective).unwrap_or(0.0);
        let (wanted, minutes) = match rate {
            rate if rate >= 2.0 => (current + 2, 3),
            rate if rate >= 1.5 => (current + 1, 2),
            rate if rate < 0.8 => (current.saturating_sub(1), 5),
            _ => (current, 0),
        };
        let wanted = wanted.clamp(self.bounds.min, self.bounds.max);
        if wanted != current {
            self.cooldown_until = now + minutes * 60;
        }
        wanted
    }
}
