//! `posthaste dev --demo`: a receiver of its own, three endpoints, a handful of events, and what happens to each.

mod receiver;
mod show;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::show::Show;
use crate::model::clock;
use crate::model::endpoint::{EndpointDefaults, EndpointDraft};
use crate::model::event::{self, Event, Reading};
use crate::ports::{Catalog, CatalogError, Door, Records};

/// What an endpoint of the demo has where the demo does not say: short waits, so that one can watch.
const DEFAULTS: EndpointDefaults =
    EndpointDefaults { timeout: Duration::from_secs(5), max_retries: 5, retry_delay: Duration::from_secs(1) };

const EVENTS: [(&str, &str); 5] = [
    ("order.created", r#"{"order": 1001, "total": 49.90, "currency": "EUR"}"#),
    ("order.paid", r#"{"order": 1001, "method": "card"}"#),
    ("invoice.sent", r#"{"invoice": "2026-0042", "order": 1001}"#),
    ("user.deleted", r#"{"user": 7}"#),
    ("order.item.added", r#"{"order": 1002, "item": "a book", "quantity": 2}"#),
];

/// A folder for the demo's database, gone with the demo.
pub struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// When the system's folder for temporary files cannot be written to.
    pub fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("posthaste-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.0.join("posthaste.sqlite")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it, and the system clears the folder in its time.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The demo, over the same seams as everybody else.
pub struct Demo {
    pub catalog: Arc<dyn Catalog>,
    pub door: Arc<dyn Door>,
    pub records: Arc<dyn Records>,
    /// Where the API listens.
    pub api: SocketAddr,
}

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Backend(#[from] crate::ports::BackendError),
}

impl Demo {
    /// Shows what happens until `stop`.
    pub async fn run(self, out: Box<dyn Write + Send + Sync>, stop: CancellationToken) {
        tokio::select! {
            ended = self.play(Show::new(out)) => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the demo cannot go on");
                }
            }
            () = stop.cancelled() => {}
        }
    }

    async fn play(self, mut show: Show) -> Result<(), Trouble> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let receiver = listener.local_addr()?;
        let serve = receiver::serve(listener);
        let play = async {
            self.register(receiver, &mut show).await?;
            let events = self.send(&mut show).await?;
            show.follow(&*self.records, &events, self.api).await?;
            Ok::<_, Trouble>(())
        };
        tokio::select! {
            served = serve => Ok(served?),
            played = play => played,
        }
    }

    async fn register(&self, receiver: SocketAddr, show: &mut Show) -> Result<(), Trouble> {
        let endpoints = [
            ("healthy", "/healthy", vec!["*"], "answers 204"),
            ("flaky", "/flaky", vec!["order.*"], "answers 500 twice for each event, then 204"),
            ("gone", "/gone", vec!["user.*"], "answers 410: it wants no more, and is disabled"),
        ];
        show.line(&format!("\nA receiver listens on http://{receiver}. Three endpoints are registered on it:\n"))?;
        for (name, path, event_types, what) in endpoints {
            let draft = EndpointDraft {
                name: Some(name.into()),
                url: Some(format!("http://{receiver}{path}")),
                event_types: Some(event_types.iter().map(|text| (*text).to_owned()).collect()),
                ..EndpointDraft::default()
            };
            let new = draft.into_new(DEFAULTS).map_err(CatalogError::Invalid)?;
            self.catalog.create(new).await?;
            show.line(&format!("  {name:<8} {:<10} {what}", event_types.join(", ")))?;
        }
        Ok(())
    }

    async fn send(&self, show: &mut Show) -> Result<Vec<String>, Trouble> {
        let reading = Reading { max_bytes: 4096, accepted_at: clock::now(), new_id: None, tenant: None, traceparent: None };
        let events: Vec<Event> = (1..)
            .zip(EVENTS)
            .map(|(number, (event_type, data))| {
                format!(r#"{{"id":"demo-{number}","event_type":"{event_type}","data":{data},"source":"demo"}}"#)
            })
            .filter_map(|text| event::parse(text.as_bytes(), reading).ok())
            .collect();
        let ids = events.iter().map(|event| event.key.id.to_string()).collect();
        show.line(&format!("\n{} events are sent:\n", events.len()))?;
        for event in &events {
            show.line(&format!("  {:<8} {:<18} {}", event.key.id, event.event_type, event.data()))?;
        }
        self.door.accept(events).await?;
        show.line("\nWhat happens to each:\n")?;
        Ok(ids)
    }
}
