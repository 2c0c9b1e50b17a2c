//! The README's five minutes, command by command as they stand there, with the program itself: they do what the README shows.
//! Ids, times and secrets are others each time; a later command that names one gets the one of this run.

mod transcript;

use crate::harness::process::Finished;
use crate::harness::{LONG, Launch, Process, eventually, places};
use transcript::{Names, Part, matches, parts};

/// What a reader's two servers stand on.
const ADDRESSES: [&str; 3] = ["127.0.0.1:8000", "127.0.0.1:9000", "--port 9000"];

struct Reader {
    names: Names,
    port: u16,
    dev: Option<Process>,
    receiver: Option<Receiver>,
}

/// `posthaste listen`, and all that its terminal should show by now.
struct Receiver {
    process: Process,
    shown: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        let (port, receiver) = (places::free_port(), places::free_port());
        let own = [format!("127.0.0.1:{port}"), format!("127.0.0.1:{receiver}"), format!("--port {receiver}")];
        let names = ADDRESSES.iter().map(|address| (*address).to_owned()).zip(own).collect();
        Self { names, port, dev: None, receiver: None }
    }

    /// The line as it is in this run.
    fn own(&self, line: &str) -> String {
        self.names.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from.as_str(), to))
    }

    async fn types(&mut self, line: &str, shown: &[String]) {
        let own = self.own(line);
        if line.starts_with("posthaste dev") {
            assert!(shown.is_empty(), "its log is not shown");
            self.dev = Some(Launch::typed(&format!("exec {own}")).on_port(self.port).start().await);
        } else if line.starts_with("posthaste listen") {
            let process = Launch::typed(&format!("exec {own}")).spawn();
            self.receiver = Some(Receiver { process, shown: Vec::new() });
            self.receives(shown).await;
        } else {
            self.does(&own, shown).await;
        }
    }

    /// Runs it until it prints what is shown. What only looks is run again: the reader is slower than this.
    async fn does(&mut self, line: &str, shown: &[String]) {
        let looks = [" list", " get ", " stats", " diagnose "].iter().any(|verb| line.contains(verb));
        let mut ended = String::new();
        let found = tokio::time::timeout(LONG, async {
            loop {
                let Finished { code, stdout, stderr } =
                    Launch::typed(line).set("POSTHASTE_SERVER", &format!("http://127.0.0.1:{}", self.port)).finish().await;
                let names = matches(shown, &stdout, &self.names).filter(|_| code == Some(0) && stderr.is_empty());
                ended = format!("$ {line}\nexit {code:?}\n{stdout}{stderr}");
                if names.is_some() || !looks {
                    return names;
                }
            }
        });
        let found = found.await.unwrap_or_default();
        self.names = found.unwrap_or_else(|| panic!("the README shows\n\n{}\n\nand this came:\n\n{ended}", shown.join("\n")));
    }

    /// Waits until the receiver's terminal shows this besides what it showed before.
    async fn receives(&mut self, shown: &[String]) {
        let receiver = self.receiver.as_mut().expect("the README has started one");
        let ends = shown.last().is_some_and(|line| line == "^C");
        receiver.shown.extend(shown.iter().filter(|line| *line != "^C").cloned());
        let names =
            tokio::time::timeout(LONG, eventually(LONG * 2, async || matches(&receiver.shown, &receiver.process.stdout(), &self.names)));
        let Ok(names) = names.await else {
            panic!("the README's receiver shows\n\n{}\n\nand this one:\n\n{}", receiver.shown.join("\n"), receiver.process.stdout())
        };
        self.names = names;
        if ends {
            receiver.process.signal("INT");
            assert_eq!(receiver.process.exited().await.code(), Some(0));
            self.receiver = None;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_do_what_it_shows() {
    let readme = include_str!("../README.md");
    let parts = parts(readme);
    for needed in
        ["dev", "listen", "endpoints create", "events send", "deliveries list", "deliveries get", "endpoints diagnose", "deliveries retry"]
    {
        let is_there = |part: &Part| matches!(part, Part::Command { line, shown } if line.starts_with(&format!("posthaste {needed}")) && (needed == "dev" || !shown.is_empty()));
        assert!(parts.iter().any(is_there), "the tour has no `posthaste {needed}`, or does not show what it prints");
    }
    let mut reader = Reader::new();
    for part in &parts {
        match part {
            Part::Command { line, shown } => reader.types(line, shown).await,
            Part::Receiver(shown) => reader.receives(shown).await,
        }
    }
}
