use std::time::Duration;

use super::*;
use crate::config::MasterKey;

const OWNER: Owner<'_> = Owner { id: 7, tenant: "acme" };

fn vault(keys: &[u8]) -> Vault {
    Vault::new(&SecuritySettings { master_keys: keys.iter().map(|byte| MasterKey([*byte; 32])).collect() })
}

fn secrets(newest: &str, earlier: &[&str]) -> Secrets {
    let until = clock::after(clock::now(), Duration::from_secs(60));
    let until = chrono::DateTime::from_timestamp_micros(until.timestamp_micros()).expect("a time");
    let earlier = earlier.iter().map(|text| EarlierSecret { secret: Secret::new((*text).to_owned()), until }).collect();
    Secrets { newest: Secret::new(newest.to_owned()), earlier }
}

#[test]
fn what_is_sealed_opens_in_its_own_row_alone() {
    let (vault, held) = (vault(&[1]), secrets("whsec_newest", &["plain-earlier"]));
    let stored = vault.write(OWNER, &held).expect("sealed");
    let all = format!("{} {}", stored.secret, stored.previous);
    assert!(!all.contains("newest") && !all.contains("earlier"), "{all}");
    assert_eq!(vault.read(OWNER, &stored).expect("opened"), held);
    for owner in [Owner { id: 8, ..OWNER }, Owner { tenant: "other", ..OWNER }] {
        assert!(matches!(vault.read(owner, &stored), Err(VaultError::Forged(_))));
    }
    let again = vault.write(OWNER, &held).expect("sealed");
    assert_ne!(again.secret, stored.secret, "a nonce is used once");
}

#[test]
fn a_bit_that_is_changed_is_noticed() {
    let vault = vault(&[1]);
    let stored = vault.write(OWNER, &secrets("whsec_newest", &[])).expect("sealed");
    let (head, text) = stored.secret.rsplit_once(':').expect("parts");
    let bytes = STANDARD.decode(text).expect("base64");
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        let changed = Stored { secret: format!("{head}:{}", STANDARD.encode(bytes)), ..stored.clone() };
        assert!(matches!(vault.read(OWNER, &changed), Err(VaultError::Forged(_))), "byte {at}");
    }
}

#[test]
fn every_key_opens_and_the_first_one_seals() {
    let held = secrets("whsec_newest", &["plain-earlier"]);
    let plain = vault(&[]).write(OWNER, &held).expect("written");
    assert_eq!(plain.secret, "whsec_newest");
    let old = vault(&[1]).sealed_anew(OWNER, &plain).expect("read").expect("anew");
    let both = vault(&[2, 1]);
    let new = both.sealed_anew(OWNER, &old).expect("read").expect("anew");
    assert_eq!(both.sealed_anew(OWNER, &new).expect("read"), None);
    for stored in [&plain, &old, &new] {
        assert_eq!(both.read(OWNER, stored).expect("opened"), held);
    }
    let error = vault(&[1]).read(OWNER, &new).expect_err("another key").to_string();
    let id = new.secret.split(':').nth(2).expect("an id");
    assert!(error.contains(id) && error.contains("security.master_key"), "{error}");
    assert!(vault(&[]).sealed_anew(OWNER, &new).expect("nothing to do").is_none());
}

#[test]
fn a_rotation_keeps_what_is_still_valid_and_none_outlives_the_next() {
    let rotation = |seconds| Rotation { secret: None, overlap: Duration::from_secs(seconds) };
    let first = secrets("first", &[]);
    let second = first.clone().rotated(&rotation(100)).expect("rotated");
    let third = second.clone().rotated(&rotation(50)).expect("rotated");
    let shown = |all: &Secrets| all.earlier.iter().map(|one| one.secret.reveal().to_owned()).collect::<Vec<_>>();
    assert_eq!(shown(&second), ["first"]);
    assert_eq!(shown(&third), [second.newest.reveal(), "first"]);
    assert_eq!(third.earlier[0].until, third.earlier[1].until);
    assert!(third.clone().rotated(&rotation(0)).expect("rotated").earlier.is_empty());
    let given = |text: &str| Rotation { secret: Some(Secret::new(text.to_owned())), overlap: Duration::ZERO };
    assert!(matches!(third.clone().rotated(&given("first")), Err(RotationRefused::Known)));
    assert_eq!(third.rotated(&given("my-own-secret")).expect("rotated").newest.reveal(), "my-own-secret");
    let mut many = first;
    for _ in 0..Rotation::MOST_EARLIER {
        many = many.rotated(&rotation(100)).expect("rotated");
    }
    assert!(matches!(many.clone().rotated(&rotation(100)), Err(RotationRefused::TooMany)));
    assert!(many.rotated(&rotation(0)).is_ok());
}

#[test]
fn what_is_over_is_dropped_without_a_key() {
    let stored = vault(&[1]).write(OWNER, &secrets("newest", &["earlier"])).expect("sealed");
    assert_eq!(stored.without_expired(clock::now()).expect("read"), None);
    let later = clock::after(clock::now(), Duration::from_secs(61));
    let dropped = stored.without_expired(later).expect("read").expect("one is over");
    assert_eq!((dropped.secret, &*dropped.previous), (stored.secret, "[]"));
}
