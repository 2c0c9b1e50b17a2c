//! Which endpoints get an event: the contract's section 3 over an index in memory.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::delivery::DeliveryId;
use crate::model::endpoint::Endpoint;
use crate::model::operational;
use crate::model::pattern::Pattern;

/// All endpoints, and for each tenant the active ones by what they subscribed to. Public, with what fills and asks it, so that
/// `benches/micro` can measure it by itself.
#[derive(Default)]
pub struct Index {
    endpoints: HashMap<i64, Arc<Endpoint>>,
    tenants: HashMap<Arc<str>, Subscriptions>,
    active: u64,
    /// The largest id that there was.
    largest: i64,
}

#[derive(Default)]
struct Subscriptions {
    all: Vec<i64>,
    exact: HashMap<Box<str>, Vec<i64>>,
    /// `order.` for `order.*`.
    prefix: HashMap<Box<str>, Vec<i64>>,
}

impl Subscriptions {
    fn list(&mut self, pattern: &Pattern) -> &mut Vec<i64> {
        match pattern {
            Pattern::All => &mut self.all,
            Pattern::Exact(name) => self.exact.entry(name.as_str().into()).or_insert_with(for_one),
            Pattern::Prefix(prefix) => self.prefix.entry(prefix.as_str().into()).or_insert_with(for_one),
        }
    }
}

/// Most lists never hold more, and there are as many as there are endpoints.
fn for_one() -> Vec<i64> {
    Vec::with_capacity(1)
}

impl Index {
    /// Adds an endpoint or replaces what was known of it.
    pub fn put(&mut self, endpoint: Arc<Endpoint>) {
        self.remove(endpoint.id);
        if endpoint.spec.is_active {
            self.active += 1;
            let subscriptions = self.tenants.entry(Arc::clone(&endpoint.tenant)).or_default();
            for pattern in &endpoint.spec.event_types {
                subscriptions.list(pattern).push(endpoint.id);
            }
        }
        self.largest = self.largest.max(endpoint.id);
        self.endpoints.insert(endpoint.id, endpoint);
    }

    pub(super) fn remove(&mut self, id: i64) {
        let Some(endpoint) = self.endpoints.remove(&id) else { return };
        if !endpoint.spec.is_active {
            return;
        }
        self.active -= 1;
        if let Some(subscriptions) = self.tenants.get_mut(&endpoint.tenant) {
            for pattern in &endpoint.spec.event_types {
                subscriptions.list(pattern).retain(|other| *other != id);
            }
        }
    }

    /// How many endpoints are active.
    pub(super) fn active(&self) -> u64 {
        self.active
    }

