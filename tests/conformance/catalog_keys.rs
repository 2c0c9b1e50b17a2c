//! What the catalog says of secrets that are encrypted: the same rows, opened with other master keys each time.

use std::time::Duration;

use posthaste::model::endpoint::{Endpoint, NewEndpoint};
use posthaste::model::rotation::Rotation;
use posthaste::ports::{Catalog, Encrypted};

use super::backends::Rows;
use super::fixtures::spec;

/// Three endpoints, the last one with an earlier secret, as they were before any key was there.
async fn three(rows: &Rows) -> Vec<Endpoint> {
    let catalog = rows.catalog(&[]).await;
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        let new = NewEndpoint { tenant: "default".into(), spec: spec(name), secret: None };
        made.push(catalog.create(new).await.expect("registered"));
    }
    let rotation = Rotation { secret: None, overlap: Duration::from_secs(1000) };
    made[2] = catalog.rotate_secret(made[2].id, None, &rotation).await.expect("rotated");
    made
}

async fn read(catalog: &dyn Catalog, endpoints: &[Endpoint]) -> Vec<Endpoint> {
    let mut read = Vec::new();
    for endpoint in endpoints {
        read.push(catalog.get(endpoint.id, None).await.expect("read").expect("it is there"));
    }
    read
}

/// Which of them cannot be read without a key.
async fn locked(rows: &Rows, endpoints: &[Endpoint]) -> Vec<bool> {
    let catalog = rows.catalog(&[]).await;
    read(&*catalog, endpoints).await.iter().map(|endpoint| endpoint.locked.is_some()).collect()
}

async fn encrypt(rows: &Rows, keys: &[u8], after: i64, max: usize) -> Encrypted {
    rows.catalog(keys).await.encrypt_secrets(after, max).await.expect("encrypted")
}

fn done(looked_at: u64, encrypted: u64, next: Option<i64>) -> Encrypted {
    Encrypted { looked_at, encrypted, unreadable: Vec::new(), next }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_encrypted_page_by_page_in_the_order_of_ids_and_nothing_else_changes() {
    for rows in [Rows::postgres().await, Rows::sqlite()] {
        let made = three(&rows).await;
        assert_eq!(encrypt(&rows, &[], i64::MIN, 9).await.encrypted, 0, "there is no key");
        assert_eq!(encrypt(&rows, &[1], i64::MIN, 2).await, done(2, 2, Some(made[1].id)));
        assert_eq!(locked(&rows, &made).await, [true, true, false]);
        assert_eq!(encrypt(&rows, &[1], made[1].id, 2).await, done(1, 1, None));
        assert_eq!(locked(&rows, &made).await, [true, true, true]);
        assert_eq!(read(&*rows.catalog(&[1]).await, &made).await, made);
        assert_eq!(encrypt(&rows, &[1], i64::MIN, 3).await, done(3, 0, Some(made[2].id)), "they are encrypted");
        assert_eq!(encrypt(&rows, &[1], made[2].id, 3).await, done(0, 0, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_encrypted_anew_with_the_first_key_and_left_as_they_are_where_they_cannot_be_read() {
    for rows in [Rows::postgres().await, Rows::sqlite()] {
        let made = three(&rows).await;
        assert_eq!(encrypt(&rows, &[1], i64::MIN, 1).await.encrypted, 1);
        let other = encrypt(&rows, &[2], i64::MIN, 9).await;
        assert_eq!((other.looked_at, other.encrypted, other.next), (3, 2, None), "two were not encrypted yet");
        let unreadable: Vec<_> = other.unreadable.iter().map(|(id, reason)| (*id, reason.contains("security.master_key"))).collect();
        assert_eq!(unreadable, [(made[0].id, true)]);
        assert_eq!(read(&*rows.catalog(&[1, 2]).await, &made).await, made);
        assert_eq!(encrypt(&rows, &[3, 2, 1], i64::MIN, 9).await, done(3, 3, None));
        assert_eq!(read(&*rows.catalog(&[3]).await, &made).await, made, "the others are not needed any more");
    }
}
