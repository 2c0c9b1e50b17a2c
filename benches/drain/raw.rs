//! What the machine does without Posthaste: a process that does nothing but sign and POST.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, Method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::cpu;
use crate::harness::watchdog;
use crate::receipts::{Receiver, Tally};
use crate::sample::{EVENT_TYPE, Sample};

const CONCURRENCIES: [u32; 3] = [32, 128, 512];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    url: String,
    #[arg(long)]
    name: String,
    #[arg(long)]
    events: u32,
    #[arg(long)]
    body_bytes: usize,
    #[arg(long)]
    concurrency: u32,
}

/// What one run of the process came to.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Raw {
    pub(crate) concurrency: u32,
    pub(crate) per_second: f64,
    /// Of the client's process, in microseconds for each request.
    pub(crate) client_cpu: Option<f64>,
    /// Of the receiver, the same.
    pub(crate) receiver_cpu: Option<f64>,
    pub(crate) duplicates: usize,
    pub(crate) losses: usize,
}

/// Signs as the contract of the request says, with keys prepared once.
pub(crate) struct Signer {
    plain: Hmac<Sha256>,
    standard: Hmac<Sha256>,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let key = [7; 32];
        let secret = format!("whsec_{}", STANDARD.encode(key));
        let keyed = |key: &[u8]| Hmac::new_from_slice(key).expect("HMAC takes every key");
        Self { plain: keyed(secret.as_bytes()), standard: keyed(&key) }
    }

    /// The request that Posthaste would make.
    pub(crate) fn request(&self, url: &url::Url, id: &str, body: String) -> reqwest::Request {
        let seconds = posthaste::model::clock::now().timestamp().to_string();
        let plain = self.plain.clone().chain_update(&body).finalize().into_bytes();
        let signed =
            [id, ".", &seconds, ".", &body].iter().fold(self.standard.clone(), |mac, part| mac.chain_update(part)).finalize().into_bytes();
        let mut headers = HeaderMap::with_capacity(16);
        let mut insert = |name: &'static str, value: &str| headers.insert(name, HeaderValue::from_str(value).expect("visible ASCII"));
        insert("content-type", "application/json");
        insert("user-agent", "Posthaste/raw");
        insert("x-webhook-signature", &format!("sha256={}", hex::encode(plain)));
        insert("x-webhook-event", EVENT_TYPE);
        insert("x-webhook-delivery", "019ab3c4-d5e6-7890-abcd-ef0123456789");
        insert("x-webhook-attempt", "1");
        insert("x-webhook-timestamp", &seconds);
        insert("webhook-id", id);
        insert("webhook-timestamp", &seconds);
        insert("webhook-signature", &format!("v1,{}", STANDARD.encode(signed)));
        let mut request = reqwest::Request::new(Method::POST, url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        request
    }
}

/// A client with the settings of Posthaste's own.
pub(crate) fn client(concurrency: u32) -> reqwest::Client {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.pool_max_idle_per_host(concurrency as usize).pool_idle_timeout(Duration::from_secs(60)).build().expect("a client")
}

/// Sends one, and reads the answer to its end.
pub(crate) async fn post(client: &reqwest::Client, request: reqwest::Request, status: u16) {
    let mut answer = client.execute(request).await.expect("what is measured runs");
    assert_eq!(answer.status(), status, "what is measured takes everything");
    while answer.chunk().await.expect("a whole answer").is_some() {}
}

/// Sends so many requests, each made when its turn comes, over so many connections. Answers how long that took.
pub(crate) fn post_all(
    count: u32,
    connections: u32,
    status: u16,
    request: impl Fn(u32) -> reqwest::Request + Send + Sync + 'static,
) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (client, next, request) = (client(connections), Arc::new(AtomicU32::new(0)), Arc::new(request));
    let started = Instant::now();
    runtime.block_on(async {
        let mut posting = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (client, next, request) = (client.clone(), Arc::clone(&next), Arc::clone(&request));
            posting.spawn(async move {
                while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < count) {
                    post(&client, request(number), status).await;
                }
            });
        }
        posting.join_all().await;
    });
    started.elapsed()
}

/// The process: posts all events, and prints how long it took.
pub(crate) fn run(arguments: &Arguments) {
    let sample = Sample::new(&arguments.name, arguments.events, arguments.body_bytes);
    let (signer, url) = (Signer::new(), arguments.url.parse().expect("the receiver's URL"));
    let request = move |number| {
        let id = sample.id(number);
        signer.request(&url, &id, sample.body(&id))
    };
    let took = post_all(arguments.events, arguments.concurrency, 204, request);
    let events = f64::from(arguments.events);
    let per_second = events / took.as_secs_f64();
    let client_cpu = cpu::own().map(|micros| micros / events);
    let raw = Raw { concurrency: arguments.concurrency, per_second, client_cpu, receiver_cpu: None, duplicates: 0, losses: 0 };
    serde_json::to_writer(std::io::stdout(), &raw).expect("the benchmark reads it");
}

/// All concurrencies, the fastest first.
pub(crate) async fn measure(receiver: &Receiver, arguments: &crate::Arguments, round: u32) -> Vec<Raw> {
    let mut all = Vec::new();
    for concurrency in CONCURRENCIES {
        let sample = Sample::new(&format!("raw-{round}-{concurrency}"), arguments.events, arguments.body_bytes);
        let before = cpu::used();
        let mut raw = start(receiver, &sample, arguments.body_bytes, concurrency).await;
        raw.receiver_cpu = cpu::per_unit(&before, &cpu::used(), sample.count).remove("receiver");
        let tally = Tally::of(&sample, &receiver.take().await);
        (raw.duplicates, raw.losses) = (tally.duplicates, tally.losses);
        all.push(raw);
    }
    all.sort_by(|one, other| other.per_second.total_cmp(&one.per_second));
    all
}

async fn start(receiver: &Receiver, sample: &Sample, body_bytes: usize, concurrency: u32) -> Raw {
    let url = receiver.url(&sample.name);
    let (events, body_bytes, concurrency) = (sample.count.to_string(), body_bytes.to_string(), concurrency.to_string());
    let numbers = ["--events", &events, "--body-bytes", &body_bytes, "--concurrency", &concurrency];
    helper(&[&["raw", "--url", &url, "--name", &sample.name], &numbers[..]].concat()).await
}

/// Runs this program with other arguments, and answers what it printed.
pub(crate) async fn helper<T: DeserializeOwned>(arguments: &[&str]) -> T {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
    let pid = child.id();
    watchdog::watch("KILL", pid);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.expect("it does not panic").expect("our own child");
    watchdog::forget(pid);
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("what it found")
}
