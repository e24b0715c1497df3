//! Installs the TLS provider, parses the command line, maps errors to exit codes.

fn main() {}
