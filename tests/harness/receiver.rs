//! A receiver of webhooks that records every request and answers as a script says.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::eventually::LONG;
use super::received::Received;
use super::reply::{Action, Reply};

/// A path at which nothing is answered.
pub(crate) struct Hanging(Arc<AtomicBool>);

impl Hanging {
    /// From now on it answers 204.
    pub(crate) fn mend(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Dropped, it closes its port and all connections.
pub(crate) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    _accepting: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// How many requests came.
    count: watch::Sender<usize>,
}

/// What a request gets, where that depends on the request.
type Rule = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

#[derive(Default)]
struct State {
    requests: Vec<Arc<Received>>,
    scripts: HashMap<String, VecDeque<Reply>>,
    rules: HashMap<String, Rule>,
    connections: usize,
    in_flight: HashMap<String, usize>,
    peaks: HashMap<String, usize>,
}

impl Receiver {
    /// Answers 204 to everything until it has a script.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, _accepting: accepting }
    }

    /// `path` starts with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What requests to `path` get, one after the other; the last reply goes to all that follow.
    pub(crate) fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.lock().scripts.insert(path.to_owned(), replies.into_iter().collect());
    }

    /// The statuses that requests to `path` get, one after the other; the last one goes to all that follow.
    pub(crate) fn statuses(&self, path: &str, statuses: impl IntoIterator<Item = u16>) {
        self.script(path, statuses.into_iter().map(Reply::status));
    }

    /// What each request to `path` gets, whatever script there is.
    pub(crate) fn rule(&self, path: &str, rule: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        self.shared.lock().rules.insert(path.to_owned(), Arc::new(rule));
    }

    /// Answers nothing at `path` until it is mended.
    pub(crate) fn hanging(&self, path: &str) -> Hanging {
        let mended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&mended);
        self.rule(path, move |_| if seen.load(Ordering::Relaxed) { Reply::status(204) } else { Reply::hang() });
        Hanging(mended)
    }

    /// All requests so far, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<Arc<Received>> {
        self.shared.lock().requests.clone()
    }

    pub(crate) fn requests_to(&self, path: &str) -> Vec<Arc<Received>> {
        self.shared.lock().requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// How many requests came for each event and path.
    pub(crate) fn counts(&self) -> HashMap<(String, String), usize> {
        let mut counts = HashMap::new();
        for request in &self.shared.lock().requests {
            *counts.entry((request.event_id().to_owned(), request.path.clone())).or_default() += 1;
        }
        counts
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// How many requests to `path` were open at once, at most.
    pub(crate) fn peak(&self, path: &str) -> usize {
        self.shared.lock().peaks.get(path).copied().unwrap_or(0)
    }

    /// Waits until `count` requests came in all, for as long as that takes.
    pub(crate) async fn came(&self, count: usize) {
        self.shared.count.subscribe().wait_for(|came| *came >= count).await.expect("the receiver holds the sender");
    }

    /// Waits until `count` requests came in all, and returns them.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Arc<Received>> {
        let mut counted = self.shared.count.subscribe();
        let enough = tokio::time::timeout(LONG, counted.wait_for(|came| *came >= count)).await.is_ok();
        assert!(enough, "{} of {count} requests came within {LONG:?}", self.count());
        self.requests()
    }

    /// Waits until the requests are as `wanted`, and returns them.
    pub(crate) async fn wait_until(&self, within: Duration, wanted: impl Fn(&[Arc<Received>]) -> bool) -> Vec<Arc<Received>> {
        let mut counted = self.shared.count.subscribe();
        let looking = async {
            loop {
                counted.mark_unchanged();
                if wanted(&self.shared.lock().requests) {
                    return;
                }
                counted.changed().await.expect("the receiver holds the sender");
                // Looking at all after each one would take the square of their number.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let found = tokio::time::timeout(within, looking).await.is_ok();
        assert!(found, "the {} requests are not as wanted within {within:?}", self.count());
        self.requests()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while locked")
    }

    fn record(&self, request: Received) -> Reply {
        let mut state = self.lock();
        let path = request.path.clone();
        let open = state.in_flight.entry(path.clone()).or_default();
        *open += 1;
        let open = *open;
        let peak = state.peaks.entry(path.clone()).or_default();
        *peak = open.max(*peak);
        let ruled = state.rules.get(&path).map(|rule| rule(&request));
        state.requests.push(Arc::new(request));
        self.count.send_replace(state.requests.len());
        if let Some(reply) = ruled {
            return reply;
        }
        let script = state.scripts.get_mut(&path);
        script
            .and_then(|replies| if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() })
            .unwrap_or_else(|| Reply::status(204))
    }

    fn finished(&self, path: &str) {
        if let Some(open) = self.lock().in_flight.get_mut(path) {
            *open -= 1;
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.lock().connections += 1;
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _faster = stream.set_nodelay(true);
    let (mut reading, mut writing) = stream.into_split();
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    while let Some(request) = super::wire::read_request(&mut reading, &mut buffer).await {
        let path = request.path.clone();
        let reply = shared.record(request);
        let goes_on = tokio::select! {
            goes_on = answer(&mut writing, reply) => goes_on,
            // The peer gave up on us. What it sends before it has its answer stays in the buffer.
            () = closed(&mut reading, &mut buffer) => false,
        };
        shared.finished(&path);
        if !goes_on {
            return;
        }
    }
}

/// Does what the reply says, and tells whether the connection goes on.
async fn answer(writing: &mut OwnedWriteHalf, reply: Reply) -> bool {
    if let Some(gate) = &reply.gate {
        gate.passed().await;
    }
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    match reply.action {
        Action::Write { bytes, keep } => writing.write_all(&bytes).await.is_ok() && keep,
        Action::Hang(bytes) => {
            let _written = writing.write_all(&bytes).await;
            std::future::pending().await
        }
    }
}

async fn closed(reading: &mut OwnedReadHalf, buffer: &mut BytesMut) {
    while matches!(reading.read_buf(buffer).await, Ok(count) if count > 0) {}
}
