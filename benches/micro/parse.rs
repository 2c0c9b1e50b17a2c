//! An entry of the list becomes an event with its finished body.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use posthaste::model::{clock, event};

use crate::{SIZES, sample};

pub(crate) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, bytes) in SIZES {
        let entry = sample::entry("evt_1", bytes);
        let reading = sample::reading(clock::now());
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| bencher.iter(|| event::parse(black_box(entry.as_bytes()), reading).expect("an event")));
    }
    group.finish();
}
