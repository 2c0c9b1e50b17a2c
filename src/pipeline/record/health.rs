//! Which endpoints fail, and for how long. What one success ends is kept here, and only what lasts is written down: an
//! endpoint that fails now and then costs next to nothing.

use std::collections::HashMap;
use std::time::Duration;

use chrono::SecondsFormat;

use crate::model::clock::Timestamp;
use crate::model::endpoint::Endpoint;

/// How long an endpoint fails before that is written down.
const LASTING: Duration = Duration::from_secs(60);

/// What follows for an endpoint from the attempts of one commit.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// An attempt succeeded at that time.
    Recovered { at: Timestamp, failing_since: Option<Timestamp> },
    /// `failing_since` is `None` where the receiver asked for it.
    Disabled { failing_since: Option<Timestamp>, reason: String },
}

pub(super) struct Health {
    /// `None`: never.
    disable_after: Option<Duration>,
    lasting: Duration,
    /// The first failure since the last success here, of endpoints of which nothing is written down. No more than there are endpoints.
    failing: HashMap<i64, Timestamp>,
    /// With whether an operational delivery was what caused it.
    changes: HashMap<i64, (Change, bool)>,
    looked_at: Timestamp,
}

impl Health {
    /// `disable_after`: zero is never.
    pub(super) fn new(disable_after: Duration) -> Self {
        let disable_after = (!disable_after.is_zero()).then_some(disable_after);
        let lasting = disable_after.map_or(LASTING, |after| LASTING.min(after / 10));
        Self { disable_after, lasting, failing: HashMap::new(), changes: HashMap::new(), looked_at: Timestamp::MIN_UTC }
    }

    /// How long until something that fails may have lasted; `None` when nothing does.
    pub(super) fn interval(&self) -> Option<Duration> {
        (!self.failing.is_empty()).then_some((self.lasting / 4).max(Duration::from_millis(1)))
    }

    /// An attempt succeeded. `operational`: its event is one of our own.
    pub(super) fn succeeded(&mut self, endpoint: &Endpoint, at: Timestamp, operational: bool) {
        self.failing.remove(&endpoint.id);
        // Where the receiver asked to be left alone meanwhile, that holds; and the first success is what ends the failing.
        let kept = match self.changes.get(&endpoint.id) {
            Some((Change::Disabled { failing_since, .. }, _)) => failing_since.is_none(),
            Some((Change::Recovered { .. }, _)) => true,
            None => false,
        };
        if !kept && endpoint.spec.is_active && (endpoint.failing_since.is_some() || endpoint.recovering) {
            self.changes.insert(endpoint.id, (Change::Recovered { at, failing_since: endpoint.failing_since }, operational));
        }
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, endpoint: &Endpoint, at: Timestamp, error: &str, operational: bool) {
        let decided = match self.changes.get(&endpoint.id) {
            Some((Change::Disabled { .. }, _)) => return,
            Some((Change::Recovered { .. }, _)) => true,
            None => false,
        };
        if !endpoint.spec.is_active {
            return;
        }
        match (endpoint.failing_since.filter(|_| !decided), self.disable_after) {
            (Some(since), Some(after)) if lasted(since, at) >= after => {
                let reason = format!(
                    "no delivery succeeded since {} ({}): the last error was: {error}",
                    since.to_rfc3339_opts(SecondsFormat::Secs, true),
                    in_words(lasted(since, at))
                );
                self.changes.insert(endpoint.id, (Change::Disabled { failing_since: Some(since), reason }, operational));
            }
            (Some(_), _) => {}
            (None, _) => {
                self.failing.entry(endpoint.id).or_insert(at);
            }
        }
    }

    /// The receiver asked to be left alone.
    pub(super) fn gone(&mut self, endpoint_id: i64, reason: &str, operational: bool) {
        if let Some((Change::Disabled { failing_since: None, .. }, _)) = self.changes.get(&endpoint_id) {
            return;
        }
        let change = Change::Disabled { failing_since: None, reason: reason.to_owned() };
        self.changes.insert(endpoint_id, (change, operational));
    }

    /// What is to be written down: endpoints that have failed for long enough, and since when. `known` says what is written
    /// down of an endpoint already; `None` for one that is not active.
    pub(super) fn lasting(&mut self, now: Timestamp, known: impl Fn(i64) -> Option<Option<Timestamp>>) -> Vec<(i64, Timestamp)> {
        if self.interval().is_none_or(|interval| lasted(self.looked_at, now) < interval) {
            return Vec::new();
        }
        self.looked_at = now;
        let mut written = Vec::new();
        let (changes, lasting) = (&self.changes, self.lasting);
        // Of what is written down here, the index will know: it is read anew after the commit.
        self.failing.retain(|id, since| {
            let unknown = known(*id) == Some(None) || changes.contains_key(id);
            let ripe = unknown && lasted(*since, now) >= lasting;
            if ripe {
                written.push((*id, *since));
            }
            unknown && !ripe
        });
        written
    }

    /// The changes of one commit, each with whether an operational delivery was what caused it.
    pub(super) fn changes(&mut self) -> Vec<(i64, Change, bool)> {
        self.changes.drain().map(|(id, (change, operational))| (id, change, operational)).collect()
    }
}

fn lasted(since: Timestamp, until: Timestamp) -> Duration {
    (until - since).to_std().unwrap_or_default()
}

