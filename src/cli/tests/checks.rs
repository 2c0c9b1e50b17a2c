//! `endpoints test` and `endpoints diagnose`.

use super::{Exit, ran};

#[tokio::test]
async fn a_test_shows_what_the_receiver_did_and_fails_with_it() {
    let good = r#"{"success":true,"status_code":200,"response_time":0.0123,"response_body":"thanks","test_event":{}}"#;
    let tested = ran(&["endpoints", "test", "7"], &[(200, good)]).await;
    assert_eq!((tested.exit, tested.out.as_str()), (Exit::Done, "the receiver answered 200 in 0.012 s\nthanks\n"));
    assert_eq!(tested.asked, ["POST /api/webhooks/7/test HTTP/1.1\n"]);
    let bad = r#"{"success":false,"error":"connection refused: nobody listens","test_event":{}}"#;
    let arguments = ["endpoints", "test", "7", "--event", r#"{"event_type":"a", "data":1.0}"#];
    let failed = ran(&arguments, &[(200, bad)]).await;
    assert_eq!((failed.exit, failed.out.as_str()), (Exit::Failed, "no answer: connection refused: nobody listens\n"));
    assert!(failed.err.contains("posthaste endpoints diagnose 7"), "{}", failed.err);
    assert!(failed.asked[0].ends_with(r#"{"event_type":"a", "data":1.0}"#), "{}", failed.asked[0]);
    let json = ran(&["endpoints", "test", "7", "--json"], &[(200, bad)]).await;
    assert_eq!((json.exit, json.out.trim_end()), (Exit::Failed, bad));
    assert_eq!(ran(&["endpoints", "test", "7", "--event", "{"], &[]).await.exit, Exit::WrongUsage);
}

#[tokio::test]
async fn a_diagnosis_lists_each_issue_with_its_recommendation_and_the_facts() {
    let found = r#"{"endpoint_id":7,"endpoint_name":"shop","is_active":true,"issues":["it is slow","it fails"],"recommendations":["hurry","mend it"],
        "recent_delivery_count":10,"failed_delivery_count":6,"avg_response_time":5.5,"waiting_delivery_count":3,"breaker":{"state":"open"},
        "way":{"addresses":[{"address":"203.0.113.7"}],"connect_time":0.01,"certificate_expires_at":null,"head_status":405,"head_time":0.02}}"#;
    let shown = ran(&["endpoints", "diagnose", "7"], &[(200, found)]).await;
    assert_eq!(
        shown.out,
        "endpoint 7, shop: 2 issues\n\n  1. it is slow\n     → hurry\n\n  2. it fails\n     → mend it\n\n\
         active              true\naddresses           203.0.113.7\nconnected in        0.010 s\nHEAD answered       405 in 0.020 s\n\
         latest deliveries   6 failed of 10\naverage answer      5.500 s\nwaiting deliveries  3\nbreaker             open\n"
    );
    assert_eq!(shown.asked, ["GET /api/webhooks/7/diagnose HTTP/1.1\n"]);
    let well = r#"{"endpoint_name":"shop","issues":[],"recommendations":[],"way":{}}"#;
    let shown = ran(&["endpoints", "diagnose", "7"], &[(200, well)]).await;
    assert!(shown.out.starts_with("endpoint 7, shop: nothing is wrong\n\n"), "{}", shown.out);
}
