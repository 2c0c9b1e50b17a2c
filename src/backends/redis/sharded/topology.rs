//! Which server has which shard: the one that the URL names, or of a Redis Cluster the master of the shard's slot.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};

use super::places::Place;
use crate::backends::meter::Meter;
use crate::backends::redis::error::{self, BACKEND};
use crate::backends::redis::{RedisQueue, client};
use crate::config::RedisSettings;
use crate::ports::BackendError;

/// How long one node may take to say where a slot is: another one knows it too.
const ASK: Duration = Duration::from_secs(2);
/// How long a shard may say nothing, so that one that hangs holds up the others no longer.
const ANSWER: Duration = Duration::from_secs(5);

pub(super) struct Topology {
    pub(super) prefix: String,
    lease: Duration,
    meter: Meter,
    client: Client,
    /// Nodes that the cluster named last: any of them can be asked when the one of the URL is away.
    known: Mutex<Vec<ConnectionAddr>>,
    clustered: AtomicBool,
    turn: AtomicUsize,
}

impl Topology {
    pub(super) fn new(settings: &RedisSettings, meter: Meter) -> Result<Self, BackendError> {
        let client = client(&settings.url)?;
        let (known, clustered, turn) = (Mutex::default(), AtomicBool::new(false), AtomicUsize::new(0));
        Ok(Self { prefix: settings.prefix.clone(), lease: settings.lease, meter, client, known, clustered, turn })
    }

    /// Whether it is a Redis Cluster; known once a part was found.
    pub(super) fn clustered(&self) -> bool {
        self.clustered.load(Ordering::Relaxed)
    }

    /// What a place holds, on the server that has it now.
    pub(super) async fn part(&self, place: Place) -> Result<RedisQueue, BackendError> {
        let keys = place.keys(&self.prefix);
        let client = self.server_of(place.key(&keys)).await?;
        RedisQueue::over(&client, ANSWER, keys, self.lease, place.mark(), self.meter.clone())
    }

    async fn server_of(&self, key: &str) -> Result<Client, BackendError> {
        let first = self.client.get_connection_info().addr().clone();
        let mut nodes = vec![first.clone()];
        nodes.extend(self.known.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|node| **node != first).cloned());
        // In turn, for one that lags behind the others would name the same wrong master again and again.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % nodes.len();
        nodes.rotate_left(turn);
        let mut trouble = None;
        for node in nodes {
            let asked = self.at(node.clone())?;
            match ask(&asked, &node, key).await {
                Ok(None) => return Ok(asked),
                Ok(Some(found)) => {
                    self.clustered.store(true, Ordering::Relaxed);
                    *self.known.lock().unwrap_or_else(PoisonError::into_inner) = found.nodes;
                    return found.master.map_or_else(|| Err(unserved(&node)), |master| self.at(master));
                }
                Err(source) => trouble = Some(error::map(&node.to_string(), source)),
            }
        }
        Err(trouble.unwrap_or_else(|| unserved(&first)))
    }

    /// The same user, database and TLS, elsewhere.
    fn at(&self, addr: ConnectionAddr) -> Result<Client, BackendError> {
        let address = addr.to_string();
        Client::open(self.client.get_connection_info().clone().set_addr(addr)).map_err(|source| error::map(&address, source))
    }
}

fn unserved(node: &ConnectionAddr) -> BackendError {
    BackendError::Unavailable { backend: BACKEND, address: node.to_string(), source: "no master of the cluster serves the slot".into() }
}

struct Found {
    master: Option<ConnectionAddr>,
    nodes: Vec<ConnectionAddr>,
}

/// `None` when the node is no part of a cluster.
async fn ask(client: &Client, node: &ConnectionAddr, key: &str) -> RedisResult<Option<Found>> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(ASK)).set_response_timeout(Some(ASK));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let ranges: Value = match redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await {
        Ok(ranges) => ranges,
        Err(error) if is_no_cluster(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let slot: i64 = redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query_async(&mut connection).await?;
    Ok(Some(read(&ranges, slot, node)))
}

/// `ERR This instance has cluster support disabled`, or no such command.
fn is_no_cluster(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError)
}

/// What `CLUSTER SLOTS` says: of each range its first and last slot, its master, and its replicas.
fn read(ranges: &Value, slot: i64, asked: &ConnectionAddr) -> Found {
    let mut found = Found { master: None, nodes: Vec::new() };
    let Value::Array(ranges) = ranges else { return found };
    for range in ranges {
        let Value::Array(parts) = range else { continue };
        let [Value::Int(first), Value::Int(last), nodes @ ..] = &parts[..] else { continue };
        let nodes: Vec<_> = nodes.iter().filter_map(|node| address(node, asked)).collect();
        if (*first..=*last).contains(&slot) {
            found.master = nodes.first().cloned();
        }
        for node in nodes {
            if !found.nodes.contains(&node) {
                found.nodes.push(node);
            }
        }
    }
    found
}

/// A node that does not know its own name has that by which it was asked.
fn address(node: &Value, asked: &ConnectionAddr) -> Option<ConnectionAddr> {
    let Value::Array(parts) = node else { return None };
    let [name, Value::Int(port), ..] = &parts[..] else { return None };
    let name = match name {
        Value::BulkString(name) => String::from_utf8(name.clone()).ok()?,
        Value::SimpleString(name) => name.clone(),
        _ => String::new(),
    };
    let port = u16::try_from(*port).ok()?;
    let or_asked = |host: &str| if name.is_empty() || name == "?" { host.to_owned() } else { name.clone() };
    Some(match asked {
        ConnectionAddr::Tcp(host, _) => ConnectionAddr::Tcp(or_asked(host), port),
        ConnectionAddr::TcpTls { host, insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: or_asked(host), port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(name: Value, port: i64) -> Value {
        Value::Array(vec![name, Value::Int(port), text("id")])
    }

    #[test]
    fn the_master_of_a_slot_is_the_first_node_of_its_range() {
        let range = |first, last, nodes: Vec<Value>| Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat());
        let ranges = Value::Array(vec![
            range(0, 9, vec![node(text("10.0.0.1"), 1), node(text("10.0.0.2"), 2)]),
            range(10, 10, vec![node(Value::Nil, 3)]),
        ]);
        let (asked, at) = (ConnectionAddr::Tcp("asked".into(), 9), |host: &str, port| ConnectionAddr::Tcp(host.into(), port));
        assert_eq!(read(&ranges, 9, &asked).master, Some(at("10.0.0.1", 1)));
        assert_eq!(read(&ranges, 10, &asked).master, Some(at("asked", 3)));
        let nobody = read(&ranges, 11, &asked);
        assert_eq!((nobody.master, nobody.nodes.len()), (None, 3));
    }
}
