//! A TCP server that does with each connection what a test says, where HTTP is not the point.

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use std::time::Duration;

/// Dropped, it closes its port and all connections.
pub(crate) struct Raw {
    port: u16,
    _accepting: JoinSet<()>,
}

impl Raw {
    pub(crate) async fn serve<F: Future<Output = ()> + Send + 'static>(with: impl Fn(TcpStream) -> F + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(with(stream));
            }
        });
        Self { port, _accepting: accepting }
    }

    /// A port that takes no connection and refuses none: its queue of connections is full.
    pub(crate) async fn deaf() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let listener = socket.listen(1).expect("it is bound");
        let address = listener.local_addr().expect("it is bound");
        let mut queued = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            queued.push(stream.expect("queued"));
            assert!(queued.len() < 100, "the queue of connections is never full");
        }
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            std::future::pending::<()>().await;
            drop((listener, queued));
        });
        Self { port: address.port(), _accepting: accepting }
    }

    /// `127.0.0.1:<port>`
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
