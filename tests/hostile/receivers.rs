//! Receivers that misbehave, each in its own way.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::harness::Raw;

/// What an attempt ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// The start of the error.
    With(&'static str),
    Delivered,
    /// In some way.
    Somehow,
}

pub(super) struct Hostile {
    pub(super) name: &'static str,
    pub(super) raw: Raw,
    pub(super) scheme: &'static str,
    pub(super) ends: Ends,
}

impl Hostile {
    pub(super) fn url(&self) -> String {
        format!("{}://{}/", self.scheme, self.raw.address())
    }
}

/// Waits for a request, and reads what comes at once.
async fn request(stream: &mut TcpStream) {
    let mut request = vec![0; 16 * 1024];
    let _read = stream.read(&mut request).await;
}

async fn hold(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

/// Answers with `start`, and then with `more` again and again, until nobody takes it.
async fn repeat(mut stream: TcpStream, start: &[u8], more: &[u8], pause: Option<Duration>) {
    request(&mut stream).await;
    // In larger pieces where it is to be fast.
    let more = if pause.is_some() { more.to_vec() } else { more.repeat(4096 / more.len() + 1) };
    let mut takes = stream.write_all(start).await.is_ok();
    while takes {
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        takes = stream.write_all(&more).await.is_ok();
    }
}

/// Answers with these bytes, and keeps the connection open.
pub(super) async fn say(mut stream: TcpStream, bytes: &[u8]) {
    request(&mut stream).await;
    let _written = stream.write_all(bytes).await;
    hold(stream).await;
}

const DRIP: Option<Duration> = Some(Duration::from_millis(20));

type Script = (&'static str, &'static [u8], &'static [u8], Option<Duration>, Ends);

/// Name, start of the answer, what follows for ever, how fast, and what comes of it.
const REPEATED: [Script; 13] = [
    ("dripping.head", b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", DRIP, Ends::With("timeout")),
    ("dripping.headers", b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", DRIP, Ends::Somehow),
    ("dripping.body", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"x", DRIP, Ends::With("timeout")),
    ("dripping.chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", DRIP, Ends::With("timeout")),
    ("dripping.hints", b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", DRIP, Ends::With("timeout")),
    (
        "endless.hints",
        b"",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        None,
        Ends::With("protocol error"),
    ),
    ("endless.header", b"HTTP/1.1 200 OK\r\nX-Long: ", &[b'x'; 4096], None, Ends::With("protocol error")),
    ("endless.headers", b"HTTP/1.1 200 OK\r\n", b"A: b\r\nC: d\r\nE: f\r\n", None, Ends::With("protocol error")),
    ("endless.status", b"HTTP/1.1 200 ", &[b'O'; 4096], None, Ends::With("protocol error")),
    ("endless.body", b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 4096], None, Ends::Delivered),
    ("endless.chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", None, Ends::Delivered),
    ("endless.extension", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", &[b'x'; 4096], None, Ends::With("protocol error")),
    ("endless.trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n", None, Ends::With("protocol error")),
];

/// Answers that are no HTTP.
const NONSENSE: [(&str, &[u8]); 9] = [
    ("noise", b"\x00\xff\x16\x03\x01 this is not HTTP\r\n\r\n"),
    ("ssh", b"SSH-2.0-OpenSSH_9.6\r\n"),
    ("http.9", b"HTTP/9.9 200 OK\r\n\r\n"),
    ("no.status", b"HTTP/1.1 OK\r\n\r\n"),
    ("large.status", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ("negative.length", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
    ("two.lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    ("chunk.size", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
    ("bad.header", b"HTTP/1.1 200 OK\r\nA b\x00: c\r\n\r\n"),
];

/// All of them; `https://` ones say nothing that is TLS.
pub(super) async fn all() -> Vec<Hostile> {
    let mut all = Vec::new();
    let mut add = |name, raw, scheme, ends| all.push(Hostile { name, raw, scheme, ends });
    for (name, start, more, pause, ends) in REPEATED {
        add(name, Raw::serve(move |stream| repeat(stream, start, more, pause)).await, "http", ends);
    }
    for (name, bytes) in NONSENSE {
        add(name, Raw::serve(move |stream| say(stream, bytes)).await, "http", Ends::With("protocol error"));
    }
    let timeout = Ends::With("timeout");
    add("silent", Raw::serve(hold).await, "http", timeout);
    add("silent.tls", Raw::serve(hold).await, "https", timeout);
    add("deaf", Raw::deaf().await, "http", timeout);
    // The start of a handshake record of 16 KiB, and then a byte of it now and then.
    add(
        "dripping.tls",
        Raw::serve(|stream| repeat(stream, b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x03", DRIP)).await,
        "https",
        timeout,
    );
    add("noise.tls", Raw::serve(|stream| say(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")).await, "https", Ends::With("TLS failure"));
    let reset = Ends::With("connection reset");
    add("reset", Raw::serve(|stream| reset_after(stream, b"")).await, "http", reset);
    add("reset.in.head", Raw::serve(|stream| reset_after(stream, b"HTTP/1.1 200 OK\r\nContent-Le")).await, "http", reset);
    add("reset.in.body", Raw::serve(|stream| reset_after(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")).await, "http", reset);
    add("reset.tls", Raw::serve(|stream| reset_after(stream, b"")).await, "https", reset);
    let early = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    add(
        "early",
        Raw::serve(async |mut stream| {
            let _written = stream.write_all(early).await;
            hold(stream).await;
        })
        .await,
        "http",
        Ends::Somehow,
    );
    all
}

/// Closes without having read the request, which makes it a reset.
async fn reset_after(mut stream: TcpStream, bytes: &[u8]) {
    let _came = stream.peek(&mut [0]).await;
    let _written = stream.write_all(bytes).await;
}

/// A port whose connections take little before they are read, and do with each what a test says.
pub(super) async fn narrow<F: Future<Output = ()> + Send + 'static>(
    with: impl Fn(TcpStream) -> F + Send + 'static,
) -> (String, tokio::task::JoinSet<()>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let listener: TcpListener = socket.listen(128).expect("it is bound");
    let address = listener.local_addr().expect("it is bound").to_string();
    let mut accepting = tokio::task::JoinSet::new();
    accepting.spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(with(stream));
        }
    });
    (address, accepting)
}

/// Writes the same again and again until nobody takes it.
pub(super) async fn flood(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    while stream.write_all(bytes).await.is_ok() {}
}
