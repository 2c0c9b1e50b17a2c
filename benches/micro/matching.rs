//! Which endpoints get an event, among few and many of them; and making the index that tells.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use posthaste::model::clock;
use posthaste::model::endpoint::{Endpoint, EndpointSpec};
use posthaste::model::pattern::Pattern;
use posthaste::model::secret::Secret;
use posthaste::pipeline::Index;

const SIZES: [usize; 3] = [100, 10_000, 100_000];
/// The endpoints of one tenant.
const EACH: usize = 10;

/// Tenants of ten endpoints each: an event `own.3` goes to one of them, an event `shared.a` to all ten.
struct Crowd {
    tenants: Vec<Arc<str>>,
    endpoints: Vec<Arc<Endpoint>>,
    index: Index,
}

impl Crowd {
    fn new(size: usize) -> Self {
        let tenants: Vec<Arc<str>> = (0..size / EACH).map(|number| format!("tenant{number}").into()).collect();
        let endpoints: Vec<_> = (1..).zip(0..size).map(|(id, number)| endpoint(id, &tenants[number / EACH], number % EACH)).collect();
        let index = index(endpoints.clone());
        Self { tenants, endpoints, index }
    }
}

fn endpoint(id: i64, tenant: &Arc<str>, number: usize) -> Arc<Endpoint> {
    let pattern = |text: &str| Pattern::parse(text).expect("a pattern");
    let spec = EndpointSpec {
        name: format!("endpoint {id}"),
        url: "https://example.com/hooks".parse().expect("a URL"),
        event_types: vec![pattern(&format!("own.{number}")), pattern("shared.*")],
        headers: BTreeMap::new(),
        timeout: Duration::from_secs(30),
        max_retries: 3,
        retry_delay: Duration::from_secs(60),
        retry_schedule: None,
        rate_limit: None,
        in_flight: None,
        is_active: true,
    };
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
    Arc::new(Endpoint::new(id, Arc::clone(tenant), spec, secret, clock::now()))
}

fn index(endpoints: Vec<Arc<Endpoint>>) -> Index {
    let mut index = Index::default();
    for endpoint in endpoints {
        index.put(endpoint);
    }
    index
}

pub(crate) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("match");
    for size in SIZES {
        // Only where it is asked for: a hundred thousand take a moment.
        let crowd = LazyCell::new(|| Crowd::new(size));
        for (name, event_type, count) in [("to one of", "own.3", 1), ("to ten of", "shared.a", EACH)] {
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                assert_eq!(crowd.index.matching(&crowd.tenants[0], event_type).len(), count);
                // One tenant after the other, so that what is looked at is not what was looked at just before.
                let mut tenants = crowd.tenants.iter().cycle();
                bencher.iter(|| tenants.next().map(|tenant| crowd.index.matching(tenant, event_type)));
            });
        }
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("making the index of", size), |bencher| {
            bencher.iter_batched(|| crowd.endpoints.clone(), index, BatchSize::PerIteration);
        });
    }
    group.finish();
}
