//! Requests counted by route, and how long they took.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::metric::{Metric, SECONDS};

/// What requests to no route are counted under.
pub const NO_ROUTE: &str = "none";

const CLASSES: &[&str] = &["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests to one of `routes`, by what was answered. A catalog of a daemon that serves has it.
pub const fn requests(routes: &'static [&'static str]) -> Metric {
    Metric::counter("millrace_http_requests_total", "Requests answered, by route and class of HTTP status.")
        .by("route", routes)
        .by("status", CLASSES)
}

/// How long they took. A catalog of a daemon that serves has it.
pub const fn seconds(routes: &'static [&'static str]) -> Metric {
    Metric::histogram("millrace_http_request_seconds", SECONDS, "Time from a request's head to its answer's.")
        .by("route", routes)
}

/// The two metrics of a daemon that serves: [`requests`] and [`seconds`].
#[derive(Clone, Copy)]
pub struct Meters {
    /// Requests.
    pub requests: &'static Metric,
    /// How long they took.
    pub seconds: &'static Metric,
}

/// Middleware, to be the last layer added: `axum::middleware::from_fn_with_state(meters, meter)`.
pub async fn meter(State(meters): State<Meters>, route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let asked = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let class = usize::from(response.status().as_u16() / 100).saturating_sub(1);
    meters.requests.inc(&[route, CLASSES.get(class).copied().unwrap_or("5xx")]);
    meters.seconds.observe(asked.elapsed(), &[route]);
    response
}
