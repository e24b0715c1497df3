//! REMEMBER: decisions, outbox and slices, in SQLite or PostgreSQL.
