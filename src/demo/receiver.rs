//! A receiver that is healthy on one path, recovers on another, and is gone on a third.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;

/// How often each event was seen on the path that recovers.
type Seen = Arc<Mutex<HashMap<String, u32>>>;

pub(super) async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthy", post(async || StatusCode::NO_CONTENT))
        .route("/gone", post(async || (StatusCode::GONE, "this receiver was closed")))
        .route("/flaky", post(flaky))
        .with_state(Seen::default());
    axum::serve(listener, router).await
}

async fn flaky(State(seen): State<Seen>, headers: HeaderMap) -> (StatusCode, &'static str) {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let times = seen.entry(id).or_default();
    *times += 1;
    if *times <= 2 { (StatusCode::INTERNAL_SERVER_ERROR, "not now") } else { (StatusCode::NO_CONTENT, "") }
}
