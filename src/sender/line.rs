//! One connection to a receiver, with what it may do to us.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// How many bytes a receiver may send for one request, whatever it calls them: heads, bodies, informational answers, frames.
/// Enough for all of an answer that is read, a byte at a time.
const ANSWER_BYTES: u64 = 1 << 20;
/// How long bytes may wait to be taken on a connection that no attempt uses.
const STALLED: Duration = Duration::from_secs(2);

/// What a connection has done so far.
#[derive(Debug)]
pub(super) struct Book {
    /// Attempts that use it now.
    active: AtomicUsize,
    /// Bytes that came.
    read: AtomicU64,
    /// What `read` may become.
    allowed: AtomicU64,
}

/// An attempt's hold on a connection.
pub(super) struct Use(Arc<Book>);

impl Book {
    fn new() -> Arc<Self> {
        Arc::new(Self { active: AtomicUsize::new(0), read: AtomicU64::new(0), allowed: AtomicU64::new(ANSWER_BYTES) })
    }

    /// The book of the connection that a request was given.
    pub(super) fn of(connected: Option<&Connected>) -> Option<Arc<Self>> {
        let mut extras = http::Extensions::new();
        connected?.get_extras(&mut extras);
        extras.remove()
    }
}

impl Use {
    pub(super) fn begin(book: Arc<Book>) -> Self {
        let active = book.active.fetch_add(1, Ordering::AcqRel) as u64 + 1;
        let allowed = book.read.load(Ordering::Acquire).saturating_add(active.saturating_mul(ANSWER_BYTES));
        book.allowed.fetch_max(allowed, Ordering::AcqRel);
        Self(book)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How many connections are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Open(Arc<AtomicUsize>);

impl Open {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection as hyper uses it.
pub(super) struct Line(TokioIo<Watched>);

struct Watched {
    stream: Either<TcpStream, TlsStream<TcpStream>>,
    book: Arc<Book>,
    stalled: Option<Pin<Box<Sleep>>>,
    open: Open,
}

impl Line {
    pub(super) fn new(stream: Either<TcpStream, TlsStream<TcpStream>>, open: Open) -> Self {
        open.0.fetch_add(1, Ordering::Relaxed);
        Self(TokioIo::new(Watched { stream, book: Book::new(), stalled: None, open }))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.open.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watched {
    /// A receiver that takes no more bytes would keep its connection for ever: an attempt that ends, or is answered early, leaves
    /// the rest of its request behind, and TLS has a last word to say.
    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED)));
        while stalled.as_mut().poll(context).is_ready() {
            if self.book.active.load(Ordering::Acquire) == 0 {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            stalled.as_mut().reset(Instant::now() + STALLED);
        }
        Poll::Pending
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let count = (buffer.filled().len() - before) as u64;
        let read = self.book.read.fetch_add(count, Ordering::AcqRel).saturating_add(count);
        if read > self.book.allowed.load(Ordering::Acquire) {
            let error = format!("the receiver sent more than {} KiB for one request", ANSWER_BYTES >> 10);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, polled)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bounded(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.bounded(context, polled)
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        let watched = self.0.inner();
        let connected = Connected::new().extra(Arc::clone(&watched.book));
        match &watched.stream {
            Either::Right(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => connected.negotiated_h2(),
            _ => connected,
        }
    }
}

impl hyper::rt::Read for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: hyper::rt::ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        hyper::rt::Write::poll_write(Pin::new(&mut self.0), context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        hyper::rt::Write::poll_write_vectored(Pin::new(&mut self.0), context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        hyper::rt::Write::is_write_vectored(&self.0)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        hyper::rt::Write::poll_flush(Pin::new(&mut self.0), context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        hyper::rt::Write::poll_shutdown(Pin::new(&mut self.0), context)
    }
}
