//! DELIVER: one file per receiver kind; rendering.
