//! What an answer means for its delivery: the contract's section 5 as a pure function.

use std::time::Duration;

use super::patience;
use crate::config::RetrySettings;
use crate::model::clock::{self, Timestamp};
use crate::model::endpoint::EndpointSpec;
use crate::model::outcome::Outcome;

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    RetryAt(Timestamp),
    /// Attempts ran out.
    Failed,
    /// The receiver wants no more of any event.
    Gone,
}

/// Decides after attempt number `attempt` (1, 2, 3 …), which ended at `now`.
pub(super) fn verdict(spec: &EndpointSpec, retry: RetrySettings, attempt: u32, outcome: &Outcome, now: Timestamp) -> Verdict {
    if outcome.is_success() {
        return Verdict::Delivered;
    }
    let mut asked = Duration::ZERO;
    if let Outcome::Answered(answer) = outcome {
        if answer.status == 410 {
            return Verdict::Gone;
        }
        asked = answer.retry_after.unwrap_or_default().min(retry.max_delay);
    }
    if attempt >= spec.attempts() {
        return Verdict::Failed;
    }
    let planned = match &spec.retry_schedule {
        // The schedule is what its owner wrote: jitter keeps it apart from others, and no limit shortens it.
        Some(schedule) => {
            let seconds = schedule.get(attempt as usize - 1).copied().unwrap_or_default();
            patience::jittered(Duration::try_from_secs_f64(seconds).unwrap_or(retry.max_delay), retry.jitter)
        }
        None => patience::retry_interval(spec.retry_delay, attempt, retry.jitter, retry.max_delay),
    };
    Verdict::RetryAt(clock::after(now, planned.max(asked)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::{EndpointDefaults, EndpointDraft};
    use crate::model::outcome::{Answer, Failure, FailureKind};

    const RETRY: RetrySettings = RetrySettings { jitter: 0.0, max_delay: Duration::from_secs(21_600) };

    fn spec(extra: &str) -> EndpointSpec {
        let json = format!(r#"{{"name":"n","url":"https://example.com/","event_types":["*"]{extra}}}"#);
        let defaults = EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };
        serde_json::from_str::<EndpointDraft>(&json).expect("JSON").into_new(defaults).expect("valid").spec
    }

    fn status(status: u16) -> Outcome {
        Outcome::Answered(Answer { status, body: String::new(), retry_after: None })
    }

    fn waits(spec: &EndpointSpec, attempt: u32, outcome: &Outcome) -> Option<i64> {
        let now = clock::from_unix_seconds(1_000_000.0);
        match verdict(spec, RETRY, attempt, outcome, now) {
            Verdict::RetryAt(at) => Some((at - now).num_seconds()),
            _ => None,
        }
    }

    #[test]
    fn only_2xx_is_delivered_and_410_is_final() {
        let now = clock::from_unix_seconds(0.0);
        for code in [200, 204, 299] {
            assert_eq!(verdict(&spec(""), RETRY, 1, &status(code), now), Verdict::Delivered);
        }
        assert_eq!(verdict(&spec(""), RETRY, 1, &status(410), now), Verdict::Gone);
        for code in [199, 301, 302, 400, 404, 429, 500, 503] {
            assert!(matches!(verdict(&spec(""), RETRY, 1, &status(code), now), Verdict::RetryAt(_)), "{code}");
        }
        let refused = Outcome::Failed(Failure { kind: FailureKind::Refused, detail: String::new() });
        assert!(matches!(verdict(&spec(""), RETRY, 1, &refused, now), Verdict::RetryAt(_)));
    }

    #[test]
    fn max_retries_counts_attempts_and_delays_double() {
        let spec = spec(r#","max_retries":4,"retry_delay":10"#);
        let failed = status(500);
        assert_eq!([1, 2, 3, 4, 5].map(|attempt| waits(&spec, attempt, &failed)), [Some(10), Some(20), Some(40), None, None]);
    }

    #[test]
    fn an_endpoints_own_schedule_replaces_both() {
        let spec = spec(r#","retry_schedule":[5,300],"max_retries":1"#);
        assert_eq!([1, 2, 3].map(|attempt| waits(&spec, attempt, &status(500))), [Some(5), Some(300), None]);
    }

    #[test]
    fn retry_after_delays_but_never_hurries_and_has_a_limit() {
        let asked =
            |seconds| Outcome::Answered(Answer { status: 503, body: String::new(), retry_after: Some(Duration::from_secs(seconds)) });
        assert_eq!(waits(&spec(""), 1, &asked(5)), Some(60));
        assert_eq!(waits(&spec(""), 1, &asked(500)), Some(500));
        assert_eq!(waits(&spec(""), 1, &asked(1_000_000)), Some(21_600));
    }
}
