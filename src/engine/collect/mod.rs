//! Answers → facts.
