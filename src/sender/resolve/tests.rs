use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;
use crate::config::GuardSettings;

/// Answers as the closure says, which gets the name and how often anything was asked before. Loopback alone is allowed besides what is public.
fn resolver(answer: impl Fn(&str, usize) -> io::Result<Vec<&'static str>> + Send + Sync + 'static) -> (GuardedResolver, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let allow = vec!["127.0.0.0/8".parse().expect("a network")];
    let guard = Guard::new(GuardSettings { allow, ..GuardSettings::default() });
    let ask = move |name: &str| {
        let found = answer(name, counted.fetch_add(1, Ordering::SeqCst))?;
        Ok(found.iter().map(|address| address.parse().expect("an address")).collect())
    };
    (GuardedResolver::asking(guard, ask), asked)
}

async fn addresses(resolver: &GuardedResolver, name: &str) -> Result<Vec<String>, String> {
    let found = resolver.addresses(name).await.map_err(|error| error.to_string())?;
    Ok(found.iter().map(|address| address.ip().to_string()).collect())
}

/// What the names of a hostile zone lead to, and what is left of it.
const ANSWERS: [(&[&str], &[&str]); 17] = [
    (&["8.8.8.8"], &["8.8.8.8"]),
    (&["8.8.8.8", "10.0.0.1"], &["8.8.8.8"]),
    (&["10.0.0.1", "8.8.8.8"], &["8.8.8.8"]),
    (&["169.254.169.254", "8.8.8.8", "fd00:ec2::254", "2606:4700::1111", "::1"], &["8.8.8.8", "2606:4700::1111"]),
    (&["10.0.0.1"], &[]),
    (&["169.254.169.254"], &[]),
    (&["100.100.100.200"], &[]),
    (&["fd00:ec2::254"], &[]),
    (&["::1"], &[]),
    (&["::ffff:10.0.0.1"], &[]),
    (&["64:ff9b::a9fe:a9fe"], &[]),
    (&["2002:a00:1::1"], &[]),
    (&["0.0.0.0"], &[]),
    (&["::"], &[]),
    (&["fe80::1", "ff02::1", "192.168.1.1"], &[]),
    (&["::ffff:127.0.0.1"], &["::ffff:127.0.0.1"]),
    (&["127.0.0.1"], &["127.0.0.1"]),
];

#[tokio::test]
async fn only_addresses_that_may_be_reached_are_answered() {
    let (resolver, _) = resolver(|name, _| Ok(ANSWERS[name.parse::<usize>().expect("a number")].0.to_vec()));
    for (number, (found, left)) in ANSWERS.iter().enumerate() {
        let answer = addresses(&resolver, &number.to_string()).await;
        match answer {
            Ok(answer) => assert_eq!(answer, *left, "{found:?}"),
            Err(error) => assert!(left.is_empty() && error.contains("no address that may be reached"), "{found:?}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_blocked_name_says_which_address_it_led_to() {
    let (resolver, _) = resolver(|_, _| Ok(vec!["169.254.169.254"]));
    let error = addresses(&resolver, "metadata.example").await.expect_err("blocked");
    assert!(error.contains("169.254.169.254") && error.contains("metadata.example"), "{error}");
}

#[tokio::test]
async fn every_answer_is_judged_for_itself_however_a_name_changes() {
    let (resolver, asked) = resolver(|_, before| Ok(vec![["8.8.8.8", "10.0.0.1", "1.1.1.1", "169.254.169.254"][before % 4]]));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(addresses(&resolver, "rebinding.example").await.ok());
        // As if the time were over.
        resolver.lookups.lock().expect("no panic").clear();
    }
    assert_eq!(seen, [Some(vec!["8.8.8.8".to_owned()]), None, Some(vec!["1.1.1.1".to_owned()]), None]);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn an_answer_is_used_again_for_a_moment_and_a_failure_is_not() {
    let (resolver, asked) = resolver(|name, _| if name == "no" { Err(io::ErrorKind::NotFound.into()) } else { Ok(vec!["8.8.8.8"]) });
    for _ in 0..3 {
        assert!(addresses(&resolver, "yes").await.is_ok());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    for _ in 0..3 {
        assert!(addresses(&resolver, "no").await.is_err());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_slow_name_holds_one_thread_however_many_wait_or_gave_up() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (resolver, asked) = resolver(move |name, _| {
        if name == "slow" {
            let _ = gate.lock().expect("no panic").recv();
        }
        Ok(vec!["8.8.8.8"])
    });
    // More than the runtime has threads.
    let waiting = futures_util::future::join_all((0..600).map(|_| addresses(&resolver, "slow")));
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    assert!(addresses(&resolver, "quick").await.is_ok());
    let again = futures_util::future::join_all((0..600).map(|_| addresses(&resolver, "slow")));
    drop(go);
    assert!(again.await.iter().all(Result::is_ok));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn names_are_forgotten() {
    let (resolver, _) = resolver(|_, _| Err(io::ErrorKind::NotFound.into()));
    for number in 0..NAMES * 3 {
        let _ = addresses(&resolver, &number.to_string()).await;
    }
    assert!(resolver.lookups.lock().expect("no panic").len() <= NAMES);
}
