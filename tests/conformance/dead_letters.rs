//! `letters`, `remove_letters`, `remove_all_letters`.

use bytes::Bytes;
use posthaste::model::dead_letter::{CUT, DeadLetter, KeptLetter};
use posthaste::ports::{Letters, LettersAsked, Settlement};

use super::fixtures::{Stand, at};
use super::for_all_queues;

for_all_queues! {
    letters_come_newest_first_with_all_that_they_were_given
    a_place_stays_where_it_is_when_letters_come_in_and_newer_ones_go
    when_older_letters_go_none_is_missed
    a_large_entry_is_cut_and_has_its_true_size
    a_page_has_some_mib_at_most_and_the_next_one_goes_on
    letters_are_found_by_their_ids_wherever_they_are
    one_letter_goes_for_each_id
    letters_are_removed_from_a_place_on
    all_letters_go_at_once
}

const ALL: LettersAsked<'static> = LettersAsked { ids: None, after: None, limit: 500, max_bytes: 10_000 };

impl Stand {
    async fn bury(&self, entries: impl IntoIterator<Item = impl Into<Bytes>>) {
        for (entry, second) in entries.into_iter().zip(0..) {
            let letter = DeadLetter { reason: format!("é {second}"), class: "not_json", at: at(second), entry: entry.into() };
            self.settle(Settlement { dead: vec![letter], ..Settlement::default() }).await;
        }
    }

    async fn letters(&self, asked: LettersAsked<'_>) -> Letters {
        self.queue.letters(asked).await.expect("read")
    }

    async fn entries(&self) -> Vec<Bytes> {
        self.letters(ALL).await.items.into_iter().map(|letter| letter.entry).collect()
    }

    async fn remove(&self, ids: &[String], after: Option<u64>) -> u64 {
        self.queue.remove_letters(ids, after).await.expect("removed")
    }
}

fn ids_of(items: &[KeptLetter]) -> Vec<String> {
    items.iter().map(|letter| letter.id.clone()).collect()
}

async fn letters_come_newest_first_with_all_that_they_were_given(stand: Stand) {
    assert_eq!(stand.letters(ALL).await, Letters { items: vec![], next: None, total: 0 });
    stand.bury([&b"{\"a\": \"\xc3\xa9\"}"[..], b"\xff\x00\"", b""]).await;
    let letters = stand.letters(ALL).await;
    assert_eq!((letters.items.len(), letters.next, letters.total), (3, None, 3));
    let (second, third) = (&letters.items[1], &letters.items[0]);
    assert_eq!((&*second.entry, second.size, second.cut), (&b"\xff\x00\""[..], 3, false));
    assert_eq!((&*second.reason, second.at), ("é 1", Some(at(1))));
    assert_eq!((third.size, letters.items[2].entry.len()), (0, 11));
    assert!(letters.items.iter().all(|letter| letter.id.bytes().all(|byte| byte.is_ascii_alphanumeric())));
}

async fn a_place_stays_where_it_is_when_letters_come_in_and_newer_ones_go(stand: Stand) {
    stand.bury((0..6).map(|number| format!("e{number}"))).await;
    let first = stand.letters(LettersAsked { limit: 2, ..ALL }).await;
    assert_eq!((ids_of(&first.items).len(), first.total), (2, 6));
    stand.bury(["new", "newer"]).await;
    stand.remove(&ids_of(&first.items[..1]), None).await;
    let second = stand.letters(LettersAsked { limit: 2, after: first.next, ..ALL }).await;
    assert_eq!(second.items.iter().map(|letter| &*letter.entry).collect::<Vec<_>>(), [b"e3", b"e2"]);
    let third = stand.letters(LettersAsked { limit: 2, after: second.next, ..ALL }).await;
    assert_eq!(third.items.iter().map(|letter| &*letter.entry).collect::<Vec<_>>(), [b"e1", b"e0"]);
    assert_eq!(third.next, None);
}

async fn when_older_letters_go_none_is_missed(stand: Stand) {
    stand.bury((0..6).map(|number| format!("e{number}"))).await;
    let all = stand.letters(ALL).await.items;
    let first = stand.letters(LettersAsked { limit: 2, ..ALL }).await;
    stand.remove(&ids_of(&all[4..]), None).await;
    let rest = stand.letters(LettersAsked { after: first.next, ..ALL }).await;
    for wanted in [b"e3", b"e2"] {
        assert!(rest.items.iter().any(|letter| &*letter.entry == wanted), "{rest:?}");
    }
}