    pub(super) fn get(&self, id: i64) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(&id)
    }

    /// The active endpoint that the delivery is owed to, where its id alone tells.
    pub(super) fn owed_to(&self, delivery: DeliveryId) -> Option<i64> {
        let id = delivery.endpoint_id();
        (self.largest <= DeliveryId::MOST_ENDPOINTS && self.endpoints.get(&id)?.spec.is_active).then_some(id)
    }

    /// Whether an active endpoint of the tenant, other than `but_not`, named that very type.
    pub(super) fn is_wanted(&self, tenant: &str, event_type: &str, but_not: Option<i64>) -> bool {
        let named = self.tenants.get(tenant).and_then(|subscriptions| subscriptions.exact.get(event_type));
        named.is_some_and(|ids| ids.iter().any(|id| Some(*id) != but_not))
    }

    /// The active endpoints of the tenant that subscribed to the type, each once, by id. Who gets an operational event has named it:
    /// whoever asked for everything meant what applications send.
    #[must_use]
    pub fn matching(&self, tenant: &str, event_type: &str) -> Vec<Arc<Endpoint>> {
        let Some(subscriptions) = self.tenants.get(tenant) else { return Vec::new() };
        let operational = operational::is_operational(event_type);
        let mut ids = if operational { Vec::new() } else { subscriptions.all.clone() };
        if let Some(exact) = subscriptions.exact.get(event_type) {
            ids.extend(exact);
        }
        if !subscriptions.prefix.is_empty() && !operational {
            for (dot, _) in event_type.match_indices('.').filter(|(dot, _)| dot + 1 < event_type.len()) {
                if let Some(under) = subscriptions.prefix.get(&event_type[..=dot]) {
                    ids.extend(under);
                }
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids.iter().filter_map(|id| self.endpoints.get(id).cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::clock;
    use crate::model::endpoint::{EndpointDefaults, EndpointDraft};
    use crate::model::secret::Secret;

    fn endpoint(id: i64, tenant: &str, event_types: &str, is_active: bool) -> Arc<Endpoint> {
        let json = format!(r#"{{"name":"n","url":"https://example.com/","event_types":{event_types},"is_active":{is_active}}}"#);
        let defaults = EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };
        let spec = serde_json::from_str::<EndpointDraft>(&json).expect("JSON").into_new(defaults).expect("valid").spec;
        let (secret, at) = (Secret::new("secret-secret".into()), clock::from_unix_seconds(0.0));
        Arc::new(Endpoint::new(id, Arc::from(tenant), spec, secret, at))
    }

    fn ids(index: &Index, tenant: &str, event_type: &str) -> Vec<i64> {
        index.matching(tenant, event_type).iter().map(|endpoint| endpoint.id).collect()
    }

    fn index() -> Index {
        let mut index = Index::default();
        index.put(endpoint(1, "default", r#"["*"]"#, true));
        index.put(endpoint(2, "default", r#"["order.*", "order.created"]"#, true));
        index.put(endpoint(3, "default", r#"["order.created"]"#, true));
        index.put(endpoint(4, "default", r#"["order.created"]"#, false));
        index.put(endpoint(5, "other", r#"["*"]"#, true));
        index.put(endpoint(6, "default", r#"["order.item.*"]"#, true));
        index
    }

    #[test]
    fn tenant_activity_and_patterns_decide_and_each_endpoint_comes_once() {
        let index = index();
        let table: [(&str, &str, &[i64]); 6] = [
            ("default", "order.created", &[1, 2, 3]),
            ("default", "order.item.added", &[1, 2, 6]),
            ("default", "order", &[1]),
            ("default", "order.", &[1]),
            ("other", "order.created", &[5]),
            ("nobody", "order.created", &[]),
        ];
        for (tenant, event_type, wanted) in table {
            assert_eq!(ids(&index, tenant, event_type), wanted, "{tenant} {event_type}");
        }
        assert_eq!(index.active(), 5);
    }

    #[test]
    fn operational_events_go_to_those_who_name_them() {
        let mut index = Index::default();
        for (id, tenant, event_types) in [
            (1, "default", r#"["*"]"#),
            (2, "default", r#"["webhook.*", "webhook.endpoint.*"]"#),
            (3, "default", r#"["webhook.endpoint.disabled", "*"]"#),
            (4, "other", r#"["webhook.endpoint.recovered"]"#),
            (5, "default", r#"["webhook.endpoint.own"]"#),
        ] {
            index.put(endpoint(id, tenant, event_types, true));
        }
        assert_eq!(ids(&index, "default", "webhook.endpoint.disabled"), [3]);
        assert_eq!(ids(&index, "default", "webhook.endpoint.recovered"), &[] as &[i64]);
        assert_eq!(ids(&index, "default", "webhook.endpoint.own"), [1, 2, 3, 5], "others that start alike are like any other");
        let wanted = |tenant, but_not| index.is_wanted(tenant, "webhook.endpoint.disabled", but_not);
        assert_eq!([wanted("default", None), wanted("default", Some(3)), wanted("other", None)], [true, false, false]);
        index.put(endpoint(3, "default", r#"["webhook.endpoint.disabled"]"#, false));
        assert!(!index.is_wanted("default", "webhook.endpoint.disabled", None), "inactive ones want nothing");
    }

    #[test]
    fn a_change_replaces_what_was_there() {
        let mut index = index();
        index.put(endpoint(2, "default", r#"["invoice.paid"]"#, true));
        index.remove(3);
        index.put(endpoint(1, "default", r#"["*"]"#, false));
        assert_eq!(ids(&index, "default", "order.created"), &[] as &[i64]);
        assert_eq!(ids(&index, "default", "invoice.paid"), &[2]);
        assert_eq!(index.active(), 3);
        assert!(index.get(1).is_some(), "an inactive endpoint is still known");
    }
}
