//! The doors that events come in through, as JSON text whose bytes a test decides about.

use std::sync::Arc;

use ::redis::aio::MultiplexedConnection;

use super::eventually::{LONG, eventually};
use super::process::{Finished, Launch};
use super::received::Received;
use super::redis;
use super::world::{Stores, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Door 1: the list in Redis.
    List,
    /// Door 2: HTTP.
    Http,
}

impl World {
    /// The doors that this mode has for any program; embedded there is no Redis.
    pub(crate) fn doors(&self) -> Vec<Door> {
        match &self.stores {
            Stores::Production { .. } => vec![Door::List, Door::Http],
            Stores::Embedded { .. } => vec![Door::Http],
        }
    }

    /// Enqueues these events, at most 1,000, in one go.
    pub(crate) async fn enqueue(&self, door: Door, events: &[String]) {
        match door {
            Door::List => self.push(events).await,
            Door::Http => {
                self.api.post_text("/api/webhooks/events", &format!("[{}]", events.join(","))).await.expect(202);
            }
        }
    }

    /// Door 1 with entries of any bytes, each with an `LPUSH` of its own.
    pub(crate) async fn push_bytes(&self, entries: &[Vec<u8>]) {
        let mut pipe = ::redis::pipe();
        for entry in entries {
            pipe.lpush(self.key("webhook_events"), entry).ignore();
        }
        pipe.query_async::<()>(&mut self.redis().await).await.expect("Redis runs");
    }

    /// Door 4: `posthaste events send` with these arguments, against this program.
    pub(crate) async fn events_send(&self, args: &[&str]) -> Finished {
        let launch = Launch::new(["events", "send"].into_iter().chain(args.iter().copied()));
        launch.set("POSTHASTE_SERVER", &self.app.url()).finish().await
    }

    /// A connection for the test's own commands.
    pub(crate) async fn redis(&self) -> MultiplexedConnection {
        let Stores::Production { redis_url, .. } = &self.stores else { panic!("embedded there is no Redis") };
        redis::connect(redis_url).await.expect("Redis runs")
    }

    /// The name of a key, prefix included.
    pub(crate) fn key(&self, name: &str) -> String {
        let Stores::Production { prefix, .. } = &self.stores else { panic!("embedded there is no Redis") };
        format!("{prefix}{name}")
    }

    /// Waits for the first request that an event causes.
    pub(crate) async fn arrived(&self, event_id: &str) -> Arc<Received> {
        let first = |requests: &[Arc<Received>]| requests.iter().find(|request| request.event_id() == event_id).cloned();
        eventually(LONG, async || first(&self.receiver.requests())).await
    }
}
