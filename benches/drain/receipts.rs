//! What the receiver got, as the benchmark asks it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::watchdog;
use crate::sample::Sample;

/// Nothing new for so long: what is missing is lost.
const STALL: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(20);

/// The receiver's process; killed when this is dropped.
pub(crate) struct Receiver {
    child: Child,
    /// The ports that it listens on, on all of which it does the same.
    ports: Vec<u16>,
    client: reqwest::Client,
}

/// One request that was received.
pub(crate) struct Receipt {
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) path: String,
    pub(crate) id: String,
}

/// The requests that have to come, made of pairs of a path, without its first slash, and an event's id.
pub(crate) struct Wanted(Vec<String>);

/// What became of them at the receiver.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that came before already, and those that nobody wanted.
    pub(crate) duplicates: usize,
    /// Those that never came.
    pub(crate) losses: usize,
    /// Microseconds since 1970.
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        let mut child = command.arg("receiver").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        watchdog::watch("KILL", child.id());
        let mut ports = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut ports).expect("it says its ports");
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let ports = ports.split_whitespace().map(|port| port.parse().expect("a port")).collect();
        let receiver = Self { child, ports, client };
        assert_eq!(receiver.count().await, 0, "a new receiver");
        receiver
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.nth_url(0, path)
    }

    /// The same path on another host, as a client sees it.
    pub(crate) fn nth_url(&self, number: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.ports[number % self.ports.len()])
    }

    /// Requests that were taken since it was asked for them last.
    pub(crate) async fn count(&self) -> usize {
        self.ask("count").await.parse().expect("a number")
    }

    async fn ask(&self, path: &str) -> String {
        let answer = self.client.get(self.url(path)).send().await.expect("the receiver runs");
        answer.text().await.expect("a whole answer")
    }

    /// Returns when so many requests came, or nothing came for a long time.
    pub(crate) async fn wait_for(&self, count: u32) {
        let (mut seen, mut since) = (0, Instant::now());
        while seen < count as usize && since.elapsed() < STALL {
            tokio::time::sleep(STEP).await;
            let now = self.count().await;
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }

    /// All that came since it was last asked.
    pub(crate) async fn take(&self) -> Vec<Receipt> {
        let text = self.ask("take").await;
        let receipt = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let at = words.next()?.parse().ok()?;
            Some(Receipt { at, path: words.next()?.to_owned(), id: words.next()?.to_owned() })
        };
        text.lines().map(|line| receipt(line).expect("a line of the receiver's book")).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        watchdog::forget(self.child.id());
    }
}

impl Tally {
    pub(crate) fn of(sample: &Sample, receipts: &[Receipt]) -> Self {
        Self::against(&Wanted::of(sample), receipts)
    }

    pub(crate) fn against(wanted: &Wanted, receipts: &[Receipt]) -> Self {
        let mut came: HashMap<&str, usize> = wanted.0.iter().map(|request| (request.as_str(), 0)).collect();
        let mut tally = Self::default();
        for Receipt { path, id, .. } in receipts {
            match came.get_mut(request(&path[1..], id).as_str()) {
                Some(times) => *times += 1,
                None => tally.duplicates += 1,
            }
        }
        tally.duplicates += came.values().map(|times| times.saturating_sub(1)).sum::<usize>();
        tally.losses = came.values().filter(|times| **times == 0).count();
        tally.first = receipts.iter().map(|receipt| receipt.at).min().unwrap_or_default();
        tally.last = receipts.iter().map(|receipt| receipt.at).max().unwrap_or_default();
        tally
    }
}

impl Wanted {
    /// One for each event of the sample, at the path that has its name.
    pub(crate) fn of(sample: &Sample) -> Self {
        sample.ids().map(|id| (sample.name.as_str(), id)).collect()
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).expect("there are not that many")
    }
}

impl<P: AsRef<str>> FromIterator<(P, String)> for Wanted {
    fn from_iter<I: IntoIterator<Item = (P, String)>>(requests: I) -> Self {
        Self(requests.into_iter().map(|(path, id)| request(path.as_ref(), &id)).collect())
    }
}

/// Neither part has a space in it.
fn request(path: &str, id: &str) -> String {
    format!("{path} {id}")
}
