use super::*;
use crate::api::breakers::State;
use crate::model::clock;
use crate::model::endpoint::{EndpointDefaults, EndpointDraft};
use crate::model::secret::Secret;

const NOW: f64 = 1_763_757_296.0;

fn endpoint(extra: &str) -> Endpoint {
    let json = format!(r#"{{"name":"shop","url":"https://shop.example/hooks","event_types":["*"]{extra}}}"#);
    let defaults = EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };
    let new = serde_json::from_str::<EndpointDraft>(&json).expect("JSON").into_new(defaults).expect("valid");
    Endpoint::new(7, new.tenant, new.spec, Secret::new("whsec_bWFkZQ==".into()), clock::from_unix_seconds(NOW))
}

fn delivery(status: Status, response_time: Option<f64>) -> DeliveryView {
    let failed = status == Status::Failed;
    let now = clock::from_unix_seconds(NOW);
    DeliveryView {
        id: "01981f3c-5a2b-7000-8000-000000000000".parse().expect("an id"),
        tenant: "default".into(),
        event_id: "e".into(),
        event_type: "a".into(),
        endpoint_id: 7,
        endpoint_name: "shop".into(),
        status,
        attempt_count: 1,
        last_attempt_at: Some(now),
        response_status: None,
        response_body: None,
        response_time,
        error_message: failed.then(|| "the receiver answered 500".into()),
        next_retry_at: None,
        created_at: now,
    }
}

fn failed(step: Step, kind: FailureKind) -> Reach {
    Reach { failed: Some((step, Failure { kind, detail: "the detail".into() })), ..Reach::default() }
}

fn breaker(state: State, until: Option<&str>, slowed_until: Option<&str>) -> BreakerJson {
    BreakerJson { state, until: until.map(str::to_owned), pauses: 2, slowed_until: slowed_until.map(str::to_owned) }
}

/// An endpoint with which all is well, but for what a test puts in.
struct Case {
    endpoint: Endpoint,
    reach: Reach,
    recent: Vec<DeliveryView>,
    waiting: Waiting,
    breaker: BreakerJson,
}

impl Default for Case {
    fn default() -> Self {
        let now = clock::from_unix_seconds(NOW);
        let reach = Reach {
            addresses: vec![([203, 0, 113, 7].into(), None)],
            connected: Some(Duration::from_millis(3)),
            certificate_until: Some(now + TimeDelta::days(60)),
            head: Some((405, Duration::from_millis(20))),
            failed: None,
        };
        let recent = vec![delivery(Status::Delivered, Some(0.2)); 10];
        let waiting = Waiting { count: 3, more: false };
        Self { endpoint: endpoint(""), reach, recent, waiting, breaker: breaker(State::Closed, None, None) }
    }
}

impl Case {
    fn facts(&self) -> Facts<'_> {
        let now = clock::from_unix_seconds(NOW);
        let Self { endpoint, reach, recent, waiting, breaker } = self;
        Facts { endpoint, now, reach, recent, waiting: *waiting, breaker: Some(breaker) }
    }

    /// The one issue that is found, with its recommendation.
    fn one(&self) -> (String, String) {
        let mut found = self.facts().findings();
        assert_eq!(found.len(), 1, "{found:?}");
        let found = found.remove(0);
        (found.issue, found.recommendation)
    }
}

#[test]
fn an_endpoint_that_is_well_has_no_issues() {
    assert_eq!(Case::default().facts().findings(), []);
}

#[test]
fn each_step_on_the_way_has_its_own_words() {
    use FailureKind::{Blocked, Dns, Protocol, Refused, Reset, Timeout, Tls};
    let table = [
        (Step::Url, Blocked, "not allowed", "guard.allow"),
        (Step::Url, Protocol, "no request can be made", "another URL"),
        (Step::Resolve, Dns, "shop.example does not resolve", "typing error"),
        (Step::Resolve, Blocked, "not allowed", "public address"),
        (Step::Connect, Timeout, "does not answer on its port", "firewall"),
        (Step::Connect, Refused, "refuses connections", "listens on this port"),
        (Step::Tls, Tls, "no TLS connection", "certificate chain"),
        (Step::Head, Timeout, "does not answer", "application runs"),
        (Step::Head, Reset, "does not answer", "application runs"),
    ];
    for (step, kind, issue, recommendation) in table {
        let case = Case { reach: failed(step, kind), ..Case::default() };
        let found = case.one();
        assert!(found.0.contains(issue) && found.0.ends_with(": the detail") && found.1.contains(recommendation), "{found:?}");
    }
}

