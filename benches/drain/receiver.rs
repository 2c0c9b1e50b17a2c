//! The receiver, a process of its own: answers every POST with 204 and writes down which came when; or misbehaves, where the path asks
//! for that, and writes nothing down.
//!
//! Its cost counts in every figure, so it does as little as HTTP/1.1 allows. `GET /count` and `GET /take` are for the benchmark.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use bytes::{Buf as _, BytesMut};
use posthaste::model::clock;

use crate::manners::{self, Manners};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// What came so far: a line for each request, `<microseconds since 1970> <path> <webhook-id>`.
#[derive(Default)]
struct Book {
    lines: String,
    count: usize,
}

/// What follows from what was read of a connection.
enum Answer {
    /// For so many bytes.
    Given(usize),
    Incomplete,
    Ill(Manners),
}

struct Head<'a> {
    method: &'a str,
    path: &'a str,
    id: &'a str,
    body_bytes: usize,
}

/// On how many ports it listens: so many endpoints have a host of their own.
pub(crate) const PORTS: usize = 100;

/// Serves until it is killed. Its first line on standard output are its ports.
pub(crate) fn run() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // Most of a machine belongs to the two whose speed is measured.
    let runtime = builder.worker_threads((cores / 4).max(1)).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (book, connections) = (Arc::new(Mutex::new(Book::default())), TaskTracker::new());
        let mut ports = String::new();
        for _ in 0..PORTS {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            // Writing to a String cannot fail.
            let _ = write!(ports, "{} ", listener.local_addr().expect("bound").port());
            connections.spawn(accept(listener, Arc::clone(&book), connections.clone()));
        }
        writeln!(std::io::stdout(), "{ports}").expect("the benchmark reads it");
        std::future::pending::<()>().await;
    });
}

async fn accept(listener: TcpListener, book: Arc<Mutex<Book>>, connections: TaskTracker) {
    loop {
        // Out of files: some will be closed.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let book = Arc::clone(&book);
        connections.spawn(async move {
            // A connection that breaks is the peer's business; what it lost shows in the counts.
            let _ = serve(stream, &book).await;
        });
    }
}

async fn serve(mut stream: TcpStream, book: &Mutex<Book>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(16 << 10);
    loop {
        match answer(&mut stream, &buffer, book).await? {
            Answer::Given(used) => buffer.advance(used),
            Answer::Incomplete => {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            }
            Answer::Ill(manners) => return manners.serve(stream).await,
        }
    }
}

/// Answers the request at the front, if it is all there, and says how long it is.
async fn answer(stream: &mut TcpStream, buffer: &[u8], book: &Mutex<Book>) -> std::io::Result<Answer> {
    let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(Answer::Incomplete) };
    let Some(head) = std::str::from_utf8(&buffer[..end]).ok().and_then(parse) else {
        return Err(std::io::ErrorKind::InvalidData.into());
    };
    let used = end + 4 + head.body_bytes;
    if buffer.len() < used {
        return Ok(Answer::Incomplete);
    }
    match Manners::of(head.path) {
        Some(Manners::Unavailable) => {
            stream.write_all(manners::UNAVAILABLE).await?;
            return Ok(Answer::Given(used));
        }
        Some(ill) => return Ok(Answer::Ill(ill)),
        None => {}
    }
    if head.method == "POST" {
        note(book, &head);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        return Ok(Answer::Given(used));
    }
    let text = {
        let mut book = book.lock().expect("no panic while locked");
        if head.path == "/take" { std::mem::take(&mut *book).lines } else { book.count.to_string() }
    };
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    stream.write_all(reply.as_bytes()).await?;
    Ok(Answer::Given(used))
}

fn note(book: &Mutex<Book>, head: &Head<'_>) {
    let micros = clock::now().timestamp_micros();
    let mut book = book.lock().expect("no panic while locked");
    // Writing to a String cannot fail.
    let _ = writeln!(book.lines, "{micros} {} {}", head.path, head.id);
    book.count += 1;
}

fn parse(text: &str) -> Option<Head<'_>> {
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut head = Head { method: words.next()?, path: words.next()?, id: "-", body_bytes: 0 };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            head.body_bytes = value.trim().parse().ok()?;
        } else if name.eq_ignore_ascii_case("webhook-id") {
            head.id = value.trim();
        }
    }
    Some(head)
}
