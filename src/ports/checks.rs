//! What can be asked of an endpoint at once, beside the road.

use async_trait::async_trait;

use crate::model::endpoint::Endpoint;
use crate::model::event::Event;
use crate::model::outcome::Attempt;
use crate::model::reach::Reach;

/// Requests to a receiver that are no deliveries: nothing of them is recorded, counted or repeated, and neither a rate limit nor a breaker holds
/// them up. The address guard holds all the same.
#[async_trait]
pub trait Checks: Send + Sync {
    /// Sends the event now, signed and marked as a test. Ends within the endpoint's timeout, or 25 s where that is longer.
    async fn test(&self, endpoint: &Endpoint, event: &Event) -> Attempt;

    /// Looks how far a request to the endpoint would get. Each step takes 5 s at most.
    async fn reach(&self, endpoint: &Endpoint) -> Reach;
}
