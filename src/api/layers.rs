//! What surrounds every request: an id, a log line, and limits of time, size and number.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use utoipa_axum::router::OpenApiRouter;

use super::MAX_BODY;
use super::problem::{Problem, in_words};
use crate::engine::digest::Digest;
use crate::service::clock;
use crate::service::shared::Shared;
use crate::telemetry::logs::request_span;

/// A request is answered or given up within this time.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Requests to the API that are worked on at once; others wait, within their time.
const AT_ONCE: usize = 16;

/// Limits how many requests are worked on at once.
pub(super) fn busy(api: OpenApiRouter<Arc<Shared>>) -> OpenApiRouter<Arc<Shared>> {
    api.layer(GlobalConcurrencyLimitLayer::new(AT_ONCE))
}

/// Everything else, innermost first.
pub(super) fn around(router: Router<Arc<Shared>>) -> Router<Arc<Shared>> {
    router
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, TIMEOUT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(in_words))
        .layer(PropagateRequestIdLayer::x_request_id())
        // No 503 is logged as a failure: `/readyz` of a replica that stands by gives one at every
        // probe, and what is behind the others is logged where it happens.
        .layer(TraceLayer::new_for_http().make_span_with(span).on_failure(()))
        .layer(SetRequestIdLayer::x_request_id(MakeId))
}

/// An id for requests that bring none, so that an answer and the log can be laid side by side.
#[derive(Clone, Copy)]
struct MakeId;

impl MakeRequestId for MakeId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let id = Digest::of(&[&clock::now_ms().to_string(), &number]).hex();
        HeaderValue::try_from(id).ok().map(RequestId::new)
    }
}

fn span(request: &Request) -> tracing::Span {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    request_span(id, request.method().as_str(), request.uri().path())
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("(no words)");
    tracing::error!(panic = said, "a request's handler panicked");
    Problem::internal().into_response()
}