#[test]
fn a_certificate_that_ends_within_two_weeks_is_an_issue() {
    let with = |left: TimeDelta| {
        let mut case = Case::default();
        case.reach.certificate_until = Some(clock::from_unix_seconds(NOW) + left);
        case
    };
    assert_eq!(with(TimeDelta::days(14)).facts().findings(), []);
    assert_eq!(with(TimeDelta::days(14) - TimeDelta::seconds(1)).one().0, "the receiver's certificate expires in 13 days");
    assert_eq!(with(TimeDelta::days(1)).one().0, "the receiver's certificate expires in 1 day");
}

#[test]
fn an_address_that_must_not_be_reached_is_an_issue_beside_one_that_may() {
    let mut case = Case::default();
    case.reach.addresses.push(([10, 0, 0, 1].into(), Some("10.0.0.1 is private".into())));
    assert!(case.one().0.ends_with("10.0.0.1 is private"));
}

#[test]
fn a_head_request_tells_of_trouble_and_of_slowness() {
    let with = |status, millis| {
        let mut case = Case::default();
        case.reach.head = Some((status, Duration::from_millis(millis)));
        case
    };
    assert_eq!(with(404, 2500).facts().findings(), [], "receivers need not know HEAD");
    assert!(with(503, 10).one().0.contains("503"));
    assert!(with(200, 2501).one().0.contains("2.5 s"));
}

#[test]
fn more_than_five_failures_of_ten_and_five_seconds_on_average_are_issues() {
    let with = |failed: usize, seconds: f64| {
        let mut recent = vec![delivery(Status::Failed, Some(seconds)); failed];
        recent.resize(10, delivery(Status::Delivered, Some(seconds)));
        Case { recent, ..Case::default() }
    };
    assert_eq!(with(5, 5.0).facts().findings(), []);
    assert_eq!(with(5, 5.0).facts().mean(), Some(5.0));
    assert_eq!(with(6, 1.0).one().0, "6 of the last 10 deliveries failed, the latest: the receiver answered 500");
    assert_eq!(with(0, 5.1).one().0, "it takes 5.1 s to answer on average");
    assert_eq!(Case { recent: vec![], ..Case::default() }.facts().mean(), None);
}

#[test]
fn what_holds_deliveries_back_is_named() {
    let with = |breaker| Case { breaker, ..Case::default() };
    assert!(with(breaker(State::Open, Some("noon"), None)).one().0.starts_with("it is left alone until noon, for the 2nd time"));
    assert!(with(breaker(State::HalfOpen, None, None)).one().0.contains("the next request decides"));
    assert!(with(breaker(State::Closed, None, Some("noon"))).one().0.contains("until noon (Retry-After)"));
    let disabled = |reason: Option<&str>| {
        let mut case = Case { endpoint: endpoint(r#","is_active":false"#), ..Case::default() };
        case.endpoint.disabled_reason = reason.map(str::to_owned);
        case.one()
    };
    assert_eq!(disabled(Some("it answered 410")).0, "the endpoint is disabled: it answered 410");
    assert!(disabled(None).1.contains("posthaste endpoints update 7 --active true"));
}

#[test]
fn a_backlog_is_measured_by_the_rate_limit() {
    let with = |limit: &str, count, more| Case { endpoint: endpoint(limit), waiting: Waiting { count, more }, ..Case::default() };
    let limit = r#","rate_limit":{"max_requests":10,"window":60}"#;
    assert_eq!(with(limit, 10, false).facts().findings(), []);
    assert_eq!(with(limit, 21, false).one().0, "21 deliveries wait, and at 10 requests in 60 s that takes 3 minutes");
    assert!(with(limit, 500, true).one().0.contains("more than 500 deliveries wait, and at 10 requests in 60 s that takes at least 50"));
    assert_eq!(with("", 500, false).facts().findings(), []);
    assert!(with("", 500, true).one().0.starts_with("more than 500 deliveries wait"));
}

#[test]
fn ordinals_are_english() {
    let spelled: Vec<_> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal).into();
    assert_eq!(spelled, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]);
}
