//! Requests that somebody asks for and waits for.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::endpoint::Endpoint;
use crate::model::event::Event;
use crate::model::outcome::Attempt;
use crate::model::reach::Reach;
use crate::ports::Checks;
use crate::sender::{Sender, Target};

/// Whoever asked waits no longer than the API does.
const MOST: Duration = Duration::from_secs(25);

/// [`Checks`] over the sender.
pub struct Checker {
    pub sender: Sender,
}

#[async_trait]
impl Checks for Checker {
    async fn test(&self, endpoint: &Endpoint, event: &Event) -> Attempt {
        let mut endpoint = endpoint.clone();
        endpoint.spec.timeout = endpoint.spec.timeout.min(MOST);
        self.sender.test(Target::new(&endpoint), event).await
    }

    async fn reach(&self, endpoint: &Endpoint) -> Reach {
        self.sender.reach(&Target::new(endpoint)).await
    }
}
