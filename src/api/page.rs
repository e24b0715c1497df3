//! The shape of answers: pages of lists, and whether what is told is held.

use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::components::is_tick_late;
use crate::service::shared::Shared;

/// One page of a list.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// To be given as `next` for the following page; null on the last one.
    pub next: Option<String>,
}

/// An answer, and since when it is held. A held answer has the header `X-Graceful-Fallback: true`.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer<T> {
    #[serde(flatten)]
    body: T,
    /// Only while Damper cannot know better (a source does not answer, nothing can be stored, no
    /// tick comes to its end): the time the answer is of, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<i64>,
}

impl<T> Answer<T> {
    /// An answer that depends on these sources.
    pub(super) fn of_sources(shared: &Shared, sources: &[String], body: T) -> Self {
        let blind = sources.iter().any(|source| shared.world.read().observed.is_blind(source));
        Self::held_if(shared, blind, body)
    }

    /// An answer that depends on every source.
    pub(super) fn of_all(shared: &Shared, body: T) -> Self {
        let blind = shared.world.read().observed.blind.values().any(|blind| *blind);
        Self::held_if(shared, blind, body)
    }

    fn held_if(shared: &Shared, blind: bool, body: T) -> Self {
        let held = blind || shared.troubles.read().contains_key("store") || is_tick_late(shared);
        let at = shared.ticks.read().at;
        Self { body, as_of: held.then_some(at) }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let held = self.as_of.is_some();
        let mut response = Json(self).into_response();
        if held {
            let name = HeaderName::from_static("x-graceful-fallback");
            response.headers_mut().insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}
