//! What a daemon answers when it refuses.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::Json;
use serde::{Deserialize, Serialize};

/// A refusal: what is wrong, and what would be right.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{error}; {what_would_be_right}")]
pub struct ApiError {
    /// HTTP status it travels with.
    #[serde(skip)]
    pub status: u16,
    /// What is wrong.
    pub error: String,
    /// What would be right.
    pub what_would_be_right: String,
}

impl ApiError {
    /// A refusal with `status`.
    pub fn new(status: StatusCode, error: impl Into<String>, what_would_be_right: impl Into<String>) -> Self {
        Self { status: status.as_u16(), error: error.into(), what_would_be_right: what_would_be_right.into() }
    }

    /// 400: the request is malformed.
    pub fn bad_request(error: impl Into<String>, right: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, right)
    }

    /// 401: unsigned or wrongly signed.
    pub fn unauthorized(error: impl Into<String>, right: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error, right)
    }

    /// 403: signed by a key that may not do this.
    pub fn forbidden(error: impl Into<String>, right: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, error, right)
    }

    /// 404: there is no such thing.
    pub fn not_found(error: impl Into<String>, right: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, right)
    }

    /// 409: not in this state.
    pub fn conflict(error: impl Into<String>, right: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error, right)
    }

    /// 429: too many at once.
    pub fn too_many(error: impl Into<String>, right: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, error, right)
    }

    /// 503: not now.
    pub fn unavailable(error: impl Into<String>, right: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, right)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}
