//! The threads that own the connections: one writes, some read, so that reading never waits for a commit.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use diesel::{Connection as _, SqliteConnection};
use tokio::sync::oneshot;

use crate::backends::meter::Meter;
use crate::backends::sqlite::file;
use crate::backends::sqlite::trouble::{BACKEND, Trouble, unavailable};
use crate::ports::BackendError;

/// How many calls share a commit at most.
const SHARED: usize = 64;

/// Tells a caller how its work went; given what came of the commit.
type Answer = Box<dyn FnOnce(&Result<(), Trouble>) + Send>;
/// One call's part of a transaction, or why there is none.
type Work = Box<dyn FnOnce(Result<&mut SqliteConnection, Trouble>) -> Answer + Send>;

/// A pool of threads that all do the same kind of work. Dropping it waits until they have done what they were given.
#[derive(Debug)]
pub(super) struct Threads {
    path: Arc<PathBuf>,
    work: Option<Sender<Work>>,
    threads: Vec<JoinHandle<()>>,
    /// What they do, for those who watch.
    call: &'static str,
    pub(super) meter: Meter,
}

impl Threads {
    /// The one writer. Calls that arrive while it writes share its transaction; each still does all of its work or none.
    pub(super) fn writer(path: Arc<PathBuf>, conn: SqliteConnection) -> Result<Self, BackendError> {
        let (work, received) = channel();
        let thread = spawn(&path, "sqlite-writer", {
            let path = Arc::clone(&path);
            move || write(&path, conn, &received)
        })?;
        Ok(Self { path, work: Some(work), threads: vec![thread], call: "write", meter: Meter::default() })
    }

    /// So many readers.
    pub(super) fn readers(path: Arc<PathBuf>, count: usize) -> Result<Self, BackendError> {
        let (work, received) = channel::<Work>();
        let received = Arc::new(Mutex::new(received));
        let mut threads = Vec::with_capacity(count);
        for _ in 0..count {
            let received = Arc::clone(&received);
            let mut conn = file::connect_to_read(&path)?;
            threads.push(spawn(&path, "sqlite-reader", move || {
                while let Some(work) = next(&received) {
                    work(Ok(&mut conn))(&Ok(()));
                }
            })?);
        }
        Ok(Self { path, work: Some(work), threads, call: "read", meter: Meter::default() })
    }

    /// Does the work in a transaction, and answers after the commit. A caller that goes away meanwhile undoes nothing.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, Trouble> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |conn| {
            let done = conn.and_then(|conn| in_transaction(conn, work));
            Box::new(move |committed| {
                // The caller may have gone away; what was committed stays.
                drop(answer.send(done.and_then(|value| committed.clone().map(|()| value))));
            })
        });
        let gone = || unavailable(&self.path, "the thread that has the file is gone");
        self.work.as_ref().and_then(|sender| sender.send(work).ok()).ok_or_else(gone)?;
        let done = async { answered.await.map_err(|error| unavailable(&self.path, error))?.map_err(|trouble| trouble.at(&self.path)) };
        self.meter.time(BACKEND, self.call, |_| false, done).await
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.work = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked said so already.
            drop(thread.join());
        }
    }
}

fn spawn(path: &Path, name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, BackendError> {
    std::thread::Builder::new().name(name.into()).spawn(body).map_err(|error| unavailable(path, error))
}

fn next(received: &Mutex<Receiver<Work>>) -> Option<Work> {
    received.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// The error that a transaction is undone with; what the work says is kept beside it.
struct Undone(Option<diesel::result::Error>);

impl From<diesel::result::Error> for Undone {
    fn from(error: diesel::result::Error) -> Self {
        Self(Some(error))
    }
}

fn in_transaction<T>(conn: &mut SqliteConnection, work: impl FnOnce(&mut SqliteConnection) -> Result<T, Trouble>) -> Result<T, Trouble> {
    let mut trouble = None;
    let done = conn.transaction(|conn| {
        work(conn).map_err(|ours| {
            trouble = Some(ours);
            Undone(None)
        })
    });
    done.map_err(|Undone(error)| match (trouble, error) {
        // A full disk ends the whole transaction, and then undoing fails too: the first error is the one that says why.
        (Some(ours), _) => ours,
        (None, Some(error)) => error.into(),
        (None, None) => Trouble::Unavailable("the transaction was undone".into()),
    })
}

fn write(path: &Path, mut conn: SqliteConnection, received: &Receiver<Work>) {
    let mut broken = false;
    while let Ok(first) = received.recv() {
        if broken && let Ok(new) = file::connect(path) {
            conn = new;
        }
        let mut answers = Vec::new();
        let mut first = Some(first);
        let committed = conn.immediate_transaction(|conn| {
            while answers.len() < SHARED
                && let Some(work) = first.take().or_else(|| received.try_recv().ok())
            {
                answers.push(work(Ok(conn)));
            }
            Ok::<_, diesel::result::Error>(())
        });
        // After a failed commit nobody knows what state the connection is in.
        broken = committed.is_err();
        let committed = committed.map_err(Trouble::from);
        for answer in answers {
            answer(&committed);
        }
        if let (Some(work), Err(trouble)) = (first, &committed) {
            // The transaction could not even begin.
            work(Err(trouble.clone()))(&committed);
        }
    }
}
