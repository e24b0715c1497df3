//! DEFINITIONS, pure: YAML text becomes checked values, every problem with file, line, column and a hint.

pub mod model;
pub mod nearest;
pub mod period;
pub mod problem;
pub mod promql;
pub mod query;
pub mod time;
pub mod unit;
pub mod yaml;
