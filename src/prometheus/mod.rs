//! ASK: range and instant queries, decoding, limits, breaker.
