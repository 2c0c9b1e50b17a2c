//! From what was looked at to what is wrong, and what to do about it.

use std::time::Duration;

use chrono::TimeDelta;

use crate::api::breakers::{BreakerJson, State};
use crate::model::clock::Timestamp;
use crate::model::delivery::{DeliveryView, Status};
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{Failure, FailureKind};
use crate::model::reach::{Reach, Step};

/// How many of the latest deliveries are looked at.
pub(super) const RECENT: u32 = 10;
/// More failures than this among them are an issue.
const FAILURES: usize = 5;
/// A receiver that takes longer than this on average is slow.
const SLOW: f64 = 5.0;
const EXPIRY: TimeDelta = TimeDelta::days(14);
/// A backlog that takes longer than this to send is an issue.
const LONG: f64 = 60.0;

/// Deliveries that wait.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    pub(super) count: u32,
    /// There are more, which were not counted.
    pub(super) more: bool,
}

/// What was looked at.
pub(super) struct Facts<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) now: Timestamp,
    pub(super) reach: &'a Reach,
    /// Newest first.
    pub(super) recent: &'a [DeliveryView],
    pub(super) waiting: Waiting,
    /// `None` when it is not known.
    pub(super) breaker: Option<&'a BreakerJson>,
}

/// One issue with its recommendation.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) issue: String,
    pub(super) recommendation: String,
}

fn finding(issue: impl Into<String>, recommendation: impl Into<String>) -> Finding {
    Finding { issue: issue.into(), recommendation: recommendation.into() }
}