async fn a_large_entry_is_cut_and_has_its_true_size(stand: Stand) {
    // What JSON spells in six bytes each, what is not UTF-8, and what just fits.
    let entries = [vec![0x01; 20_000], vec![0xff; 30_001], vec![b'x'; 10_001], vec![b'x'; 10_000], vec![b'z'; 3_000_000]];
    stand.bury(entries.iter().rev().cloned()).await;
    let letters = stand.letters(ALL).await.items;
    for (letter, entry) in letters.iter().zip(&entries) {
        let cut = entry.len() > 10_000;
        assert_eq!((letter.size, letter.cut), (entry.len() as u64, cut));
        if !cut {
            assert_eq!(&*letter.entry, entry);
        } else if entry[0] != 0xff {
            assert_eq!(&*letter.entry, &entry[..CUT]);
        }
        assert!(letter.entry.len() <= 10_000);
    }
    assert_eq!((&*letters[4].reason, letters[4].at), ("é 0", Some(at(0))));
}

async fn a_page_has_some_mib_at_most_and_the_next_one_goes_on(stand: Stand) {
    stand.bury((0..12).map(|_| vec![b'x'; 1_000_000])).await;
    let (mut after, mut seen, mut pages) = (None, 0, 0);
    loop {
        let page = stand.letters(LettersAsked { after, max_bytes: 2_000_000, ..ALL }).await;
        let bytes: usize = page.items.iter().map(|letter| letter.entry.len()).sum();
        assert!(bytes < 8_000_000, "{bytes}");
        (after, seen, pages) = (page.next, seen + page.items.len(), pages + 1);
        if after.is_none() {
            break;
        }
    }
    assert!(seen == 12 && pages > 1, "{seen} on {pages} pages");
}

async fn letters_are_found_by_their_ids_wherever_they_are(stand: Stand) {
    stand.bury((0..9).map(|number| format!("e{number}"))).await;
    let all = ids_of(&stand.letters(ALL).await.items);
    let wanted = [all[7].clone(), "4711".into(), all[2].clone()];
    let found = stand.letters(LettersAsked { ids: Some(&wanted), ..ALL }).await;
    assert_eq!((ids_of(&found.items), found.total), (vec![all[2].clone(), all[7].clone()], 9));
    assert_eq!(stand.letters(LettersAsked { ids: Some(&[]), ..ALL }).await.items, []);
}

async fn one_letter_goes_for_each_id(stand: Stand) {
    stand.bury((0..9).map(|number| format!("e{number}"))).await;
    let all = ids_of(&stand.letters(ALL).await.items);
    let wanted = [all[8].clone(), "4711".into(), all[2].clone()];
    assert_eq!(stand.remove(&wanted, None).await, 2);
    assert_eq!(stand.remove(&wanted, None).await, 0);
    assert_eq!(stand.entries().await, ["e8", "e7", "e5", "e4", "e3", "e2", "e1"]);
    assert_eq!(stand.queue.depth().await.expect("depth").dead_letters, 7);
    assert_eq!(stand.remove(&[], None).await, 0);
}

async fn letters_are_removed_from_a_place_on(stand: Stand) {
    stand.bury((0..6).map(|number| format!("e{number}"))).await;
    let first = stand.letters(LettersAsked { limit: 2, ..ALL }).await;
    let second = stand.letters(LettersAsked { limit: 2, after: first.next, ..ALL }).await;
    stand.bury(["new"]).await;
    assert_eq!(stand.remove(&ids_of(&second.items), first.next).await, 2);
    assert_eq!(stand.entries().await, ["new", "e5", "e4", "e1", "e0"]);
}

async fn all_letters_go_at_once(stand: Stand) {
    stand.bury(["a", "b"]).await;
    assert_eq!(stand.queue.remove_all_letters().await.expect("removed"), 2);
    assert_eq!(stand.queue.remove_all_letters().await.expect("removed"), 0);
    assert_eq!((stand.entries().await.len(), stand.queue.depth().await.expect("depth").dead_letters), (0, 0));
}
