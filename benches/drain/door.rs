//! Door 2, `POST /api/webhooks/events`: how many events a second are accepted, one in each request and in arrays, over 64 connections.
//!
//! By a process that does nothing else (`serve --role api`). 202 means that the events are committed: the rows are counted as soon as the last
//! answer is there. The client is the raw one without its signatures.

use http::{HeaderValue, Method};
use serde::{Deserialize, Serialize};

use crate::cpu::{self, Cpu};
use crate::raw;
use crate::receipts::Receiver;
use crate::sample::Sample;
use crate::stage::{self, Stage};

const CONNECTIONS: u32 = 64;
const ARRAY: u32 = 100;

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
    /// How many events one request carries; 0 for one that is not in an array
    #[arg(long)]
    array: u32,
}

/// What the client found.
#[derive(Serialize, Deserialize)]
struct Posted {
    per_second: f64,
    /// Microseconds for each event.
    cpu: Option<f64>,
}

pub(crate) struct Door {
    pub(crate) one: Accepted,
    pub(crate) arrays: Accepted,
}

#[derive(Serialize)]
pub(crate) struct Accepted {
    /// Events, from the first request until the last answer.
    pub(crate) per_second: f64,
    pub(crate) events: u32,
    pub(crate) rows: i64,
    /// Microseconds for each event.
    pub(crate) cpu: Cpu,
    pub(crate) complaints: Vec<String>,
}

impl Door {
    pub(crate) fn both(&self) -> [(&'static str, &Accepted); 2] {
        [("door, one by one", &self.one), ("door, arrays of 100", &self.arrays)]
    }
}

/// The process: posts all events, and prints how long it took.
pub(crate) fn run(arguments: &Arguments) {
    let sample = Sample::new(&arguments.name, arguments.events, arguments.body_bytes);
    let (url, events, array): (url::Url, _, _) = (arguments.url.parse().expect("the door's URL"), arguments.events, arguments.array);
    let request = move |number: u32| {
        let event = |number| sample.body(&sample.id(number));
        let body = if array == 0 {
            event(number)
        } else {
            let numbers = number * array..events.min((number + 1) * array);
            format!("[{}]", numbers.map(event).collect::<Vec<_>>().join(","))
        };
        let mut request = reqwest::Request::new(Method::POST, url.clone());
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        request
    };
    let took = raw::post_all(events.div_ceil(array.max(1)), CONNECTIONS, 202, request);
    let events = f64::from(events);
    let posted = Posted { per_second: events / took.as_secs_f64(), cpu: cpu::own().map(|micros| micros / events) };
    serde_json::to_writer(std::io::stdout(), &posted).expect("the benchmark reads it");
}

pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, sample: impl Fn(&str) -> Sample, body_bytes: usize) -> Door {
    let one = accepted(receiver, stage, &sample("door-one"), body_bytes, 0).await;
    let arrays = accepted(receiver, stage, &sample("door-array"), body_bytes, ARRAY).await;
    Door { one, arrays }
}

async fn accepted(receiver: &Receiver, stage: &Stage, sample: &Sample, body_bytes: usize, array: u32) -> Accepted {
    let scene = stage.scene(&receiver.url(&sample.name)).await;
    let program = scene.program("api").await;
    let url = format!("{}/api/webhooks/events", program.url());
    let before = cpu::used();
    let (events, body_bytes, array) = (sample.count.to_string(), body_bytes.to_string(), array.to_string());
    let numbers = ["--events", &events, "--body-bytes", &body_bytes, "--array", &array];
    let posted: Posted = raw::helper(&[&["door", "--url", &url, "--name", &sample.name], &numbers[..]].concat()).await;
    let rows = scene.accepted_rows().await;
    let mut cpu = cpu::per_unit(&before, &cpu::used(), sample.count);
    cpu.remove("receiver");
    cpu.extend(posted.cpu.map(|micros| ("client", micros)));
    Accepted { per_second: posted.per_second, events: sample.count, rows, cpu, complaints: stage::end(program).await }
}
