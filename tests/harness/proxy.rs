//! A TCP proxy that misbehaves on demand.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::places;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Pass,
    /// Reads and forwards nothing, in both directions.
    Swallow,
    /// Forwards requests, and swallows answers: what was asked for happens, and the caller never learns of it.
    SwallowAnswers,
    /// Forwards requests and half of the answer that comes next, and swallows the rest.
    BreakOff,
}

/// Stands between the program and a server.
pub(crate) struct Proxy {
    port: u16,
    target: u16,
    mode: watch::Sender<Mode>,
    /// Raised by one to end every connection that is open.
    cuts: Arc<watch::Sender<u64>>,
    accepting: Mutex<JoinSet<()>>,
}

impl Proxy {
    /// Forwards to a port on 127.0.0.1.
    pub(crate) async fn to(target: u16) -> Self {
        let proxy = Self {
            port: places::free_port(),
            target,
            mode: watch::Sender::new(Mode::Pass),
            cuts: Arc::new(watch::Sender::new(0)),
            accepting: Mutex::new(JoinSet::new()),
        };
        proxy.pass().await;
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `url` with the proxy's port instead of the target's.
    pub(crate) fn instead_of(&self, url: &str) -> String {
        url.replace(&format!(":{}", self.target), &format!(":{}", self.port))
    }

    /// Ends every connection; new ones work.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// Ends every connection, and refuses new ones.
    pub(crate) async fn refuse(&self) {
        self.accepting.lock().await.shutdown().await;
        self.cut();
    }

    /// Takes bytes and forwards none, in both directions; connections stay open, new ones are accepted.
    pub(crate) fn swallow(&self) {
        self.mode.send_replace(Mode::Swallow);
    }

    /// Forwards what the program sends, and swallows the answers.
    pub(crate) fn swallow_answers(&self) {
        self.mode.send_replace(Mode::SwallowAnswers);
    }

    /// Forwards what the program sends, breaks off in the middle of the next answer of each connection, and swallows all others.
    pub(crate) fn break_off(&self) {
        self.mode.send_replace(Mode::BreakOff);
    }

    /// Works again. What was swallowed is lost: [`Proxy::cut`] first where the program cannot notice.
    pub(crate) async fn pass(&self) {
        self.mode.send_replace(Mode::Pass);
        let mut accepting = self.accepting.lock().await;
        if accepting.is_empty() {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port is still free");
            accepting.spawn(accept(listener, self.target, self.mode.subscribe(), Arc::clone(&self.cuts)));
        }
    }
}

async fn accept(listener: TcpListener, target: u16, mode: watch::Receiver<Mode>, cuts: Arc<watch::Sender<u64>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (mode, mut cut) = (mode.clone(), cuts.subscribe());
        connections.spawn(async move {
            tokio::select! {
                () = forward(stream, target, mode) => {}
                _ = cut.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(client: TcpStream, target: u16, mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let _faster = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(from_client, to_server, mode.clone(), |mode| mode == Mode::Swallow) => {}
        () = pump(from_server, to_client, mode, |mode| mode != Mode::Pass) => {}
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mode: watch::Receiver<Mode>, swallows: fn(Mode) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    let mut broken_off = false;
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mode = *mode.borrow();
        let forwarded = match mode {
            mode if !swallows(mode) => count,
            Mode::BreakOff if !broken_off => count / 2,
            _ => 0,
        };
        broken_off |= mode == Mode::BreakOff;
        if forwarded > 0 && to.write_all(&buffer[..forwarded]).await.is_err() {
            return;
        }
    }
}
