//! Cursors that no list gave out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::problem;
use crate::harness::both_modes;

/// List, key, and whether it could be a cursor.
const FORGED: &[(&str, &str, bool)] = &[
    ("deliveries", "00000000-0000-0000-0000-000000000000", true),
    ("deliveries", "ffffffff-ffff-ffff-ffff-ffffffffffff", true),
    ("deliveries", "", false),
    ("deliveries", "7", false),
    ("events", "0:default/a", true),
    ("events", "253402300799999999:default/a", true),
    ("events", "253402300800000000:default/a", false),
    ("events", "8210266876799999999:default/a", false),
    ("events", "9223372036854775807:default/a", false),
    ("events", "-1:default/a", false),
    ("events", "-62135596800000000:default/a", false),
    ("events", "-8334601228800000000:default/a", false),
    ("events", "-9223372036854775808:default/a", false),
    ("events", "1e3:default/a", false),
    ("events", "0:no tenant/a", false),
    ("events", "0:default/", false),
    ("events", "0", false),
    ("endpoints", "9223372036854775807", true),
    ("endpoints", "-9223372036854775808", true),
    ("endpoints", "0", true),
    ("endpoints", "9223372036854775808", false),
    ("endpoints", "1.5", false),
    ("runs", "00000000-0000-0000-0000-000000000000", true),
    ("runs", "ffffffff-ffff-ffff-ffff-ffffffffffff", true),
    ("runs", "x", false),
    ("dead-letters", "0", true),
    ("dead-letters", "9223372036854775808", true),
    ("dead-letters", "18446744073709551615", true),
    ("dead-letters", "18446744073709551616", false),
    ("dead-letters", "-1", false),
];

both_modes! {
    async fn a_forged_cursor_is_400_or_harmless(setup: Setup) {
        let world = setup.await;
        world.api.send_id("e").await;
        for (list, key, possible) in FORGED {
            let cursor = URL_SAFE_NO_PAD.encode(format!("{list}:{key}"));
            for filter in ["", "&limit=500", "&tenant=default", "&tenant=acme"] {
                if *list == "dead-letters" && filter.contains("tenant") {
                    continue;
                }
                let answer = world.api.get(&format!("/api/webhooks/{list}?cursor={cursor}{filter}")).await;
                if *possible {
                    assert_eq!(answer.status, 200, "{list}:{key}{filter}: {}", answer.text);
                } else {
                    assert_eq!(problem(&answer, 400), ["cursor"], "{list}:{key}{filter}");
                }
            }
        }
        for cursor in ["", "%00", "ZGVsaXZlcmllcw", "!!!!", "ZXZlbnRzOjA6YS9h%0A", &"A".repeat(5_000)] {
            for list in ["deliveries", "events", "endpoints", "runs", "dead-letters"] {
                assert_eq!(problem(&world.api.get(&format!("/api/webhooks/{list}?cursor={cursor}")).await, 400), ["cursor"], "{list}: {cursor}");
            }
        }
    }
}
