//! Prints every change of every delivery, and in the end what to try next.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::model::delivery::{DeliveryFilter, DeliveryId, DeliveryView, Status};
use crate::ports::{BackendError, Records};

/// How often changes are looked for.
const LOOK: Duration = Duration::from_millis(100);
const LIMIT: u32 = 500;

pub(super) struct Show {
    out: Box<dyn Write + Send + Sync>,
    /// Attempts and status as last printed.
    shown: HashMap<DeliveryId, (u32, Status)>,
}

impl Show {
    pub(super) fn new(out: Box<dyn Write + Send + Sync>) -> Self {
        Self { out, shown: HashMap::new() }
    }

    pub(super) fn line(&mut self, text: &str) -> std::io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Prints changes for ever; says what to try next once the deliveries of these events have all ended.
    pub(super) async fn follow(&mut self, records: &dyn Records, events: &[String], api: SocketAddr) -> Result<(), super::Trouble> {
        let mut done = false;
        loop {
            let mut page = self.page(records).await?;
            page.reverse();
            for delivery in &page {
                self.changed(delivery)?;
            }
            let ours = || page.iter().filter(|delivery| events.contains(&delivery.event_id));
            let all_there = events.iter().all(|event| ours().any(|delivery| delivery.event_id == *event));
            if !done && all_there && ours().all(|delivery| !delivery.status.is_waiting()) {
                done = true;
                self.line(&next_steps(api))?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn page(&self, records: &dyn Records) -> Result<Vec<DeliveryView>, BackendError> {
        Ok(records.deliveries(&DeliveryFilter::default(), None, LIMIT).await?.items)
    }

    fn changed(&mut self, delivery: &DeliveryView) -> std::io::Result<()> {
        let now = (delivery.attempt_count, delivery.status);
        if self.shown.insert(delivery.id, now) == Some(now) || delivery.attempt_count == 0 {
            return Ok(());
        }
        let answer = match (delivery.response_status, &delivery.error_message) {
            (Some(status), _) => format!("answered {status}"),
            (None, Some(error)) => error.clone(),
            (None, None) => "no answer".into(),
        };
        let follows = match (delivery.status, delivery.next_retry_at) {
            (Status::Retrying, Some(at)) => {
                format!("tried again in {:.1} s", (at - crate::model::clock::now()).as_seconds_f64().max(0.0))
            }
            (Status::Failed, _) if delivery.response_status == Some(410) => "failed, and the endpoint is disabled".into(),
            (status, _) => status.as_str().into(),
        };
        let DeliveryView { event_id, event_type, endpoint_name, attempt_count, .. } = delivery;
        self.line(&format!("  {event_id:<8} {event_type:<18} {endpoint_name:<8} attempt {attempt_count}: {answer:<13} {follows}"))
    }
}

fn next_steps(api: SocketAddr) -> String {
    format!(
        r#"
All have ended. Try next, while this runs:

  enqueue an event of your own, and watch it arrive here
    curl -s http://{api}/api/webhooks/events -H 'Content-Type: application/json' \
      -d '{{"event_type": "order.created", "data": {{"order": 1003}}}}'

  list the deliveries, and look at one with its attempts
    curl -s http://{api}/api/webhooks/deliveries
    curl -s http://{api}/api/webhooks/deliveries/ID

  register an endpoint of your own
    curl -s http://{api}/api/webhooks/endpoints -H 'Content-Type: application/json' \
      -d '{{"name": "mine", "url": "http://127.0.0.1:9000/", "event_types": ["*"]}}'

Stop with Ctrl-C; the demo's data goes with it. `posthaste dev` without --demo keeps its data in posthaste.sqlite."#
    )
}
