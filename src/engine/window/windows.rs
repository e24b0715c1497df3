//! The windows of one moment, each summed when it is first asked for.

use super::{Book, Counts};
use crate::slo::time::{Span, Ts};

/// Windows of one SLO and group that end at one moment; rules share them.
pub struct Windows<'a, 'b> {
    book: &'a Book<'b>,
    at: Ts,
    seen: Vec<(Span, Counts)>,
}

impl<'a, 'b> Windows<'a, 'b> {
    /// None is summed yet.
    pub fn new(book: &'a Book<'b>, at: Ts) -> Self {
        Self { book, at, seen: Vec::new() }
    }

    /// What they are summed from.
    pub fn book(&self) -> &'a Book<'b> {
        self.book
    }

    /// Where they end.
    pub fn at(&self) -> Ts {
        self.at
    }

    /// The window of this nominal length.
    pub fn get(&mut self, window: Span) -> Counts {
        if let Some((_, counts)) = self.seen.iter().find(|(w, _)| *w == window) {
            return *counts;
        }
        let counts = self.book.window(window, self.at);
        self.seen.push((window, counts));
        counts
    }
}