/// `5 days`, `36 hours`, `1 second`: in the largest unit of which there are two.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= 2 * size).unwrap_or((1, "second"));
    let number = seconds / size;
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock::{self, from_unix_seconds};
    use crate::model::endpoint::{EndpointDefaults, EndpointDraft};
    use crate::model::secret::Secret;

    const AFTER: Duration = Duration::from_secs(1000);

    fn at(second: u32) -> Timestamp {
        clock::after(from_unix_seconds(1_767_323_000.0), Duration::from_secs(second.into()))
    }

    fn endpoint(failing_since: Option<Timestamp>) -> Endpoint {
        let json = r#"{"name":"n","url":"https://example.com/","event_types":["*"]}"#;
        let defaults = EndpointDefaults { timeout: AFTER, max_retries: 3, retry_delay: AFTER };
        let new = serde_json::from_str::<EndpointDraft>(json).expect("JSON").into_new(defaults).expect("valid");
        let secret = Secret::new("secret-secret".into());
        Endpoint { failing_since, ..Endpoint::new(1, new.tenant, new.spec, secret, at(0)) }
    }

    fn recovered(at: Timestamp, failing_since: Option<Timestamp>) -> (i64, Change, bool) {
        (1, Change::Recovered { at, failing_since }, false)
    }

    #[test]
    fn what_fails_for_a_minute_is_written_down_with_its_first_failure() {
        let (mut health, well) = (Health::new(AFTER), endpoint(None));
        assert_eq!(health.interval(), None);
        for second in 1..3 {
            health.failed(&well, at(second), "500", false);
        }
        assert_eq!(health.interval(), Some(Duration::from_secs(15)));
        assert_eq!(health.lasting(at(60), |_| Some(None)), []);
        assert_eq!(health.lasting(at(62), |_| Some(None)), [], "it was looked at just now");
        assert_eq!(health.lasting(at(75), |_| Some(None)), [(1, at(1))]);
        assert_eq!((health.interval(), health.changes()), (None, vec![]));
    }

    #[test]
    fn a_success_within_the_minute_costs_nothing() {
        let (mut health, well) = (Health::new(AFTER), endpoint(None));
        health.failed(&well, at(1), "500", false);
        health.succeeded(&well, at(2), false);
        assert_eq!((health.lasting(at(100), |_| Some(None)), health.changes()), (vec![], vec![]));
    }

    #[test]
    fn what_is_written_down_already_or_inactive_is_not_kept() {
        for known in [None, Some(Some(at(0)))] {
            let mut health = Health::new(AFTER);
            health.failed(&endpoint(None), at(1), "500", false);
            assert_eq!(health.lasting(at(100), |_| known), []);
            assert_eq!(health.interval(), None);
        }
    }

    #[test]
    fn a_short_limit_has_a_shorter_minute_and_none_has_a_whole_one() {
        assert_eq!(Health::new(Duration::from_secs(1)).lasting, Duration::from_millis(100));
        assert_eq!(Health::new(Duration::from_secs(432_000)).lasting, LASTING);
        assert_eq!(Health::new(Duration::ZERO).lasting, LASTING);
    }

    #[test]
    fn an_endpoint_that_failed_for_too_long_is_disabled_with_its_last_error() {
        let (mut health, failing) = (Health::new(AFTER), endpoint(Some(at(0))));
        health.failed(&failing, at(999), "500", false);
        assert_eq!(health.changes(), []);
        health.failed(&failing, at(1000), "the receiver answered 500", false);
        health.failed(&failing, at(1001), "timeout", false);
        let reason = "no delivery succeeded since 2026-01-02T03:03:20Z (16 minutes): the last error was: the receiver answered 500".into();
        assert_eq!(health.changes(), [(1, Change::Disabled { failing_since: Some(at(0)), reason }, false)]);
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let mut health = Health::new(Duration::ZERO);
        health.failed(&endpoint(Some(at(0))), at(4_000_000_000), "500", false);
        assert_eq!(health.changes(), []);
    }

    #[test]
    fn a_success_goes_before_failures_of_the_same_commit() {
        let failing = endpoint(Some(at(0)));
        for order in [[1, 2, 3], [2, 1, 3], [2, 3, 1]] {
            let mut health = Health::new(AFTER);
            for number in order {
                match number {
                    1 => health.succeeded(&failing, at(1500), false),
                    _ => health.failed(&failing, at(1600), "500", false),
                }
            }
            assert_eq!(health.changes(), [recovered(at(1500), Some(at(0)))], "{order:?}");
        }
    }

    #[test]
    fn the_first_success_after_being_enabled_again_is_a_recovery() {
        let mut health = Health::new(AFTER);
        let enabled = Endpoint { recovering: true, ..endpoint(None) };
        health.succeeded(&enabled, at(5), false);
        health.succeeded(&enabled, at(6), true);
        assert_eq!(health.changes(), [recovered(at(5), None)]);
    }

    #[test]
    fn who_asked_to_be_left_alone_is_whatever_else_happened() {
        let failing = endpoint(Some(at(0)));
        let mut health = Health::new(AFTER);
        health.succeeded(&failing, at(1), false);
        health.gone(1, "410", false);
        health.gone(1, "again", true);
        health.succeeded(&failing, at(2), false);
        health.failed(&failing, at(2000), "500", false);
        assert_eq!(health.changes(), [(1, Change::Disabled { failing_since: None, reason: "410".into() }, false)]);
    }

    #[test]
    fn an_inactive_endpoint_does_not_change() {
        let mut health = Health::new(AFTER);
        let mut inactive = Endpoint { recovering: true, ..endpoint(Some(at(0))) };
        inactive.spec.is_active = false;
        health.succeeded(&inactive, at(1), false);
        health.failed(&inactive, at(2000), "500", false);
        assert_eq!((health.changes(), health.interval()), (vec![], None));
    }

    #[test]
    fn times_are_told_in_units_that_people_use() {
        let told = [1, 59, 119, 120, 7199, 7200, 172_799, 432_000].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(told, ["1 second", "59 seconds", "119 seconds", "2 minutes", "119 minutes", "2 hours", "47 hours", "5 days"]);
    }
}
