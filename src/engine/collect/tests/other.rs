//! Forms without follow-ups.
