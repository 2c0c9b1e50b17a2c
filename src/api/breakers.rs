//! Which endpoints are left alone at the moment, as all workers know it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::views::time;
use crate::model::clock::{self, Timestamp};
use crate::ports::{Pacing, Pauses, Why};

/// A queue that is away must not hold up what the records know.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is paused, read anew only when it changed.
#[derive(Clone)]
pub(super) struct Breakers {
    pacing: Arc<dyn Pacing>,
    known: Arc<Mutex<Arc<Known>>>,
}

#[derive(Default)]
struct Known {
    revision: u64,
    endpoints: HashMap<i64, Paused>,
}

#[derive(Default, Clone, Copy)]
struct Paused {
    broken: Option<Broken>,
    slowed_until: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Broken {
    until: Timestamp,
    probing: bool,
    times: u32,
}

/// Whether deliveries of an endpoint are held back, and until when.
#[derive(Serialize, ToSchema, Clone)]
#[schema(as = Breaker)]
pub(super) struct BreakerJson {
    pub(super) state: State,
    /// The end of the pause of one that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, required = false)]
    pub(super) until: Option<String>,
    /// How many pauses there were since it was well.
    pub(super) pauses: u32,
    /// The receiver asked to be left alone until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, required = false)]
    pub(super) slowed_until: Option<String>,
}

/// `closed`: deliveries are sent; `open`: nothing is sent; `half_open`: one request decides.
#[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schema(as = BreakerState)]
pub(super) enum State {
    Closed,
    /// Nothing is sent.
    Open,
    /// One request decides.
    HalfOpen,
}

impl Breakers {
    pub(super) fn new(pacing: Arc<dyn Pacing>) -> Self {
        Self { pacing, known: Arc::default() }
    }

    /// The state of these endpoints' breakers, in order; `None` while the queue cannot be asked.
    pub(super) async fn of(&self, endpoints: &[i64]) -> Vec<Option<BreakerJson>> {
        let known = self.read().await;
        let now = clock::now();
        endpoints.iter().map(|id| known.as_ref().map(|known| known.endpoints.get(id).copied().unwrap_or_default().json(now))).collect()
    }

    pub(super) async fn one(&self, endpoint: i64) -> Option<BreakerJson> {
        self.of(&[endpoint]).await.pop().flatten()
    }

    async fn read(&self) -> Option<Arc<Known>> {
        let known = Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::time::timeout(PATIENCE, self.pacing.pauses(known.revision)).await {
            Ok(Ok(None)) => Some(known),
            Ok(Ok(Some(pauses))) => {
                let read = Arc::new(Known::new(pauses));
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&read);
                Some(read)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the state of breakers is not known");
                None
            }
            Err(_elapsed) => None,
        }
    }
}

impl Known {
    fn new(pauses: Pauses) -> Self {
        let now = clock::now();
        let mut endpoints: HashMap<i64, Paused> = HashMap::with_capacity(pauses.paused.len());
        for pause in pauses.paused {
            let paused = endpoints.entry(pause.endpoint_id).or_default();
            let until = clock::after(now, pause.lasts);
            match pause.why {
                Why::Broken => paused.broken = Some(Broken { until, probing: pause.probing, times: pause.times }),
                Why::Slowed => paused.slowed_until = Some(until),
            }
        }
        Self { revision: pauses.revision, endpoints }
    }
}

impl Paused {
    fn json(self, now: Timestamp) -> BreakerJson {
        let slowed_until = self.slowed_until.filter(|until| *until > now).map(time);
        match self.broken {
            None => BreakerJson { state: State::Closed, until: None, pauses: 0, slowed_until },
            Some(broken) => {
                let open = !broken.probing && broken.until > now;
                let state = if open { State::Open } else { State::HalfOpen };
                BreakerJson { state, until: open.then(|| time(broken.until)), pauses: broken.times, slowed_until }
            }
        }
    }
}
