//! What stands between us and a receiver, as far as one can look without sending a delivery.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::clock::Timestamp;
use crate::model::outcome::Failure;

/// One look at the way to a receiver, step by step. What comes after the first step that failed was not looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reach {
    /// Where the name leads, with the reason for each address that requests must not reach.
    pub addresses: Vec<(IpAddr, Option<String>)>,
    /// How long TCP took.
    pub connected: Option<Duration>,
    /// Until when the receiver's certificate is valid; `None` too where there is no TLS.
    pub certificate_until: Option<Timestamp>,
    /// The status that answered a HEAD request, and how long that took over a connection of its own.
    pub head: Option<(u16, Duration)>,
    pub failed: Option<(Step, Failure)>,
}

/// A step on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Url,
    Resolve,
    Connect,
    Tls,
    Head,
}
