//! The server's side of HTTP/1.1, as little as a test needs, so that a script decides about every byte of the answer.

use std::time::Instant;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use posthaste::model::clock;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::received::Received;

/// Reads the next request; `None` when the peer is done, or sent something else.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Option<Received> {
    let end = loop {
        match buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(at) => break at,
            None => more(stream, buffer).await?,
        }
    };
    let head = buffer.split_to(end);
    buffer.advance(4);
    let text = std::str::from_utf8(&head).ok()?;
    let (request_line, fields) = text.split_once("\r\n").unwrap_or((text, ""));
    let mut words = request_line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = parse_headers(fields)?;
    let body = match headers.get("content-length") {
        Some(length) => exactly(stream, buffer, length.to_str().ok()?.parse().ok()?).await?,
        None if headers.contains_key("transfer-encoding") => chunks(stream, buffer).await?,
        None => Bytes::new(),
    };
    Some(Received { method, path, headers, body, at: Instant::now(), wall: clock::now() })
}

fn parse_headers(fields: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for field in fields.split("\r\n").filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once(':')?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(headers)
}

async fn more(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Option<()> {
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}

async fn exactly(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut, length: usize) -> Option<Bytes> {
    while buffer.len() < length {
        more(stream, buffer).await?;
    }
    Some(buffer.split_to(length).freeze())
}

async fn chunks(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Option<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let end = loop {
            match buffer.windows(2).position(|window| window == b"\r\n") {
                Some(at) => break at,
                None => more(stream, buffer).await?,
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&buffer.split_to(end)).ok()?.trim(), 16).ok()?;
        buffer.advance(2);
        body.extend_from_slice(&exactly(stream, buffer, size).await?);
        exactly(stream, buffer, 2).await?;
        if size == 0 {
            return Some(body.freeze());
        }
    }
}
