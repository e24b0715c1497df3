//! HTTP API with OpenAPI, health and metrics.
