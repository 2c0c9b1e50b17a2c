//! Checks that answer at once.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::clock;
use crate::model::endpoint::Endpoint;
use crate::model::event::Event;
use crate::model::outcome::{Answer, Attempt, Outcome};
use crate::model::reach::Reach;
use crate::ports::Checks;

#[derive(Default)]
pub(in crate::api::tests) struct FakeChecks {
    pub(in crate::api::tests) outcome: Mutex<Option<Outcome>>,
}

#[async_trait]
impl Checks for FakeChecks {
    async fn test(&self, _: &Endpoint, _: &Event) -> Attempt {
        let answer = Outcome::Answered(Answer { status: 200, body: "thanks".into(), retry_after: None });
        let outcome = self.outcome.lock().expect("a lock").take().unwrap_or(answer);
        Attempt { started_at: clock::now(), took: Duration::from_millis(5), outcome }
    }

    async fn reach(&self, _: &Endpoint) -> Reach {
        Reach::default()
    }
}
