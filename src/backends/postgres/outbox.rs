//! Door 3: hears of events that applications commit by SQL. The trigger of `migrations/postgres/*_outbox` tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;
use tokio_postgres::{AsyncMessage, Client, Error};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::Postgres;
use super::connect::{Connector, Messages, with_cause};
use super::errors::unavailable;
use crate::model::event::EventKey;
use crate::ports::{BackendError, Heard, Outbox};

/// Who holds it listens. A lock of the session: it is free when the connection ends, however that happens. The number says
/// "post3box" in ASCII.
const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(8101821197578301304)";
const LISTEN: &str = "LISTEN webhook_events";
/// A server that hears nothing from a listener whose machine is gone must not keep its lock for hours.
const NOTICE_DEATH: &str = "SET tcp_keepalives_idle TO 15; SET tcp_keepalives_interval TO 5; SET tcp_keepalives_count TO 3; \
                            SET tcp_user_timeout TO 30000";

/// How soon somebody else listens when the one who did is gone.
const TURN: Duration = Duration::from_secs(1);
/// How often the connection is tried where nothing is heard.
const CHECK: Duration = Duration::from_secs(15);
/// Events of one answer at most.
const BATCH: usize = 1000;
/// Events that wait here for someone to ask. Reading never stops: with a reader that is slow, the server would keep what it
/// tells, for everybody, and once that is full applications could not commit any more. So what is too much is forgotten here.
const WAITING: usize = 50_000;

/// A connection of its own that listens, in one process at a time.
pub struct PostgresOutbox {
    connector: Arc<Connector>,
    deadline: Duration,
    ear: Mutex<Option<Ear>>,
}

struct Ear {
    client: Client,
    keys: mpsc::Receiver<EventKey>,
    missed: Arc<AtomicBool>,
    /// Ends with the connection, and says why.
    driver: AbortOnDropHandle<Option<Error>>,
}

impl Postgres {
    /// Door 3's other side. Connects when it is first asked; dropping it lets another process listen.
    #[must_use]
    pub fn outbox(&self) -> PostgresOutbox {
        PostgresOutbox { connector: Arc::clone(&self.connector), deadline: self.deadline, ear: Mutex::new(None) }
    }
}

#[async_trait]
impl Outbox for PostgresOutbox {
    async fn next(&self) -> Result<Heard, BackendError> {
        let mut place = self.ear.lock().await;
        let Some(ear) = place.as_mut() else {
            *place = Some(self.listen().await?);
            return Ok(Heard::SomeMissed);
        };
        let heard = self.hear(ear).await;
        if heard.is_err() {
            *place = None;
        }
        heard
    }
}

impl PostgresOutbox {
    /// Waits for its turn, and listens.
    async fn listen(&self) -> Result<Ear, BackendError> {
        let (client, messages) = self.within(self.connector.connect_raw()).await?;
        let (sender, keys) = mpsc::channel(WAITING);
        let missed = Arc::new(AtomicBool::new(false));
        let driver = AbortOnDropHandle::new(TaskTracker::new().spawn(drive(messages, sender, Arc::clone(&missed))));
        let ear = Ear { client, keys, missed, driver };
        self.within(ear.client.batch_execute(NOTICE_DEATH)).await?;
        while !self.within(ear.client.query_one(TRY_LOCK, &[])).await?.get::<_, bool>(0) {
            sleep(TURN).await;
        }
        self.within(ear.client.batch_execute(LISTEN)).await?;
        tracing::info!("listening for events that are committed by SQL");
        Ok(ear)
    }

    async fn hear(&self, ear: &mut Ear) -> Result<Heard, BackendError> {
        loop {
            if ear.missed.swap(false, Ordering::Relaxed) {
                // Whoever looks for those that were missed finds these too.
                while ear.keys.try_recv().is_ok() {}
                return Ok(Heard::SomeMissed);
            }
            let mut keys = Vec::new();
            tokio::select! {
                count = ear.keys.recv_many(&mut keys, BATCH) => {
                    return if count > 0 { Ok(Heard::Events(keys)) } else { Err(self.ended(ear).await) };
                }
                // One whose other end is gone is as silent as one where nothing happens.
                () = sleep(CHECK) => self.within(ear.client.batch_execute("SELECT 1")).await?,
            }
        }
    }

    async fn ended(&self, ear: &mut Ear) -> BackendError {
        match (&mut ear.driver).await {
            Ok(Some(error)) => unavailable(&self.connector.address, with_cause(&error)),
            Ok(None) => unavailable(&self.connector.address, "the connection was closed"),
            Err(error) => unavailable(&self.connector.address, error),
        }
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, BackendError> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(done) => done.map_err(|error| unavailable(&self.connector.address, with_cause(&error))),
            Err(elapsed) => Err(unavailable(&self.connector.address, elapsed)),
        }
    }
}

async fn drive(mut messages: Messages, keys: mpsc::Sender<EventKey>, missed: Arc<AtomicBool>) -> Option<Error> {
    while let Some(message) = messages.next().await {
        match message {
            Ok(AsyncMessage::Notification(told)) => match EventKey::from_member(told.payload()) {
                Some(key) => {
                    if keys.try_send(key).is_err() {
                        missed.store(true, Ordering::Relaxed);
                    }
                }
                None => tracing::debug!("a notification on our channel names no event"),
            },
            Ok(_) => {}
            Err(error) => return Some(error),
        }
    }
    None
}
