//! Service settings: defaults, then the file, then the environment.
