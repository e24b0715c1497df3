//! Errors as RFC 9457 problem documents: what is wrong, and what to do.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// The media type of problem documents.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document (RFC 9457).
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// The parameter that is wrong, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
}

impl Problem {
    /// A problem with this status.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            parameter: None,
        }
    }

    /// 400: a parameter cannot be used.
    pub(super) fn parameter(name: &str, wrong: impl std::fmt::Display) -> Self {
        let detail = format!("The parameter `{name}` {wrong}.");
        Self { parameter: Some(name.to_owned()), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// 404.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 503.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// 500, after a panic: what happened is in the log, not in the answer.
    pub(super) fn internal() -> Self {
        let detail = "This is a fault of Damper. The log has the details under this request's id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

/// The store's own words: they name the store, and what to do.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error.to_string())
    }
}

/// Turns errors that were made below us (no such path, body too large, too slow) into problem documents.
pub(super) async fn in_words(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().starts_with(b"application/problem+json")
            || kind.as_bytes().starts_with(b"application/json")
    });
    if !is_error || is_json {
        return response;
    }
    Problem::new(status, words(status)).into_response()
}

fn words(status: StatusCode) -> String {
    match status {
        StatusCode::NOT_FOUND => "There is nothing at this path; `/openapi.json` lists what there is.".into(),
        StatusCode::METHOD_NOT_ALLOWED => {
            "This path does not take this method; the header `Allow` lists those it takes.".into()
        }
        StatusCode::REQUEST_TIMEOUT => {
            "The answer took too long and was given up; ask for less, or again.".into()
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            format!("A body may have {} bytes at most.", super::MAX_BODY)
        }
        other => other.canonical_reason().unwrap_or("The request failed.").to_owned(),
    }
}
