//! The HTTP API: door 2, the endpoints and what became of deliveries; health, readiness and metrics for every role.
//!
//! All answers about errors are RFC 9457 `application/problem+json`. No handler runs longer than [`REQUEST_TIMEOUT`].

mod auth;
mod breakers;
mod calls;
mod checks;
mod cursor;
mod dead_letters;
mod deliveries;
mod endpoints;
mod event;
mod event_list;
mod events;
mod extract;
mod gate;
mod keyed;
mod openapi;
mod params;
mod probes;
mod problem;
mod retries;
mod runs;
mod stats;
mod trace;
mod views;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::model::endpoint::EndpointDefaults;
use crate::model::token::Token;
use crate::ports::{Catalog, Checks, DeadLetters, Door, Observe, Pacing, Readiness, Records, Requeue, Retries};

pub use calls::{CALLS, Call, Needs};

use openapi::{Described, Published};
use problem::ApiError;

/// After this time a request is answered with 503, whatever it waits for.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What every process answers.
pub struct Api {
    pub readiness: Arc<dyn Readiness>,
    pub observe: Arc<dyn Observe>,
    /// `None` in a process that is a worker alone.
    pub calls: Option<Calls>,
}

/// What the calls under `/api/webhooks` need.
pub struct Calls {
    pub door: Arc<dyn Door>,
    pub catalog: Arc<dyn Catalog>,
    pub records: Arc<dyn Records>,
    pub retries: Arc<dyn Retries>,
    pub pacing: Arc<dyn Pacing>,
    pub checks: Arc<dyn Checks>,
    pub letters: Arc<dyn DeadLetters>,
    pub requeue: Arc<dyn Requeue>,
    /// Without any, the API is open to all that can reach it.
    pub tokens: Vec<Token>,
    pub max_event_bytes: usize,
    pub max_body_bytes: usize,
    pub defaults: EndpointDefaults,
    /// How long the answer to a request with an `Idempotency-Key` is kept.
    pub keep_keyed: Duration,
    /// Makes the id of an event that carries none.
    pub new_event_id: fn() -> String,
}

/// Answers until `stop`; then no new connections are taken, and requests that run are answered.
pub async fn serve(listener: TcpListener, api: Api, stop: CancellationToken) {
    let served = axum::serve(listener, router(api)).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "the HTTP server ended");
    }
}

/// Everything this process answers over HTTP.
pub fn router(api: Api) -> Router {
    router_within(api, REQUEST_TIMEOUT)
}

fn router_within(api: Api, timeout: Duration) -> Router {
    let (described, gate) = described(api, timeout);
    let max_body_bytes = gate.max_body_bytes();
    let (router, description) = described.split_for_parts();
    router
        .with_state(Published::new(description, gate.asks_for_tokens()))
        .fallback(|| async { ApiError::NotFound("call at this path") })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .layer(from_fn_with_state(Arc::new(gate), gate::pass))
}

/// Every call with its description. A worker alone has no calls, and so no page about them.
fn described(api: Api, timeout: Duration) -> (Described, gate::Gate) {
    let probes = probes::routes(api.readiness, api.observe);
    match api.calls {
        Some(calls) => {
            let all = probes.merge(openapi::routes()).nest("/api/webhooks", webhooks(&calls));
            (all, gate::Gate::new(&calls.tokens, calls.max_body_bytes, timeout))
        }
        None => (probes, gate::Gate::new(&[], 0, timeout)),
    }
}

fn webhooks(calls: &Calls) -> Described {
    let door = events::EventDoor {
        door: Arc::clone(&calls.door),
        max_event_bytes: calls.max_event_bytes,
        keep_keyed: calls.keep_keyed,
        new_event_id: calls.new_event_id,
    };
    let breakers = breakers::Breakers::new(Arc::clone(&calls.pacing));
    let desk = checks::Desk {
        catalog: Arc::clone(&calls.catalog),
        records: Arc::clone(&calls.records),
        checks: Arc::clone(&calls.checks),
        breakers: breakers.clone(),
        max_event_bytes: calls.max_event_bytes,
        new_event_id: calls.new_event_id,
    };
    let registry = endpoints::Registry {
        catalog: Arc::clone(&calls.catalog),
        records: Arc::clone(&calls.records),
        breakers,
        defaults: calls.defaults,
    };
    Described::new()
        .merge(events::routes(door))
        .merge(event_list::routes(Arc::clone(&calls.records)))
        .merge(event::routes(event::Shown { records: Arc::clone(&calls.records), max_event_bytes: calls.max_event_bytes }))
        .merge(endpoints::routes(registry))
        .merge(deliveries::routes(Arc::clone(&calls.records)))
        .merge(checks::routes(desk))
        .merge(retries::routes(Arc::clone(&calls.retries)))
        .merge(dead_letters::routes(dead_letters::Letters {
            letters: Arc::clone(&calls.letters),
            requeue: Arc::clone(&calls.requeue),
            max_event_bytes: calls.max_event_bytes,
        }))
        .merge(runs::routes(calls.records.clone()))
        .merge(stats::routes(Arc::clone(&calls.records)))
}