impl Facts<'_> {
    /// Everything that is wrong, nearest to the cause first.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let found = [
            self.inactive(),
            self.locked(),
            self.way(),
            self.some_blocked(),
            self.certificate(),
            self.head(),
            self.breaker(),
            self.slowed(),
        ];
        found.into_iter().chain([self.failures(), self.slow(), self.backlog()]).flatten().collect()
    }

    /// Recent deliveries that failed, or whose latest attempt did.
    pub(super) fn failed(&self) -> usize {
        self.recent.iter().filter(|delivery| matches!(delivery.status, Status::Failed | Status::Retrying)).count()
    }

    /// Mean response time of the recent deliveries, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "ten at most")]
    pub(super) fn mean(&self) -> Option<f64> {
        let times: Vec<_> = self.recent.iter().filter_map(|delivery| delivery.response_time).collect();
        (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64)
    }

    fn inactive(&self) -> Option<Finding> {
        let reason = match &self.endpoint.disabled_reason {
            _ if self.endpoint.spec.is_active => return None,
            Some(reason) => format!("the endpoint is disabled: {reason}"),
            None => "the endpoint is disabled by its owner".to_owned(),
        };
        let id = self.endpoint.id;
        let what = "when its receiver is well, set `is_active` to true and put what failed back";
        Some(finding(reason, format!("{what}: `posthaste endpoints update {id} --active true`, `posthaste endpoints retry-failed {id}`")))
    }

    fn locked(&self) -> Option<Finding> {
        let reason = self.endpoint.locked.as_ref()?;
        let recommendation = "let an operator add that key to security.master_key, in every process: what is owed waits until then";
        Some(finding(format!("nothing can be signed: {reason}"), recommendation))
    }

    fn way(&self) -> Option<Finding> {
        let (step, Failure { kind, detail }) = self.reach.failed.as_ref()?;
        let host = self.endpoint.spec.url.host_str().unwrap_or_default();
        let (issue, recommendation) = match (step, kind) {
            (_, FailureKind::Blocked) => (
                "requests to this address are not allowed".to_owned(),
                "use a public address, or let an operator add the network to guard.allow if it may be reached".to_owned(),
            ),
            (Step::Url, _) => ("no request can be made to this URL".to_owned(), "register another URL".to_owned()),
            (Step::Resolve, _) => (
                format!("{host} does not resolve"),
                "look for a typing error in the URL, and whether the name has an A or AAAA record that our name servers see".to_owned(),
            ),
            (Step::Connect, FailureKind::Timeout) => (
                format!("{host} does not answer on its port"),
                "look whether the receiver's firewall lets us in, and whether its address is right".to_owned(),
            ),
            (Step::Connect, _) => {
                (format!("{host} refuses connections"), "look whether the receiver runs, and listens on this port".to_owned())
            }
            (Step::Tls, _) => (
                format!("no TLS connection to {host}"),
                "renew or complete the receiver's certificate chain, for exactly this name; a private authority goes into tls.ca_files"
                    .to_owned(),
            ),
            (Step::Head, _) => (
                "the receiver takes connections and does not answer".to_owned(),
                "look whether its application runs behind the server that takes connections, and is not overloaded".to_owned(),
            ),
        };
        Some(finding(format!("{issue}: {detail}"), recommendation))
    }

    fn some_blocked(&self) -> Option<Finding> {
        let blocked: Vec<_> = self.reach.addresses.iter().filter_map(|(_, why)| why.as_deref()).collect();
        let all = blocked.len() == self.reach.addresses.len();
        (!all && !blocked.is_empty()).then(|| {
            finding(
                format!("some of its addresses must not be reached: {}", blocked.join("; ")),
                "let its name lead to public addresses alone, so that requests do not depend on the one that is picked",
            )
        })
    }

    fn certificate(&self) -> Option<Finding> {
        let until = self.reach.certificate_until?;
        let left = until - self.now;
        (left < EXPIRY).then(|| {
            let days = left.num_days();
            finding(
                format!("the receiver's certificate expires in {days} day{}", if days == 1 { "" } else { "s" }),
                "renew it: once it has expired, every attempt fails",
            )
        })
    }

    fn head(&self) -> Option<Finding> {
        let (status, took) = self.reach.head?;
        if status >= 500 {
            let issue = format!("the receiver answers a HEAD request with {status}");
            return Some(finding(issue, "look into the receiver's own log: it, or what stands in front of it, has trouble"));
        }
        (took > Duration::from_secs_f64(SLOW / 2.0)).then(|| {
            let issue = format!("the receiver took {:.1} s to answer a HEAD request", took.as_secs_f64());
            finding(issue, "look at its load, and let it answer before it works")
        })
    }

    fn breaker(&self) -> Option<Finding> {
        let breaker = self.breaker.filter(|breaker| breaker.state != State::Closed)?;
        let times = breaker.pauses;
        let issue = match &breaker.until {
            Some(until) => format!(
                "it is left alone until {until}, for the {} time in a row, since its attempts failed one after the other",
                ordinal(times)
            ),
            None => "it was left alone since its attempts failed one after the other, and the next request decides".to_owned(),
        };
        Some(finding(issue, "mend the receiver: one request tries it after each pause, and what waits is sent as soon as that succeeds"))
    }

    fn slowed(&self) -> Option<Finding> {
        let until = self.breaker?.slowed_until.as_ref()?;
        let issue = format!("the receiver asked to be left alone until {until} (Retry-After)");
        Some(finding(issue, "nothing needs to be done; if it asks often, give the endpoint a `rate_limit` or a smaller `in_flight`"))
    }

    fn failures(&self) -> Option<Finding> {
        let failed = self.failed();
        (failed > FAILURES).then(|| {
            let last = self.recent.iter().find_map(|delivery| delivery.error_message.as_deref()).unwrap_or("for different reasons");
            let issue = format!("{failed} of the last {} deliveries failed, the latest: {last}", self.recent.len());
            let list = format!("posthaste deliveries list --endpoint {} --status failed", self.endpoint.id);
            finding(issue, format!("look at their answers (`{list}`), mend the receiver, and put them back"))
        })
    }

    fn slow(&self) -> Option<Finding> {
        let mean = self.mean().filter(|mean| *mean > SLOW)?;
        let issue = format!("it takes {mean:.1} s to answer on average");
        Some(finding(issue, "let the receiver keep the event and answer at once, and do its work afterwards"))
    }

    fn backlog(&self) -> Option<Finding> {
        let Waiting { count, more } = self.waiting;
        let waits = format!("{}{count} deliveries wait", if more { "more than " } else { "" });
        match self.endpoint.spec.rate_limit {
            Some(limit) => {
                let seconds = f64::from(count) * limit.window / f64::from(limit.max_requests);
                let rate = format!("{} requests in {} s", limit.max_requests, limit.window);
                (seconds > LONG).then(|| {
                    let least = if more { "at least " } else { "" };
                    let issue = format!("{waits}, and at {rate} that takes {least}{:.0} minutes", (seconds / 60.0).ceil());
                    finding(issue, "raise `rate_limit` if the receiver can take more")
                })
            }
            None => more.then(|| {
                finding(
                    waits,
                    "if nothing else is wrong, the receiver is slower than its events come: raise `in_flight` if it can take more at once",
                )
            }),
        }
    }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests;
