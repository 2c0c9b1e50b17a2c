//! With a master key, secrets are nowhere but in the answers that show them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{rotate, secret_of, sent};
use crate::harness::{Stores, World, both_modes};

pub(super) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// All that the program keeps, as text: every row of every table, or every byte of the files.
pub(super) async fn kept(world: &World) -> String {
    match &world.stores {
        Stores::Embedded { file } => {
            let beside = ["", "-wal"].map(|more| format!("{}{more}", file.display()));
            let bytes: Vec<u8> = beside.iter().flat_map(|name| std::fs::read(name).unwrap_or_default()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Stores::Production { .. } => {
            let sql = world.sql().await;
            let tables = "SELECT quote_ident(table_name) FROM information_schema.tables \
                 WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
            let mut all = String::new();
            for table in sql.query(tables, &[]).await.unwrap() {
                let rows = format!("SELECT t::text FROM {} t", table.get::<_, String>(0));
                all.extend(sql.query(&rows, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0) + "\n"));
            }
            all
        }
    }
}

both_modes! {
    async fn a_secret_is_in_no_log_list_error_metric_or_row(setup: Setup) {
        let world = setup.set("POSTHASTE__SECURITY__MASTER_KEY", KEY).set("POSTHASTE__LOG__LEVEL", "posthaste=trace,info").await;
        let own = world.api.register(&world.receiver.url("/own"), &json!({"secret": "given-by-its-owner-once"})).await;
        let made = world.api.register(&world.receiver.url("/made"), &json!({"max_retries": 1})).await;
        world.receiver.statuses("/made", [500]);
        let new = secret_of(&rotate(&world, made.id, &json!({})).await);
        let newer = secret_of(&rotate(&world, made.id, &json!({"secret": "given-when-rotated"})).await);
        let request = sent(&world, "e").await;
        world.receiver.wait_for(2).await;
        world.settled().await;
        crate::signing::assert_first_signed(world.receiver.requests_to("/made").first().expect("it came"), &newer);
        assert!(request.header("webhook-signature").starts_with("v1,"));

        let id = made.id;
        let mut seen = String::new();
        for path in ["endpoints", &format!("endpoints/{id}"), "deliveries", "stats"] {
            seen += &world.api.get(&format!("/api/webhooks/{path}")).await.text;
        }
        seen += &world.api.get("/metrics").await.text;
        seen += &world.api.patch(&format!("/api/webhooks/endpoints/{id}"), &json!({"name": "b"})).await.text;
        let refused = json!({"secret": newer});
        seen += &world.api.post(&format!("/api/webhooks/endpoints/{id}/rotate-secret"), &refused).await.text;
        seen += &world.app.stderr();
        seen += &world.app.stdout();
        let kept = kept(&world).await;
        assert!(kept.contains("sealed:1:"), "there are rows, and they are looked at");
        for secret in [&own.secret, &made.secret, &new, &newer] {
            let key = secret.strip_prefix("whsec_").unwrap_or(secret);
            for text in [key.to_owned(), STANDARD.encode(key), hex::encode(key)] {
                assert!(!seen.contains(&text), "{text} in\n{seen}");
                assert!(!kept.contains(&text), "{text} is kept");
            }
        }
        assert!(!seen.contains(KEY) && !kept.contains(KEY));
    }

    async fn a_secret_moved_to_another_row_signs_nothing(setup: Setup) {
        let world = setup.set("POSTHASTE__SECURITY__MASTER_KEY", KEY).await;
        let one = world.register("/one", &json!({})).await;
        let two = world.register("/two", &json!({})).await;
        let moved = format!("UPDATE webhook_endpoints SET secret = (SELECT secret FROM webhook_endpoints WHERE id = {one}) WHERE id = {two}");
        world.execute(&moved).await;
        world.app.logged(&["cannot be decrypted", &format!("endpoint_id={two}")]).await;
        world.api.send_id("e").await;
        let waiting = world.api.delivery_of("e", |delivery| delivery["endpoint_id"] == two && delivery["next_retry_at"] != Value::Null).await;
        assert_eq!((&waiting["attempt_count"], &waiting["status"]), (&json!(0), &json!("pending")));
        assert!(world.receiver.requests_to("/two").is_empty());
        world.receiver.wait_for(1).await;
    }
}
