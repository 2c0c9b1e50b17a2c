//! Both signatures of a request, with keys that were prepared when its endpoint became known.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use posthaste::model::clock;
use posthaste::model::secret::Secret;
use posthaste::sender::SigningKeys;

use crate::{SIZES, sample};

pub(crate) fn measure(criterion: &mut Criterion) {
    let keys = SigningKeys::new(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()), &[]);
    let at = clock::now();
    let mut group = criterion.benchmark_group("sign");
    for (name, bytes) in SIZES {
        let event = sample::event("evt_1", bytes);
        group.throughput(Throughput::Bytes(event.body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let body = black_box(&event.body);
                (keys.plain(body), keys.standard(&event.key.id, at, body))
            });
        });
    }
    group.finish();
}
