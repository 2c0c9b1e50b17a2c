//! Settings of metrics.

use super::MetricsSettings;
use super::reader::Reader;

pub(super) fn read(from: &mut Reader) -> MetricsSettings {
    MetricsSettings {
        max_endpoints: from.count("metrics.max_endpoints", 0, 100_000),
        max_event_types: from.count("metrics.max_event_types", 0, 100_000),
    }
}
