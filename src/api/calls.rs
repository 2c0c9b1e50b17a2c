//! Every call that there is, and who may make it. The gate lets nobody through to a call that is not in this table, and a test of
//! every role and tenant goes through it, so that no call can be added without somebody deciding that.

use axum::http::Method;

use crate::model::token::Role;

/// What a call asks of a token's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Not even a token.
    Nothing,
    /// It only looks.
    Read,
    /// It enqueues events.
    Enqueue,
    /// It changes what others rely on.
    Admin,
}

impl Needs {
    /// The roles that may.
    #[must_use]
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Nothing => &[Role::Admin, Role::Enqueue, Role::Read],
            Self::Read => &[Role::Admin, Role::Read],
            Self::Enqueue => &[Role::Admin, Role::Enqueue],
            Self::Admin => &[Role::Admin],
        }
    }
}

/// One call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    /// As the router has it, with `{names}`.
    pub path: &'static str,
    pub needs: Needs,
}

const fn call(method: &'static str, path: &'static str, needs: Needs) -> Call {
    Call { method, path, needs }
}

/// All calls.
pub const CALLS: &[Call] = &[
    call("GET", "/health", Needs::Nothing),
    call("GET", "/ready", Needs::Nothing),
    call("GET", "/metrics", Needs::Nothing),
    call("GET", "/openapi.json", Needs::Nothing),
    call("GET", "/docs", Needs::Nothing),
    call("GET", "/api/webhooks/events", Needs::Read),
    call("POST", "/api/webhooks/events", Needs::Enqueue),
    call("GET", "/api/webhooks/events/{id}", Needs::Read),
    call("GET", "/api/webhooks/endpoints", Needs::Read),
    call("POST", "/api/webhooks/endpoints", Needs::Admin),
    call("GET", "/api/webhooks/endpoints/{id}", Needs::Read),
    call("PATCH", "/api/webhooks/endpoints/{id}", Needs::Admin),
    call("DELETE", "/api/webhooks/endpoints/{id}", Needs::Admin),
    call("POST", "/api/webhooks/endpoints/{id}/retry-failed", Needs::Admin),
    call("POST", "/api/webhooks/endpoints/{id}/rotate-secret", Needs::Admin),
    call("GET", "/api/webhooks/deliveries", Needs::Read),
    call("GET", "/api/webhooks/deliveries/{id}", Needs::Read),
    call("POST", "/api/webhooks/deliveries/{id}/retry", Needs::Admin),
    call("GET", "/api/webhooks/dead-letters", Needs::Read),
    call("DELETE", "/api/webhooks/dead-letters", Needs::Admin),
    call("POST", "/api/webhooks/dead-letters/requeue", Needs::Admin),
    call("GET", "/api/webhooks/runs", Needs::Read),
    call("GET", "/api/webhooks/runs/{id}", Needs::Read),
    call("POST", "/api/webhooks/runs/{id}/cancel", Needs::Admin),
    call("GET", "/api/webhooks/stats", Needs::Read),
    call("POST", "/api/webhooks/{endpoint_id}/test", Needs::Admin),
    call("GET", "/api/webhooks/{endpoint_id}/diagnose", Needs::Read),
];

/// What the table says of a request to `path`, as the router has it.
pub(super) enum Listed {
    As(Needs),
    /// The path is there, with other methods.
    OtherMethods,
    Nowhere,
}

pub(super) fn find(method: &Method, path: &str) -> Listed {
    // A HEAD is a GET whose body stays here.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut listed = Listed::Nowhere;
    for call in CALLS.iter().filter(|call| call.path == path) {
        if call.method == method {
            return Listed::As(call.needs);
        }
        listed = Listed::OtherMethods;
    }
    listed
}
