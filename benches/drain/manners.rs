//! What bad receivers do, by the first part of the path that they are asked for.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Seldom, for all of them together must not keep the machine busy that the others need.
const DRIP: Duration = Duration::from_millis(500);
pub(crate) const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const START: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Takes the request and never answers.
    Hangs,
    DripsHead,
    DripsBody,
    /// Resets the connection as soon as the request is there.
    Resets,
    /// Resets it in the middle of the answer.
    Cuts,
    /// Answers 503.
    Unavailable,
}

const ALL: [(&str, Manners); 6] = [
    ("hangs", Manners::Hangs),
    ("drips-head", Manners::DripsHead),
    ("drips-body", Manners::DripsBody),
    ("resets", Manners::Resets),
    ("cuts", Manners::Cuts),
    ("unavailable", Manners::Unavailable),
];

impl Manners {
    /// `None` for a receiver that takes everything.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let first = path.split('/').nth(1)?;
        ALL.iter().find(|(name, _)| *name == first).map(|(_, manners)| *manners)
    }

    /// Goes on with a connection over which a request came, to its end.
    pub(crate) async fn serve(self, mut stream: TcpStream) -> std::io::Result<()> {
        match self {
            Self::Hangs => closed(&stream).await,
            Self::DripsHead => drip(stream, b"HTTP/1.1 200 OK\r\nX-Long: ").await,
            Self::DripsBody => drip(stream, START).await,
            Self::Resets => stream.set_zero_linger(),
            Self::Cuts => {
                stream.write_all(START).await?;
                stream.set_zero_linger()
            }
            Self::Unavailable => stream.write_all(UNAVAILABLE).await,
        }
    }
}

/// Until the peer has had enough of it.
async fn closed(stream: &TcpStream) -> std::io::Result<()> {
    stream.peek(&mut [0]).await.map(|_| ())
}

async fn drip(mut stream: TcpStream, start: &[u8]) -> std::io::Result<()> {
    stream.write_all(start).await?;
    loop {
        tokio::time::sleep(DRIP).await;
        stream.write_all(b"x").await?;
    }
}
