//! What the README shows of a session, and whether another one is like it.

use std::collections::BTreeMap;

use posthaste::model::clock::Timestamp;

/// What stands in the README, and what it is in this run.
pub(super) type Names = BTreeMap<String, String>;

#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// A command, and what it prints.
    Command { line: String, shown: Vec<String> },
    /// What the receiver's terminal shows meanwhile.
    Receiver(Vec<String>),
}

/// The session of the section "Five minutes": `console` blocks have commands behind `$`, and `text` blocks the receiver's terminal.
pub(super) fn parts(readme: &str) -> Vec<Part> {
    let section = readme.split("\n## Five minutes\n").nth(1).expect("the README has its five minutes");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut parts = Vec::new();
    let mut block = None;
    for line in section.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(kind), None) => {
                block = Some(kind);
                if kind == "text" {
                    parts.push(Part::Receiver(Vec::new()));
                }
            }
            (None, Some("console" | "text")) => match (line.strip_prefix("$ "), parts.last_mut()) {
                (Some(command), _) => parts.push(Part::Command { line: command.to_owned(), shown: Vec::new() }),
                (None, Some(Part::Command { shown, .. } | Part::Receiver(shown))) => shown.push(line.to_owned()),
                (None, None) => panic!("nothing printed this: {line}"),
            },
            (None, _) => {}
        }
    }
    parts
}

/// The names after this, if the output is as it is shown: the same words in the same lines, but for ids, secrets, times and how long
/// something took. `…` stands for the rest of a line, and alone for any lines.
pub(super) fn matches(shown: &[String], output: &str, names: &Names) -> Option<Names> {
    let output: Vec<_> = output.lines().collect();
    lines_match(shown, &output, names)
}

fn lines_match(shown: &[String], output: &[&str], names: &Names) -> Option<Names> {
    match (shown.split_first(), output.split_first()) {
        (None, None) => Some(names.clone()),
        (Some((any, rest)), _) if any.trim() == "…" => {
            (0..=output.len()).find_map(|skipped| lines_match(rest, &output[skipped..], names))
        }
        (Some((first, rest)), Some((line, others))) => lines_match(rest, others, &line_matches(first, line, names)?),
        _ => None,
    }
}

fn line_matches(shown: &str, line: &str, names: &Names) -> Option<Names> {
    let mut names = names.clone();
    let mut words = line.split_whitespace();
    for shown in shown.split_whitespace() {
        if let Some((start, _)) = shown.split_once('…') {
            return (start.is_empty() || words.next()?.starts_with(&own(start, &names))).then_some(names);
        }
        if !word_matches(shown, words.next()?, &mut names) {
            return None;
        }
    }
    words.next().is_none().then_some(names)
}

fn own(text: &str, names: &Names) -> String {
    names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from.as_str(), to))
}

fn word_matches(shown: &str, word: &str, names: &mut Names) -> bool {
    if own(shown, names) == word {
        return true;
    }
    match (kind(shown), kind(word)) {
        (Some(Kind::Name), Some(Kind::Name)) if !names.contains_key(shown) => {
            names.insert(shown.to_owned(), word.to_owned());
            true
        }
        (Some(Kind::Measure), Some(Kind::Measure)) => true,
        (None, None) => match (shown.split_once('='), word.split_once('=')) {
            (Some((name, shown)), Some((same, word))) => name == same && word_matches(shown, word, names),
            _ => false,
        },
        _ => false,
    }
}

enum Kind {
    /// Is the same wherever it stands.
    Name,
    /// Is another one each time.
    Measure,
}

fn kind(word: &str) -> Option<Kind> {
    if word.parse::<uuid::Uuid>().is_ok() || word.starts_with("whsec_") {
        Some(Kind::Name)
    } else if word.parse::<Timestamp>().is_ok() || is_to_the_millisecond(word) {
        Some(Kind::Measure)
    } else {
        None
    }
}

/// As durations are shown.
fn is_to_the_millisecond(word: &str) -> bool {
    word.split_once('.').is_some_and(|(_, fraction)| fraction.len() >= 3) && word.parse::<f64>().is_ok()
}

#[test]
fn a_session_is_read_in_order() {
    let readme = "# A\n\n## Five minutes\n\nRun:\n\n```console\n$ a --b\nc  d\n\n$ e\n```\n\n```text\nf\n^C\n```\n\n```sh\nnot this\n```\n\n## Next\n\n```console\n$ nor this\n```\n";
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        parts(readme),
        [
            Part::Command { line: "a --b".into(), shown: lines(&["c  d", ""]) },
            Part::Command { line: "e".into(), shown: Vec::new() },
            Part::Receiver(lines(&["f", "^C"])),
        ]
    );
}

#[test]
fn another_session_is_like_it_but_for_what_is_new_each_time() {
    let (a, b) = ("01a2004f-916f-8882-96dd-4c29f0000001", "01a2004f-916f-8882-96dd-4c29f0000002");
    let table = [
        ("id  1", "id     1", true),
        ("id  1", "id  2", false),
        ("id  1", "id  1\nmore", false),
        ("id  1\nmore", "id  1", false),
        (a, b, true),
        (a, "no-id", false),
        ("at=2026-01-02T03:04:05Z  0.003 s", "at=2026-02-03T04:05:06.123456Z  0.012 s", true),
        ("49.9", "49.8", false),
        ("x=1", "y=1", false),
        ("at=2026-01-02T03:04:05Z", "at=2026-02-03T04:05:06Z", true),
        ("whsec_AAAA=", "whsec_BBBB=", true),
        ("a …", "a b c", true),
        ("a …", "b", false),
        ("a b…", "a bcd e", true),
        ("a b…", "a cd e", false),
        ("a\n…\nz", "a\nb\nc\nz", true),
        ("a\n…\nz", "a\nz", true),
        ("a\n…\nz", "a\nb", false),
    ];
    for (shown, output, like) in table {
        let shown: Vec<_> = shown.lines().map(str::to_owned).collect();
        assert_eq!(matches(&shown, output, &Names::new()).is_some(), like, "{shown:?} {output:?}");
    }
    let twice = [format!("{a} {a}")];
    let c = "01a2004f-916f-8882-96dd-4c29f0000003";
    assert_eq!(matches(&twice, &format!("{b} {b}"), &Names::new()), Some(Names::from([(a.to_owned(), b.to_owned())])));
    assert_eq!(matches(&twice, &format!("{b} {c}"), &Names::new()), None);
}
